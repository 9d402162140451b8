//! Which skydeck is installed: one small object in the bucket, written when everything else is there.

use serde::{Deserialize, Serialize};
use skydeck_aws::error::tolerate;
use skydeck_aws::home::Home;
use skydeck_aws::{Clients, Result};

use super::Plan;
use super::step::{Change, Step};
use crate::context::Account;

/// Where it lies.
pub(super) const KEY: &str = "installation.json";

/// A version of skydeck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version of the release.
    pub version: String,
    /// The commit, where the build knew it: see `build.rs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Version {
    /// The version of this command.
    #[must_use]
    pub fn here() -> Self {
        Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("SKYDECK_COMMIT").map(ToOwned::to_owned),
        }
    }
}

impl Version {
    /// Whether its release came after that other one. Of two builds of one release nobody can tell.
    #[must_use]
    pub fn is_newer_than(&self, other: &Version) -> bool {
        let number = |version: &Version| semver::Version::parse(&version.version).ok();
        number(self) > number(other)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.commit {
            Some(commit) => write!(f, "{} ({commit})", self.version),
            None => f.write_str(&self.version),
        }
    }
}

/// The version that is installed; none where none is, or one of before versions were told.
///
/// # Errors
/// Where S3 refuses, or a newer skydeck has written it.
pub async fn installed(clients: &Clients, account: &Account) -> Result<Option<Version>> {
    Home::new(clients.s3(), &account.bucket()).read_json(KEY).await
}

pub(super) async fn look<'a>(clients: &'a Clients, plan: &Plan<'a>) -> Result<Step<'a>> {
    let (here, home) = (Version::here(), Home::new(clients.s3(), &plan.account.bucket()));
    // The bucket is made only when this is written.
    let found = tolerate(installed(clients, plan.account).await, &["NoSuchBucket"])?.flatten();
    let change = found.map_or(Change::Created, |found| Change::updated_if(found != here));
    Ok(Step::new("record", KEY, change, async move { home.write_json(KEY, &here).await }))
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        let version = |text: &str| Version { version: text.to_owned(), commit: None };
        assert!(version("0.10.0").is_newer_than(&version("0.9.1")));
        assert!(!version("0.9.1").is_newer_than(&version("0.9.1")));
        assert!(!version("nightly").is_newer_than(&version("0.1.0")));
    }
}
