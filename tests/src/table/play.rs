//! One case, from what ran before to what serves at the end.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skydeck_aws::Clients;
use skydeck_core::rollout::ledger::Verdict;
use skydeck_sandbox::{ACCOUNT, EventFault, Fault, FaultKind, Image};
use tokio::sync::Barrier;

use super::case::{Before, Case, Kind, Step, Told};
use super::field::{Field, parameter, repository};
use super::hands;
use super::report::{Outcome, Rollout};
use super::watch::{Run, pause};

/// How long anything may take until a case is given up, in real time: a busy machine included.
const PATIENCE: Duration = Duration::from_secs(300);

/// After so long without anything going on, nothing comes any more: an apply may take some seconds to its first rollout.
const QUIET: Duration = Duration::from_secs(30);

/// An image that was pushed.
struct Known {
    behaves: &'static str,
    digest: String,
}

/// A case that goes on.
pub(super) struct Play<'a> {
    field: &'a Field,
    case: &'a Case,
    service: String,
    together: &'a Barrier,
    images: BTreeMap<&'static str, Known>,
    /// Rollouts that had started before the case itself began.
    begun: usize,
    /// Those that had ended.
    over: usize,
}

/// A rollout that skydeck told of.
struct Ending {
    image: &'static str,
    verdict: Verdict,
    rejected: bool,
    execution: String,
}

impl<'a> Play<'a> {
    pub(super) fn new(field: &'a Field, case: &'a Case, service: String, together: &'a Barrier) -> Self {
        Play { field, case, service, together, images: BTreeMap::new(), begun: 0, over: 0 }
    }

    /// Plays it to its end; what is not as the label says is in the outcome.
    pub(super) async fn run(mut self) -> Outcome {
        let mut wrong = Vec::new();
        if let Err(error) = self.play(&mut wrong).await {
            wrong.push(error);
        }
        let rollouts = self.endings().into_iter().map(|ending| self.rollout(&ending)).collect();
        if !self.case.kind.is_apart() {
            self.rest().await;
        }
        Outcome { case: self.case.name(), kind: self.case.kind, rollouts, wrong }
    }

    async fn play(&mut self, wrong: &mut Vec<String>) -> Result<(), String> {
        self.begin().await?;
        (self.begun, self.over) = (self.started(), self.endings().len());
        let since = self.field.stage.rig.sandbox.clock().now();
        for step in &self.case.steps {
            self.step(step).await?;
        }
        self.end().await?;
        let (missing, surplus) = self.compare();
        wrong.extend(missing.iter().map(|told| format!("{} was not told as {}", told.image, told.verdict.words())));
        wrong.extend(surplus.iter().map(|(image, verdict)| format!("{image} was told as {}", verdict.words())));
        let started = self.started() - self.begun;
        if !self.case.started.contains(&started) {
            wrong.push(format!("{started} rollouts started, not {:?}", self.case.started));
        }
        wrong.extend(self.reasons());
        let serves = self.field.stage.serving(&self.service).await;
        let wanted = self.case.serves.and_then(|image| Some(self.images.get(image)?.digest.clone()));
        if serves != wanted {
            let name = |digest: Option<&String>| digest.map_or("nothing", |digest| self.name(digest));
            wrong.push(format!("{} serves, not {}", name(serves.as_ref()), name(wanted.as_ref())));
        }
        if matches!(self.case.before, Before::Good | Before::Rejected) && self.case.gap.is_none() {
            wrong.extend(self.fewest(since).await?);
        }
        Ok(())
    }

    /// Waits until all has ended as the label says, or otherwise: what has come instead is told later.
    async fn end(&self) -> Result<(), String> {
        let quiet = Cell::new(Instant::now());
        let is_over = || {
            if !self.is_quiet() {
                quiet.set(Instant::now());
                return false;
            }
            self.compare().0.is_empty() || quiet.get().elapsed() > QUIET
        };
        self.until("all rollouts end", is_over).await
    }

