//! The Python environments, and a sandbox in the background.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use skydeck_sandbox::venv::{MINISTACK, Venv};
use skydeck_sandbox::{Error, Moto, Options, Running, Sandbox, serve};

#[tokio::test]
async fn an_environment_is_made_once() {
    let root = common::dir().join("venv");
    Venv::make(&root, MINISTACK, &|_| ()).await.unwrap();
    let told = Mutex::new(Vec::new());
    Venv::make(&root, MINISTACK, &|text| told.lock().unwrap().push(text.to_owned())).await.unwrap();
    // Each step that makes something is told.
    assert!(told.lock().unwrap().is_empty());
}

/// An environment without packages is quick to make: two ask for it at once, and one half made is made anew.
#[tokio::test]
async fn an_environment_is_made_by_one_of_two_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("venv");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    let told = Mutex::new(0);
    let count = |text: &str| *told.lock().unwrap() += i32::from(text == "making a Python environment");
    let (first, second) = tokio::join!(Venv::make(&root, "", &count), Venv::make(&root, "", &count));
    assert!(first.unwrap().python().exists() && second.is_ok());
    assert_eq!(*told.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_sandbox_in_the_background_is_found_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    // The environment is shared, the rest is this test's own.
    std::fs::create_dir_all(common::dir()).unwrap();
    let venv = common::dir();
    Venv::make(&venv.join("venv"), MINISTACK, &|_| ()).await.unwrap();
    let options = Options { venv: Some(venv.join("venv")), ..Options::new(dir.path()) };
    assert!(matches!(Running::find(dir.path()).await, Err(Error::NotRunning(_))));
    let serving = tokio::spawn({
        let options = options.clone();
        async move { serve(&options, &|_| ()).await }
    });
    let running = Running::wait(dir.path(), Duration::from_secs(60)).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("state.json")), 0o600, "it holds the secret");
    let secret = &running.credentials().secret_access_key;
    let shown = format!("{running:?} {:?} {}", running.credentials(), serde_json::to_string(running.state()).unwrap());
    assert!(shown.contains("127.0.0.1") && !shown.contains(secret), "{shown}");
    let made = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let runs: Vec<_> = made.filter(|path| path.is_dir()).map(|path| mode(&path)).collect();
    assert_eq!(runs, [0o700], "what runs there is nobody else's");
    assert!(matches!(serve(&options, &|_| ()).await, Err(Error::Running { .. })));
    assert_eq!(running.admin().status().await.unwrap().region, "ap-south-1");
    running.stop().await.unwrap();
    serving.await.unwrap().unwrap();
    assert!(matches!(Running::find(dir.path()).await, Err(Error::NotRunning(_))));
}

/// A schedule starts functions for ever: only people, who have no temporary keys, keep a sandbox up.
#[tokio::test]
async fn what_functions_call_does_not_keep_a_sandbox_up() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(common::dir()).unwrap();
    let venv = common::dir().join("venv");
    Venv::make(&venv, MINISTACK, &|_| ()).await.unwrap();
    let options = Options { venv: Some(venv), idle: Duration::from_secs(2), ..Options::new(dir.path()) };
    let serving = tokio::spawn(async move { serve(&options, &|_| ()).await });
    let running = Running::wait(dir.path(), Duration::from_secs(60)).await.unwrap();
    let root = running.credentials().clone();
    let root = aws_credential_types::Credentials::new(root.access_key_id, root.secret_access_key, None, None, "test");
    let root = common::config(&running.state().endpoint, "skydeck-test", root).await;
    let keys = aws_sdk_sts::Client::new(&root).get_session_token().send().await.unwrap().credentials.unwrap();
    let token = Some(keys.session_token);
    let keys = aws_credential_types::Credentials::new(keys.access_key_id, keys.secret_access_key, token, None, "test");
    let ec2 = aws_sdk_ec2::Client::new(&common::config(&running.state().endpoint, "skydeck-test", keys).await);
    let calling = async {
        loop {
            let _ = ec2.describe_vpcs().send().await;
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(20), serving) => ended.unwrap().unwrap().unwrap(),
        () = calling => {}
    }
}

#[tokio::test]
async fn the_emulator_ends_with_the_sandbox() {
    let sandbox: Sandbox = common::sandbox().await;
    let pid = sandbox.emulator_pid().unwrap();
    let alive = || std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists() && !is_zombie(pid);
    assert!(alive());
    let run = sandbox.dir().to_owned();
    sandbox.stop();
    common::until("ending", || async { !alive() }).await;
    assert!(!run.exists());
}

fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn moto_answers() {
    let moto = Moto::start(&common::dir(), &|_| ()).await.unwrap();
    let keys = aws_credential_types::Credentials::new("a", "b", None, None, "test");
    let config = common::config(&moto.endpoint(), "skydeck-test", keys).await;
    let vpcs = aws_sdk_ec2::Client::new(&config).describe_vpcs().send().await.unwrap();
    assert!(!vpcs.vpcs().is_empty());
}

#[tokio::test]
async fn an_environment_is_the_same_by_another_way() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("a")).unwrap();
    let told = Mutex::new(0);
    let count = |text: &str| *told.lock().unwrap() += i32::from(text == "making a Python environment");
    Venv::make(&dir.path().join("venv"), "", &count).await.unwrap();
    Venv::make(&dir.path().join("a/../venv"), "", &count).await.unwrap();
    assert_eq!(*told.lock().unwrap(), 1);
}
