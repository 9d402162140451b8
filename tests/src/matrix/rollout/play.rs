//! One case: a rollout that is struck, and what becomes of it. Where it ends without a verdict comes what comes in life: the
//! sweep, and then the person who has asked for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use skydeck_core::rollout::ledger::{Past, Verdict};
use skydeck_sandbox::Call;
use tokio::process::Child;

use super::case::{Function, Kind, Moment};
use super::field::{Field, Run, SERVICE, SWEEP, pause};
use super::standing::Wanted;
use crate::matrix::case::Case;
use crate::matrix::ground::{First, Trial};
use crate::matrix::real::kill_function;
use crate::rollouts::pause as soon;

/// How long anything may take, in real time: a busy machine included.
const PATIENCE: Duration = Duration::from_secs(240);

/// How often the sweep is asked until it is taken for certain that nothing comes of it.
const SWEEPS: usize = 4;
/// Between two sweeps, in real time: for longer than an execution that has ended may still be writing, at the sandbox's speed.
const APART: Duration = Duration::from_secs(7);

/// A field on which rollouts are struck.
#[derive(Debug)]
pub(super) struct Play {
    pub(super) field: Field,
    /// Whether what runs is newer than what was verified before it, so that a person can go back.
    pub(super) can_go_back: bool,
}

/// A rollout on its way.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) kind: Kind,
    pub(super) wanted: Wanted,
    /// When it began, in seconds since 1970.
    at: f64,
    /// The last event before it.
    pub(super) event: u64,
    /// Executions of which the ledger knew before.
    known: BTreeSet<String>,
}

/// A rollout that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What the ledger says of it, newest first.
    pub(super) pasts: Vec<Past>,
    /// How often the sweep had to be asked.
    sweeps: usize,
    /// Executions that ended in another way than rollouts do.
    pub(super) failures: Vec<String>,
}

impl Play {
    /// A platform whose service has rolled out so often.
    pub(super) async fn new(rollouts: usize) -> Self {
        let mut play = Play { field: Field::standing().await, can_go_back: false };
        let beside = play.field.push_beside().await;
        for _ in 0..rollouts {
            play.good().await.expect("a good image rolls out");
        }
        play.field.stage.ended(&beside.digest).await;
        play
    }

    /// Rolls a good image out.
    pub(super) async fn good(&mut self) -> Result<(), String> {
        let begun = self.begin(Kind::Push).await?;
        self.follow(&begun).await.map(drop)?;
        self.can_go_back = true;
        Ok(())
    }

    /// The calls of a rollout that nothing strikes.
    pub(super) async fn clean(&mut self, kind: Kind) -> Result<Vec<Call>, String> {
        self.prepare(kind).await?;
        let before = self.field.stage.rig.sandbox.last_call();
        let begun = self.begin(kind).await?;
        // What the execution called that was stopped is a push's.
        let before = if kind == Kind::Death { self.field.stage.rig.sandbox.last_call() } else { before };
        let ended = self.follow(&begun).await?;
        let difference = self.compare(&begun, &ended, None).await;
        self.can_go_back = kind == Kind::Push || kind == Kind::Death;
        if !difference.is_none() {
            return Err(format!("a clean {kind:?} leaves {difference:#?}"));
        }
        Ok(self.field.stage.rig.sandbox.calls_since(before))
    }

    /// Tries one case.
    pub(super) async fn trial(&mut self, case: &Case<Moment>) -> Trial {
        let first = self.tried(case).await;
        if !matches!(first, Ok(Trial::Missed)) {
            return first.unwrap_or_else(Trial::Failed);
        }
        // What there is to be let go depends on what ran before.
        for _ in 0..3 {
            if let Err(error) = self.good().await {
                return Trial::Failed(format!("on the way to it: {error}"));
            }
        }
        self.tried(case).await.unwrap_or_else(Trial::Failed)
    }