    /// Brings about what ran before.
    async fn begin(&mut self) -> Result<(), String> {
        let images: &[(&str, &str, Verdict)] = match self.case.before {
            Before::Nothing => &[],
            Before::Good => &[("v1", "healthy", Verdict::Succeeded)],
            Before::Rejected => &[("v1", "healthy", Verdict::Succeeded), ("v2", "crash", Verdict::RolledBack)],
            Before::OnlyRejected => &[("v1", "crash", Verdict::RolledBack)],
        };
        for (number, (image, behaves, verdict)) in images.iter().enumerate() {
            self.push(image, image, behaves).await?;
            self.until("what ran before has come up", || self.is_quiet() && self.endings().len() > number).await?;
            let endings = self.endings();
            if endings.len() != number + 1 || endings[number].verdict != *verdict {
                let told: Vec<_> = endings.iter().map(|ending| (ending.image, ending.verdict)).collect();
                return Err(format!("before it began: {told:?}; {:?}", self.failures()));
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Push { image, tag, behaves } => self.push(image, tag, behaves).await,
            Step::Again { image, tag } => {
                let known = self.images.get(image).ok_or_else(|| format!("{image} was not pushed"))?;
                self.push(image, tag, known.behaves).await
            }
            Step::Event { image, kind, set } => self.event(image, kind, set).await,
            Step::Disturb(kind, times) => {
                // By its tags: the parts of an index have none.
                let fault = EventFault::next(kind.clone()).matching(&format!("{}.", self.service)).times(*times);
                self.field.stage.rig.sandbox.disturb(fault);
                Ok(())
            }
            Step::Started(count) => self.until("a rollout starts", || self.started() - self.begun >= *count).await,
            Step::Settled => self.until("everything ends", || self.is_quiet()).await,
            Step::Sweep => self.sweep().await,
            Step::Stop => self.stop().await,
            Step::Command(words) => self.command(words).await,
            Step::Parameter(Some(value)) => self.field.give(&self.service, value).await,
            Step::Parameter(None) => self.field.forget(&self.service).await,
            Step::Deregister => hands::deregister(self.aws(), &self.service).await,
            Step::Delete { image } => {
                let known = self.images.get(image).ok_or_else(|| format!("{image} was not pushed"))?;
                hands::delete(self.aws(), &repository(&self.service), &known.digest).await
            }
            Step::Scale(count) => hands::scale(self.aws(), &self.service, *count).await,
            Step::Remake => hands::remake(self.aws(), &self.service).await,
            Step::Refuse { function, call, says, times } => {
                self.refuse(function, *call, *says, *times);
                Ok(())
            }
            Step::Apply => self.gather().await,
            Step::Forbid | Step::Allow => {
                self.gather().await?;
                self.gather().await
            }
        }
    }

    async fn push(&mut self, image: &'static str, tag: &str, behaves: &'static str) -> Result<(), String> {
        let pushed = self.image(image, behaves);
        let tag = format!("{}.{tag}", self.service);
        let sandbox = &self.field.stage.rig.sandbox;
        let done = sandbox.push(&repository(&self.service), &tag, &pushed).await.map_err(|error| error.to_string())?;
        self.images.insert(image, Known { behaves, digest: done.digest });
        Ok(())
    }

    fn aws(&self) -> &Clients {
        &self.field.stage.rig.aws
    }

    fn refuse(&self, function: &str, (service, action): (&str, &str), (code, message): (&str, &str), times: u32) {
        let kind = FaultKind::Error { status: 400, code: code.to_owned(), message: message.to_owned() };
        // An execution is named by nothing of the service.
        let on = if service == "states" { "" } else { self.service.as_str() };
        let fault = Fault::next(service, action, kind).by(function).on(on).from(1, times);
        self.field.stage.rig.sandbox.inject(fault);
    }

    /// Starts the state machine as EventBridge does for an event.
    async fn event(&self, image: &str, kind: &str, set: &[(&str, Option<&str>)]) -> Result<(), String> {
        let known = self.images.get(image).ok_or_else(|| format!("{image} was not pushed"))?;
        let mut detail = json!({
            "result": "SUCCESS", "action-type": "PUSH", "repository-name": repository(&self.service),
            "image-digest": known.digest, "image-tag": format!("{}.{image}", self.service),
        });
        for (key, value) in set {
            match value {
                Some(value) => detail[*key] = Value::from(*value),
                None => drop(detail.as_object_mut().and_then(|detail| detail.remove(*key))),
            }
        }
        let event = json!({
            "version": "0", "id": "an-event", "detail-type": kind, "source": "aws.ecr", "account": ACCOUNT,
            "region": "ap-south-1", "resources": [], "detail": detail,
        });
        let machine = format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-rollout");
        let request = self.field.stage.rig.aws.sfn().start_execution().state_machine_arn(machine);
        let begun = request.input(event.to_string()).send().await.map_err(|error| format!("{error:?}"))?;
        let is_seen = || self.field.runs().iter().any(|run| run.arn == begun.execution_arn() && !run.is_running());
        self.until("the event's execution ends", is_seen).await
    }

    /// Half of the services push plain images, the others such as `docker buildx` makes: with an index.
    fn image(&self, name: &str, behaves: &str) -> Image {
        let image =
            Image::new(name).behaving(behaves).serving(&json!({ "*": { "status": self.case.status, "body": name } }));
        let image = if self.case.programs.is_empty() { image } else { image.having(self.case.programs) };
        let image = if behaves == "unsaid" { image.unsaid() } else { image };
        let as_it_is = matches!(behaves, "amd64" | "unsaid");
        if self.service.ends_with(['0', '3', '6', '9']) && !as_it_is { image.plain() } else { image }
    }

    async fn gather(&self) -> Result<(), String> {
        let came = tokio::time::timeout(PATIENCE, self.together.wait()).await;
        came.map(drop).map_err(|_| "the other cases never came".to_owned())
    }

    async fn sweep(&self) -> Result<(), String> {
        let ended = || self.field.runs().iter().filter(|run| run.is_sweep() && !run.is_running()).count();
        let before = self.field.runs().iter().filter(|run| run.is_sweep()).count();
        self.field.stage.rig.sandbox.fire("skydeck-sweep").await.map_err(|error| error.to_string())?;
        self.until("the sweep ends", || ended() > before).await
    }

    async fn stop(&self) -> Result<(), String> {
        for run in self.runs().into_iter().filter(Run::is_running) {
            let request = self.field.stage.rig.aws.sfn().stop_execution().execution_arn(run.arn);
            request.send().await.map_err(|error| format!("{error:?}"))?;
        }
        Ok(())
    }

    async fn command(&self, words: &[&str]) -> Result<(), String> {
        let filled = words.iter().map(|word| match word.strip_prefix("DIGEST:") {
            Some(image) => self.images.get(image).map(|known| known.digest.clone()).unwrap_or_default(),
            None => word.replace("SERVICE", &self.service),
        });
        let ended = self.field.stage.rig.skydeck(filled).await;
        let told = || format!("{}: {}{}", words.join(" "), ended.stdout, ended.stderr);
        if ended.code == Some(0) { Ok(()) } else { Err(told()) }
    }

    async fn until(&self, what: &str, is: impl Fn() -> bool) -> Result<(), String> {
        let begun = Instant::now();
        while !is() {
            if begun.elapsed() > PATIENCE {
                let running: Vec<String> = self.runs().into_iter().filter(Run::is_running).map(|run| run.arn).collect();
                return Err(format!("{what}: not within {PATIENCE:?}; running: {running:?}"));
            }
            pause().await;
        }
        Ok(())
    }

    fn runs(&self) -> Vec<Run> {
        let repository = repository(&self.service);
        self.field.runs().into_iter().filter(|run| run.is_of(&self.service, &repository)).collect()
    }

    /// Whether every event has come and every execution has ended.
    fn is_quiet(&self) -> bool {
        let runs = self.field.runs();
        let repository = repository(&self.service);
        let busy = |run: &Run| run.is_running() && (run.is_of(&self.service, &repository) || run.is_sweep());
        if runs.iter().any(busy) {
            return false;
        }
        let dead = self.case.kind == Kind::DeadLetters;
        [repository.clone(), parameter(&self.service)].iter().all(|name| {
            let events = self.field.stage.rig.sandbox.events().into_iter().filter(|event| {
                let detail = &event.envelope.detail;
                // The parts of an index and what skydeck tags itself start nothing.
                let tag = detail["image-tag"].as_str().unwrap_or_default();
                let is_push = detail["action-type"] == "PUSH" && !tag.is_empty() && !tag.starts_with("skydeck-");
                let starts = is_push || detail["operation"] == "Create" || detail["operation"] == "Update";
                starts && (detail["repository-name"] == *name || detail["name"] == *name)
            });
            let (waiting, delivered) = events
                .fold((0, 0), |(waiting, delivered), event| (waiting + event.waiting, delivered + event.delivered));
            let came = runs.iter().filter(|run| run.is_told_by(name)).count();
            waiting == 0 && (dead || u32::try_from(came).unwrap_or(u32::MAX) >= delivered)
        })
    }

    fn events(&self, is: impl Fn(&str) -> bool) -> Vec<Value> {
        let events = self.field.stage.rig.sandbox.events().into_iter().map(|event| event.envelope);
        let ours = events.filter(|event| event.source == "skydeck" && event.detail["service"] == self.service);
        let mut seen = BTreeSet::new();
        let details = ours.filter(|event| is(&event.detail_type)).map(|event| {
            let mut detail = event.detail;
            detail["kind"] = Value::from(event.detail_type);
            detail
        });
        // An event may be told twice.
        details.filter(|detail| seen.insert(detail["execution"].to_string())).collect()
    }

    fn started(&self) -> usize {
        self.events(|kind| kind == "Rollout Started").len()
    }

    fn endings(&self) -> Vec<Ending> {
        let ended = self.events(|kind| kind != "Rollout Started");
        let ending = |detail: &Value| {
            let verdict = match detail["kind"].as_str()? {
                "Rollout Succeeded" => Verdict::Succeeded,
                "Rollout Rolled Back" => Verdict::RolledBack,
                "Rollout Superseded" => Verdict::Superseded,
                "Rollout Unverified" => Verdict::Unverified,
                _ => Verdict::Refused,
            };
            let image = self.name(detail["digest"].as_str()?);
            let execution = detail["execution"].as_str()?.to_owned();
            Some(Ending { image, verdict, rejected: detail["rejected"] == true, execution })
        };
        ended.iter().filter_map(ending).collect()
    }

    fn rollout(&self, ending: &Ending) -> Rollout {
        let took = self.runs().into_iter().find(|run| run.arn == ending.execution).map(|run| run.seconds);
        let speed = self.field.stage.rig.sandbox.clock().speed();
        Rollout {
            behaves: self.images.get(ending.image).map_or("unknown", |known| known.behaves).to_owned(),
            verdict: ending.verdict,
            rejected: ending.rejected,
            seconds: took.unwrap_or_default() * speed,
            by_a_person: self.case.kind == Kind::People,
        }
    }

    fn name(&self, digest: &str) -> &'static str {
        self.images.iter().find(|(_, known)| known.digest == digest).map_or("another image", |(name, _)| *name)
    }

