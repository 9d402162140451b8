//! The command and a sandbox in the background.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and is no Lambda")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use skydeck_sandbox::venv::{MINISTACK, Venv};
use tempfile::TempDir;

/// A place in which a sandbox is started, and ended however the test ends.
struct Place(TempDir);

impl Place {
    /// The Python environment is shared with other tests, the rest is this test's own.
    async fn new() -> Self {
        let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/sandbox");
        std::fs::create_dir_all(&shared).unwrap();
        let venv = shared.canonicalize().unwrap().join("venv");
        Venv::make(&venv, MINISTACK, &|_| ()).await.unwrap();
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.sandbox()).unwrap();
        std::os::unix::fs::symlink(venv, place.sandbox().join("venv")).unwrap();
        place
    }

    fn sandbox(&self) -> PathBuf {
        self.0.path().join("sandbox")
    }

    /// All that `skydeck sandbox <verb>` prints, with `--json` and without.
    fn prints(&self, verb: &str) -> [String; 2] {
        [&["--json"][..], &[]].map(|json| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
            command.args(["sandbox", verb]).args(json).env("CARGO_TARGET_DIR", self.0.path());
            let ended = command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap();
            let text = String::from_utf8(ended.stdout).unwrap() + &String::from_utf8(ended.stderr).unwrap();
            assert!(ended.status.success(), "{text}");
            text
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.prints("down");
    }
}

// fidelity: F-GUARD-8
#[tokio::test]
async fn only_env_prints_the_secret() {
    let place = Place::new().await;
    // The first starts it, the second finds that it runs.
    let mut printed = Vec::from(place.prints("up"));
    let state: Value = serde_json::from_slice(&std::fs::read(place.sandbox().join("state.json")).unwrap()).unwrap();
    let secret = state["credentials"]["secret_access_key"].as_str().unwrap();
    printed.extend(place.prints("status"));
    for text in printed {
        assert!(text.contains(state["endpoint"].as_str().unwrap()) && !text.contains(secret), "{text}");
    }
    assert!(place.prints("env").iter().all(|text| text.contains(secret)));
    assert!(!std::fs::read_to_string(place.sandbox().join("serve.log")).unwrap().contains(secret));
}