    async fn tried(&mut self, case: &Case<Moment>) -> Result<Trial, String> {
        let kind = case.at.kind;
        self.prepare(kind).await.map_err(|error| format!("on the way to it: {error}"))?;
        let beside = self.field.beside().await;
        let strikes = self.field.stage.rig.sandbox.strikes();
        let is_late = kind == Kind::Death || case.at.function == Function::LookBack;
        if !is_late {
            self.field.stage.rig.sandbox.inject(case.fault(case.at.function.caller()));
        }
        let since = self.field.stage.rig.sandbox.last_call();
        let begun = self.begin(kind).await;
        let ended = match &begun {
            Ok(begun) => self.struck(case, begun, (since, strikes)).await,
            Err(error) => Err(error.clone()),
        };
        let sandbox = &self.field.stage.rig.sandbox;
        sandbox.clear_faults();
        let (begun, ended) = (begun?, ended?);
        self.can_go_back = kind == Kind::Push || kind == Kind::Death;
        if sandbox.strikes() == strikes {
            return Ok(Trial::Missed);
        }
        let mut difference = self.compare(&begun, &ended, Some(case)).await;
        let after = self.field.beside().await;
        if after != beside {
            difference.settings.push(format!("another service: {after:#} where it was {beside:#}"));
        }
        let alone = ended.sweeps == usize::from(kind == Kind::Death);
        let first = match alone {
            true => First::Succeeded,
            false if case.blow.kills() => First::Killed,
            false => First::Failed(ended.failures.join("; ")),
        };
        Ok(Trial::Ended { first, difference })
    }

    /// Follows a rollout while it is struck.
    async fn struck(&self, case: &Case<Moment>, begun: &Begun, before: (u64, u64)) -> Result<Ended, String> {
        let end = self.follow(begun);
        tokio::pin!(end);
        tokio::select! {
            biased;
            () = self.strike(case, begun, before) => end.await,
            ended = &mut end => ended,
        }
    }

    /// Arms what could not be armed before, and ends what a blow kills. `since` is the last call before the rollout.
    async fn strike(&self, case: &Case<Moment>, begun: &Begun, (since, strikes): (u64, u64)) {
        let (sandbox, function) = (&self.field.stage.rig.sandbox, case.at.function);
        if function == Function::LookBack {
            while !sandbox.calls_since(since).iter().any(|call| call.caller == "rollback") {
                soon().await;
            }
        }
        if function == Function::LookBack || case.at.kind == Kind::Death {
            sandbox.inject(case.fault(function.caller()));
        }
        if !case.blow.kills() {
            return;
        }
        sandbox.strike_after(strikes).await;
        if case.blow.stops() {
            self.stop(begun.at, function == Function::Sweep).await;
        }
        kill_function(function.caller(), sandbox.endpoint()).await;
        sandbox.quiet().await;
    }

    /// Stops what runs: sweeps or rollouts.
    async fn stop(&self, since: f64, sweeps: bool) {
        let runs = self.field.runs(since).await.into_iter().filter(|run| run.is_running() && run.is_sweep() == sweeps);
        for run in runs {
            let request = self.field.stage.rig.aws.sfn().stop_execution().execution_arn(run.arn);
            request.send().await.expect("it can be stopped");
        }
    }

    /// Brings about what a kind begins with.
    async fn prepare(&mut self, kind: Kind) -> Result<(), String> {
        if kind == Kind::Rollback && !self.can_go_back { self.good().await } else { Ok(()) }
    }

    async fn begin(&mut self, kind: Kind) -> Result<Begun, String> {
        let sandbox = &self.field.stage.rig.sandbox;
        let (at, event) = (sandbox.clock().now(), sandbox.events().last().map_or(0, |event| event.seq));
        let record = self.field.record().await;
        let mut verified = record.verified.iter().map(|verified| verified.digest.clone());
        let runs = verified.next();
        let wanted = match kind {
            Kind::Push | Kind::Death => {
                let digest = self.field.push("healthy").await.digest;
                Wanted { serves: digest.clone(), digest, verdict: Verdict::Succeeded, by_person: false, rejected: None }
            }
            Kind::BadPush => {
                let digest = self.field.push("crash").await.digest;
                let serves = runs.ok_or("nothing serves")?;
                Wanted {
                    serves,
                    verdict: Verdict::RolledBack,
                    by_person: false,
                    rejected: Some(digest.clone()),
                    digest,
                }
            }
            Kind::Rollback => {
                let before =
                    verified.find(|digest| Some(digest) != runs.as_ref()).ok_or("nothing was verified before")?;
                drop(self.ask("rollback"));
                Wanted {
                    serves: before.clone(),
                    digest: before,
                    verdict: Verdict::Succeeded,
                    by_person: true,
                    rejected: runs,
                }
            }
        };
        let known = self.field.entry(&wanted.digest).await.rollouts.into_iter().map(|past| past.execution).collect();
        let begun = Begun { kind, wanted, at, event, known };
        if kind == Kind::Death {
            self.until("the service has the image", async || self.told_of(&begun).contains("Rollout Started")).await?;
            self.stop(at, false).await;
        }
        Ok(begun)
    }

