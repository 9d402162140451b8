//! The platform file on this machine: read, checked, uploaded.

use std::path::Path;

use miette::miette;
use skydeck_aws::Clients;
use skydeck_aws::home::Home;
use skydeck_core::plan::fingerprint;
use skydeck_core::preview::file_key;
use skydeck_core::spec::{self, Platform};

use crate::context::{Account, Context};
use crate::error::Usage;
use crate::run::{Uploaded, installed};

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

    /// Puts the file into skydeck's bucket, unless it is there: beside the platform's own, which only a run changes that holds
    /// the platform's lock. Returns what a run is started with.
    pub(super) async fn upload(&self, clients: &Clients, account: &Account) -> miette::Result<Uploaded> {
        self.check_region(clients)?;
        let home = Home::new(clients.s3(), &account.bucket());
        let key = file_key(&self.name(), &fingerprint(&self.text)[..12]);
        let found = home.read(&key, None).await.map_err(installed)?;
        let version = match found.filter(|found| found.text == self.text) {
            Some(found) => found.version,
            None => home.write_text(&key, self.text.clone()).await.map_err(installed)?,
        };
        Ok(Uploaded { key, version })
    }

    fn check_region(&self, clients: &Clients) -> miette::Result<()> {
        if self.platform.region != clients.region {
            return Err(miette!(
                help = "set AWS_REGION to the platform's region, or change `platform.region` in the file",
                "the file's region is {}, and this command works in {}",
                self.platform.region,
                clients.region
            ));
        }
        Ok(())
    }
}