    /// What should have been told and was not, and what was told and should not have been.
    fn compare(&self) -> (Vec<Told>, Vec<(&'static str, Verdict)>) {
        let mut told: Vec<(&'static str, Verdict)> =
            self.endings().into_iter().skip(self.over).map(|ending| (ending.image, ending.verdict)).collect();
        let mut take = |wanted: &Told| {
            let found = told.iter().position(|(image, verdict)| (*image, *verdict) == (wanted.image, wanted.verdict));
            found.map(|found| told.remove(found)).is_some()
        };
        let certain = self.case.told.iter().filter(|told| told.certain);
        let missing: Vec<Told> = certain.filter(|wanted| !take(wanted)).cloned().collect();
        for perhaps in self.case.told.iter().filter(|told| !told.certain) {
            take(perhaps);
        }
        (missing, told)
    }

    /// Executions that ended otherwise than a rollout may, and reasons that were not given.
    fn reasons(&self) -> Vec<String> {
        let runs = self.runs();
        let given: Vec<&str> = runs.iter().filter_map(Run::ignored).collect();
        let missing = self.case.ignored.iter().filter(|reason| !given.iter().any(|given| given.contains(**reason)));
        let missing = missing.map(|reason| format!("nobody said `{reason}`, but {given:?}"));
        missing.chain(self.failures()).collect()
    }

    fn failures(&self) -> Vec<String> {
        let is_meant = |run: &Run| run.error.is_empty() || run.error == "RolledBack" || run.error == "Refused";
        let failed = self.runs().into_iter().filter(|run| !run.is_running() && !is_meant(run));
        failed.map(|run| format!("{} ended with {}: {}", run.arn, run.error, run.cause)).collect()
    }

    async fn fewest(&self, since: f64) -> Result<Option<String>, String> {
        let aws = &self.field.stage.rig.aws;
        let request = aws.ecs().describe_services().cluster("skyfox-devprod").services(&self.service);
        let found = request.send().await.map_err(|error| format!("{error:?}"))?;
        let balancers = found.services().iter().flat_map(|service| service.load_balancers());
        let group = balancers.filter_map(|balancer| balancer.target_group_arn()).next();
        let group = group.ok_or("the service has no target group")?;
        let (fewest, wanted) =
            (self.field.stage.rig.sandbox.target_history(group).fewest_healthy(since), self.case.size.fewest());
        Ok((fewest < wanted).then(|| format!("only {fewest} targets were healthy at some moment, not {wanted}")))
    }

    /// What is not looked at any more need not run.
    async fn rest(&self) {
        let request = self.field.stage.rig.aws.ecs().update_service().cluster("skyfox-devprod").service(&self.service);
        let _ = request.desired_count(0).send().await;
    }
}