    /// A person asks for a rollout or a rollback, and waits for nothing.
    fn ask(&self, verb: &str) -> Child {
        let mut command = self.field.stage.rig.command([verb, SERVICE]);
        command.kill_on_drop(false).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().expect("skydeck can be started")
    }

    /// Kinds of the events that tell of its digest.
    fn told_of(&self, begun: &Begun) -> BTreeSet<String> {
        let events = self.field.stage.rig.sandbox.events_since(begun.event).into_iter().map(|event| event.envelope);
        let its = events.filter(|event| event.source == "skydeck" && event.detail["digest"] == *begun.wanted.digest);
        its.map(|event| event.detail_type).collect()
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) -> Result<(), String> {
        let begun = Instant::now();
        while !holds().await {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{what}: not within {PATIENCE:?}"));
            }
            pause().await;
        }
        Ok(())
    }

    /// Waits until the verdict is there and nothing goes on any more.
    async fn follow(&self, begun: &Begun) -> Result<Ended, String> {
        let deadline = Instant::now() + PATIENCE;
        let (mut sweeps, mut last) = (0, None::<Instant>);
        loop {
            pause().await;
            let runs = self.field.runs(begun.at).await;
            if Instant::now() > deadline {
                return Err(self.stuck(begun, &runs).await);
            }
            let swept = runs.iter().filter(|run| run.is_sweep()).count();
            let has_begun = swept < runs.len();
            if !has_begun || swept < sweeps || runs.iter().any(Run::is_running) {
                continue;
            }
            let entry = self.field.entry(&begun.wanted.digest).await;
            let is_new = |past: &Past| past.verdict != Verdict::Superseded && !begun.known.contains(&past.execution);
            let pasts: Vec<Past> = entry.rollouts.into_iter().filter(is_new).collect();
            let has_ended = match begun.kind {
                Kind::Rollback => pasts.first().is_some_and(|past| past.verdict == Verdict::Succeeded),
                _ => !pasts.is_empty(),
            };
            let record = self.field.record().await;
            if has_ended && record.untold.is_empty() {
                let mut failures = Vec::new();
                for run in &runs {
                    failures.extend(self.field.failure(run).await);
                }
                return Ok(Ended { pasts, sweeps, failures });
            }
            let verb = match begun.kind {
                // Who has asked for it asks again once the sweep has put right what was left.
                Kind::Rollback if !has_ended && sweeps > 0 && record.lease.is_none() => Some("rollback"),
                // Two executions have died: the sweep tells a person, and tries no more.
                Kind::Death if record.given_up(&begun.wanted.digest).is_some_and(|lease| lease.told) => Some("rollout"),
                _ => None,
            };
            if let Some(verb) = verb {
                drop(self.ask(verb));
                self.until("the command starts a rollout", async || self.field.runs(begun.at).await.len() > runs.len())
                    .await?;
            } else if sweeps == SWEEPS {
                return Err(self.stuck(begun, &runs).await);
            } else if last.is_none_or(|at| at.elapsed() > APART) {
                self.field.stage.rig.sandbox.fire(SWEEP).await.map_err(|error| error.to_string())?;
                (sweeps, last) = (sweeps + 1, Some(Instant::now()));
            }
        }
    }

    async fn stuck(&self, begun: &Begun, runs: &[Run]) -> String {
        let mut failures = Vec::new();
        for run in runs {
            failures.extend(self.field.failure(run).await);
        }
        let record = self.field.record().await;
        format!("no verdict, whatever the sweep finds: {begun:?}\n{record:?}\n{}", failures.join("\n"))
    }
}
