//! The same cases through the real machine: the command, the state machine, and the functions as processes of their own.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use skydeck_core::Scope;
use skydeck_core::run::{Layer, Mode};
use tokio::process::Child;

use super::case::Case;
use super::ground::{First, Trial};
use super::picture::Picture;
use crate::{Rig, skyfox};

/// AWS's own durations are short, and yet longer than a call.
const SPEED: f64 = 100.0;
/// No command takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// How a run is killed at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Somebody stops the execution; the function is ended some time after it.
    Stopped,
    /// The function's process dies; the execution tells so.
    Crashed,
}

/// A sandbox with skydeck installed.
#[derive(Debug)]
pub struct Real {
    rig: Rig,
    scope: Scope,
    applied: Picture,
    destroyed: Picture,
    standing: bool,
}

impl Real {
    /// Installs, and makes clean runs to see what they leave.
    ///
    /// # Panics
    /// Where one of these fails.
    pub async fn new() -> Self {
        let rig = Rig::installed_at(Some(SPEED)).await;
        let mut scope = skyfox::scope("skyfox");
        scope.platform.tags.clear();
        let (applied, destroyed) = Default::default();
        let mut real = Real { rig, scope, applied, destroyed, standing: false };
        // Only once they have run have the functions made their log groups.
        for _ in 0..2 {
            real.command(Mode::Apply).await.expect("a clean apply");
            real.applied = real.picture().await;
            real.command(Mode::Destroy).await.expect("a clean destroy");
            real.destroyed = real.picture().await;
            real.bring_back(Mode::Destroy).await;
        }
        real
    }

    pub(super) fn is_standing(&self) -> bool {
        self.standing
    }

    async fn picture(&self) -> Picture {
        Picture::take(&self.rig.aws, &self.scope, &Layer::ALL).await
    }

    fn start(&self, mode: Mode) -> Child {
        let arguments: &[&str] = match mode {
            Mode::Destroy => &["destroy", "skyfox-devprod", "--yes"],
            Mode::Plan | Mode::Apply => &["apply", "platforms/skyfox.toml"],
        };
        let mut command = self.rig.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("skydeck can be started")
    }

    async fn ended(&self, child: Child) -> Result<(), String> {
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output =
            ended.map_err(|_| format!("it did not end within {LIMIT:?}"))?.map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    async fn command(&self, mode: Mode) -> Result<(), String> {
        self.ended(self.start(mode)).await
    }

    /// As with a ground: service-linked roles outlive a destroy, and would not be made again.
    async fn bring_back(&mut self, mode: Mode) {
        self.standing = mode == Mode::Apply;
        if self.standing {
            return;
        }
        let iam = self.rig.aws.iam();
        let roles = iam.list_roles().send().await.expect("roles");
        for role in roles.roles().iter().filter(|role| role.role_name().starts_with("AWSServiceRoleFor")) {
            iam.delete_role().role_name(role.role_name()).send().await.expect("a service-linked role goes");
        }
    }

    /// Tries one case: a run that is struck, then the same command again.
    pub(super) async fn trial(&mut self, case: &Case, death: Death) -> Trial {
        if self.standing == (case.at.mode == Mode::Apply) {
            let back = if self.standing { Mode::Destroy } else { Mode::Apply };
            if let Err(error) = self.command(back).await {
                return Trial::Failed(format!("on the way to it: {error}"));
            }
            self.bring_back(back).await;
        }
        let strikes = self.rig.sandbox.strikes();
        let first = self.struck(case, death).await;
        self.rig.sandbox.clear_faults();
        if self.rig.sandbox.strikes() == strikes {
            self.bring_back(case.at.mode).await;
            return Trial::Missed;
        }
        if let Err(error) = self.command(case.at.mode).await {
            return Trial::Failed(error);
        }
        let wanted = if case.at.mode == Mode::Destroy { &self.destroyed } else { &self.applied };
        let difference = self.picture().await.against(wanted);
        self.bring_back(case.at.mode).await;
        Trial::Ended { first, difference }
    }

    async fn struck(&self, case: &Case, death: Death) -> First {
        let sandbox = &self.rig.sandbox;
        let strikes = sandbox.strikes();
        sandbox.inject(case.fault(case.state()));
        let child = self.start(case.at.mode);
        let ended = self.ended(child);
        tokio::pin!(ended);
        let result = tokio::select! {
            biased;
            () = sandbox.strike_after(strikes), if case.blow.kills() => None,
            result = &mut ended => Some(result),
        };
        match result {
            Some(Ok(())) => First::Succeeded,
            Some(Err(error)) => First::Failed(error),
            None => {
                if death == Death::Stopped {
                    self.stop_execution().await;
                }
                kill_function(case.state(), sandbox.endpoint()).await;
                // How it ended, the command tells; that it ended is all that counts here.
                let _ = ended.await;
                sandbox.quiet().await;
                First::Killed
            }
        }
    }

    async fn stop_execution(&self) {
        let sfn = self.rig.aws.sfn();
        let machines = sfn.list_state_machines().send().await.expect("state machines");
        for machine in machines.state_machines() {
            let running = sfn.list_executions().state_machine_arn(machine.state_machine_arn());
            let running = running.status_filter(ExecutionStatus::Running).send().await.expect("executions");
            for execution in running.executions() {
                sfn.stop_execution().execution_arn(execution.execution_arn()).send().await.expect("it can be stopped");
            }
        }
    }
}

/// Ends the process of a function, as Lambda does after its time.
///
/// # Panics
/// Where it has none.
pub async fn kill_function(name: &str, endpoint: &str) {
    let wanted = [format!("AWS_LAMBDA_FUNCTION_NAME=skydeck-{name}"), format!("AWS_ENDPOINT_URL={endpoint}")];
    let processes = fs::read_dir("/proc").expect("a list of processes").flatten();
    let mut killed = 0;
    for process in processes {
        // Others' processes cannot be read, and some end meanwhile.
        let Ok(environment) = fs::read(process.path().join("environ")) else { continue };
        let has = |line: &String| environment.split(|byte| *byte == 0).any(|found| found == line.as_bytes());
        if wanted.iter().all(has) {
            let pid = process.file_name();
            let status = tokio::process::Command::new("kill").arg("-KILL").arg(pid).status().await;
            killed += usize::from(status.expect("kill can be started").success());
        }
    }
    assert!(killed > 0, "no process of {name} runs");
}
