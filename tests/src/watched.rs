//! A sandbox of which every test sees, when it ends, whether a function was denied something or a call gave a secret away.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use skydeck_sandbox::{Options, Sandbox};

use crate::canary::canary;
use crate::permissions;

/// A sandbox that is looked at when it ends.
#[derive(Debug)]
pub struct Watched {
    sandbox: Sandbox,
    forgiving: AtomicBool,
}

impl Watched {
    /// Starts one.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start(options: &Options) -> Self {
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
        sandbox.look_for(canary());
        Watched { sandbox, forgiving: AtomicBool::new(false) }
    }

    /// What will be wrong is what the test wants to see.
    pub fn forgive(&self) {
        self.forgiving.store(true, Ordering::Relaxed);
    }
}

impl Deref for Watched {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let wrong = permissions::wrong(&self.sandbox);
        let is_asked = !self.forgiving.load(Ordering::Relaxed) && !std::thread::panicking();
        assert!(wrong.is_empty() || !is_asked, "{}", wrong.join("\n"));
    }
}
