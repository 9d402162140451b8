//! What nobody can guess.

use std::sync::Arc;

use aws_sigv4::sign::v4::calculate_signature;

use crate::Error;

/// A secret: this run's, one that stands for it, or that of a key which the emulator has issued. A root signs with the
/// first.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Secret {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let random = rustls::crypto::ring::default_provider().secure_random;
        let failed = |_| Error::net("a random secret")("the system gave no random bytes".into());
        random.fill(&mut bytes).map_err(failed)?;
        Ok(Self(hex::encode(bytes).into()))
    }

    /// With what the gateway shows itself to the emulator. The emulator, which knows the secret too, makes the same of it.
    pub(crate) fn pass(&self) -> Self {
        self.keyed("pass")
    }

    /// For what the sandbox's own interface asks.
    pub(crate) fn token(&self) -> Self {
        self.keyed("admin")
    }

    /// What stands for the secret where it is shown, so that who sees it there cannot sign with it.
    fn keyed(&self, purpose: &str) -> Self {
        Self(calculate_signature(self.text(), purpose.as_bytes()).into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
