//! A platform in an account, as the verbs about rollouts need it.

use skydeck_aws::home::Home;
use skydeck_aws::run::Context as Backend;
use skydeck_aws::{Clients, Error};
use skydeck_core::rollout::ledger::Keys;

use crate::context::{Account, Context};
use crate::error::Usage;
use crate::run::{installed, only_platform};

/// A platform, and what reaches its records.
pub(super) struct Site {
    pub(super) clients: Clients,
    pub(super) account: Account,
    pub(super) backend: Backend,
    pub(super) platform: String,
    /// ARN of the state machine `rollout`.
    pub(super) machine: String,
}

impl Site {
    /// The platform that is named, or the only one.
    pub(super) async fn find(context: &Context, platform: Option<&str>) -> miette::Result<Site> {
        let (clients, account) = context.connect().await?;
        let home = Home::new(clients.s3(), &account.bucket());
        let platform = match platform {
            Some(platform) => platform.to_owned(),
            None => only_platform(context, &home).await?,
        };
        let (backend, machine) = (Backend { clients: clients.clone(), home }, account.machine("rollout"));
        Ok(Site { clients, account, backend, platform, machine })
    }

    /// Where the records of a service lie.
    pub(super) fn keys<'a>(&'a self, service: &'a str) -> Keys<'a> {
        Keys { platform: &self.platform, service }
    }
}

/// An error of these records. A service or platform that is not there is the caller's mistake.
pub(super) fn told(error: Error) -> miette::Report {
    match error {
        Error::Input(message) => Usage::new(message, "see `skydeck rollouts`").into(),
        error => installed(error),
    }
}

/// The digest that a word means, with `sha256:`; `None` where it is none.
pub(super) fn digest(word: &str) -> Option<String> {
    let hash = word.strip_prefix("sha256:").unwrap_or(word);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (hash.len() == 64 && hash.bytes().all(is_hex)).then(|| format!("sha256:{hash}"))
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn a_digest_is_known_with_and_without_its_algorithm() {
        let hash = "0f".repeat(32);
        assert_eq!(digest(&hash), Some(format!("sha256:{hash}")));
        assert_eq!(digest(&format!("sha256:{hash}")), Some(format!("sha256:{hash}")));
        for word in ["", "v1.2.0", "sha256:", &hash[1..], &hash.to_uppercase(), &format!("repository@sha256:{hash}")] {
            assert_eq!(digest(word), None, "{word}");
        }
    }
}
