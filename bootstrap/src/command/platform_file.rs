//! The platform file on this machine: read, checked, uploaded where it has changed.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use miette::{IntoDiagnostic, miette};
use skydeck_aws::Clients;
use skydeck_aws::error::Explain;
use skydeck_aws::home::Home;
use skydeck_core::run::spec_key;
use skydeck_core::spec::{self, Platform};

use crate::context::{Account, Context};
use crate::error::Usage;
use crate::run::installed;

/// A platform file that is right.
pub(super) struct PlatformFile {
    pub(super) text: String,
    pub(super) platform: Platform,
}

impl PlatformFile {
    /// Reads and checks a file; every problem is told with the place underlined, or with `--json` as data.
    pub(super) fn read(context: &Context, path: &Path) -> miette::Result<Self> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let help = "name the platform file, such as platforms/skyfox.toml";
            Usage::new(format!("cannot read {name}: {error}"), help)
        })?;
        match spec::parse(&name, &text) {
            Ok(platform) => Ok(PlatformFile { text, platform }),
            Err(problems) => {
                context.terminal.document(&problems)?;
                Err(problems.into())
            }
        }
    }

    /// `<platform>-<environment>`.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.platform.name, self.platform.environment)
    }

    /// Uploads the file unless the same is there. Returns whether it was uploaded.
    pub(super) async fn upload(&self, clients: &Clients, account: &Account) -> miette::Result<bool> {
        if self.platform.region != clients.region {
            return Err(miette!(
                help = "set AWS_REGION to the platform's region, or change `platform.region` in the file",
                "the file's region is {}, and this command works in {}",
                self.platform.region,
                clients.region
            ));
        }
        let (bucket, key) = (account.bucket(), spec_key(&self.name()));
        let found = Home::new(&clients.s3, &bucket).read(&key, None).await.map_err(installed)?;
        if found.is_some_and(|found| found.text == self.text) {
            return Ok(false);
        }
        let body = ByteStream::from(self.text.clone().into_bytes());
        let request = clients.s3.put_object().bucket(&bucket).key(&key).content_type("application/toml").body(body);
        request.send().await.during("upload", &format!("s3://{bucket}/{key}")).into_diagnostic()?;
        Ok(true)
    }
}
