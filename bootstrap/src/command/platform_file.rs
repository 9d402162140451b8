//! The platform file on this machine: read, checked, uploaded where it has changed.

use std::path::Path;

use miette::miette;
use skydeck_aws::Clients;
use skydeck_aws::home::Home;
use skydeck_core::plan::fingerprint;
use skydeck_core::preview::file_key;
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

    /// Puts the file where a plan can be made by it, unless the platform's own is the same. Returns its key.
    pub(super) async fn propose(&self, clients: &Clients, home: &Home) -> miette::Result<Option<String>> {
        self.check_region(clients)?;
        let found = home.read(&spec_key(&self.name()), None).await.map_err(installed)?;
        if found.is_some_and(|found| found.text == self.text) {
            return Ok(None);
        }
        let key = file_key(&self.name(), &fingerprint(&self.text)[..12]);
        home.write_text(&key, self.text.clone()).await.map_err(installed)?;
        Ok(Some(key))
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

    /// Uploads the file unless the same is there. Returns whether it was uploaded.
    pub(super) async fn upload(&self, clients: &Clients, account: &Account) -> miette::Result<bool> {
        self.check_region(clients)?;
        let (home, key) = (Home::new(&clients.s3, &account.bucket()), spec_key(&self.name()));
        let found = home.read(&key, None).await.map_err(installed)?;
        if found.is_some_and(|found| found.text == self.text) {
            return Ok(false);
        }
        home.write_text(&key, self.text.clone()).await.map_err(installed)?;
        Ok(true)
    }
}
