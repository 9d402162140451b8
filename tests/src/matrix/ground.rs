//! A sandbox of its own in which cases are tried, one layer after the other: the state before a layer is brought back by
//! the layer's own destroy, and what that leaves is compared as well.

use std::cell::Cell;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use serde_json::Value;
use skydeck_aws::Clients;
use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::run::{Layer, Mode, outputs_key};
use skydeck_sandbox::{Options, Sandbox};

use super::case::{Blow, Case, Numbered, State, cases, numbered};
use super::machine::{Machine, PLATFORM, Step, Way, failure};
use super::picture::{Difference, Picture};
use crate::{root, root_keys, skyfox};

/// What the clients of a matrix call themselves.
const CALLER: &str = "fault-matrix";
/// AWS's own durations are over before the next attempt.
const SPEED: f64 = 2000.0;
/// No case takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What a clean run does and leaves at one place.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) cases: Vec<Case>,
    applied: Picture,
    destroyed: Picture,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trial {
    /// Its call never came.
    Missed,
    /// The second run failed, or did not end.
    Failed(String),
    /// The second run succeeded.
    Ended { first: First, difference: Difference },
}

/// How the run ended that was struck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum First {
    Succeeded,
    Killed,
    Failed(String),
}

/// A sandbox at a place: before a layer, or with the whole platform standing.
pub(super) struct Ground {
    sandbox: Sandbox,
    machine: Machine,
    scope: Scope,
    facts: Facts,
    place: Option<Layer>,
    /// Whether the layer stands.
    pub(super) standing: bool,
}

impl Ground {
    /// A new sandbox, on the way to nothing.
    pub(super) async fn new() -> Self {
        let options = Options { speed: SPEED, ..Options::new(root().join("target/sandbox")) };
        let sandbox = Sandbox::start(&options).await.expect("the sandbox starts");
        let config = || {
            aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new(sandbox.region().to_owned()))
                .endpoint_url(sandbox.endpoint())
                .credentials_provider(root_keys(&sandbox))
        };
        let person = Clients::load(config(), "a-person").await.s3().clone();
        let machine = Machine::install(Clients::load(config(), CALLER).await, person).await;
        let mut scope = skyfox::scope("skyfox");
        scope.platform.tags.clear();
        skyfox::bound(&Clients::load(config(), "a-person").await, &scope).await;
        Ground { sandbox, machine, scope, facts: Facts::default(), place: Some(Layer::Network), standing: false }
    }

    /// Goes on to a place: a layer, all before it standing, or `None`, all of them standing.
    pub(super) async fn go(&mut self, place: Option<Layer>) {
        let order = |place: Option<Layer>| {
            Layer::ALL.iter().position(|layer| Some(*layer) == place).unwrap_or(Layer::ALL.len())
        };
        for layer in &Layer::ALL[order(self.place)..order(place)] {
            self.place = Some(*layer);
            let mut way = self.begin(Mode::Apply).await.expect("a run begins");
            self.machine.layer(&mut way, *layer).await.expect("the layer comes to stand");
            self.facts = way.facts.clone();
            self.end(&way).await.expect("the run ends");
        }
        if self.place != place {
            (self.place, self.standing) = (place, false);
        }
    }

    async fn begin(&self, mode: Mode) -> skydeck_aws::Result<Way> {
        let mut way = self.machine.prepare(mode).await?;
        way.facts = self.facts.clone();
        Ok(way)
    }

    /// The end of a run that goes no further than this layer.
    async fn end(&self, way: &Way) -> skydeck_aws::Result<()> {
        let cause = Some(failure(Step::Conclude, "the run ends here"));
        self.machine.conclude(way, cause, &|| ()).await
    }

    /// What clean runs do here, and what they leave.
    pub(super) async fn survey(&mut self) -> Survey {
        let mut survey = Survey::default();
        let steps: &[(Mode, Step)] = match self.place {
            Some(layer) => &[(Mode::Apply, Step::Layer(layer)), (Mode::Destroy, Step::Layer(layer))],
            None => &[
                (Mode::Apply, Step::Prepare),
                (Mode::Apply, Step::Observe),
                (Mode::Apply, Step::Conclude),
                (Mode::Destroy, Step::Prepare),
                (Mode::Destroy, Step::Conclude),
            ],
        };
        for (mode, step) in steps {
            let calls = self.clean(*mode, *step).await.expect("a clean run");
            survey.cases.extend(cases(&State { mode: *mode, step: *step }, &calls, &Blow::OF_RUNS));
            if matches!(step, Step::Layer(_) | Step::Conclude) {
                let picture = self.picture().await;
                match mode {
                    Mode::Destroy => survey.destroyed = picture,
                    Mode::Plan | Mode::Apply => survey.applied = picture,
                }
            }
            self.bring_back(*mode).await;
        }
        survey
    }

    /// A run in which nothing fails; the calls of one of its states.
    async fn clean(&self, mode: Mode, step: Step) -> skydeck_aws::Result<Vec<Numbered>> {
        let mut calls = Vec::new();
        let mut way = Way::default();
        let middle = [step].into_iter().filter(|step| !matches!(step, Step::Prepare | Step::Conclude));
        for at in [Step::Prepare].into_iter().chain(middle).chain([Step::Conclude]) {
            let before = self.sandbox.last_call();
            match at {
                Step::Prepare => way = self.begin(mode).await?,
                Step::Layer(layer) => self.machine.layer(&mut way, layer).await?,
                Step::Observe => self.machine.observe(&way, &|| ()).await?,
                // A layer's run ends there; the whole one's writes the outputs.
                Step::Conclude if self.place.is_some() => self.end(&way).await?,
                Step::Conclude => self.machine.conclude(&way, None, &|| ()).await?,
            }
            if at == step {
                let own = |call: &skydeck_sandbox::Call| call.caller == CALLER;
                calls = self.sandbox.calls_since(before).into_iter().filter(own).collect();
            }
        }
        Ok(numbered(&calls))
    }

    /// The account as it is, and skydeck's records of the platform.
    async fn picture(&self) -> Picture {
        let layers: Vec<Layer> = self.place.map_or_else(|| Layer::ALL.to_vec(), |layer| vec![layer]);
        let mut picture = Picture::take(&self.machine.context.clients, &self.scope, &layers).await;
        let home = &self.machine.context.home;
        let lock: Value = home.read_json(&format!("platforms/{PLATFORM}/lock.json")).await.expect("the lock");
        let outputs: Value = home.read_json(&outputs_key(PLATFORM)).await.expect("the outputs");
        let records = [("lock", lock), ("outputs", outputs)].into_iter().filter(|(_, record)| !record.is_null());
        picture.things.insert("record", records.map(|(name, _)| name.to_owned()).collect());
        picture
    }

    /// What a destroy leaves on purpose and the next apply would find: the next trial begins as the first did.
    async fn bring_back(&mut self, mode: Mode) {
        self.standing = mode == Mode::Apply;
        if mode != Mode::Destroy || self.place != Some(Layer::Identity) {
            return;
        }
        let iam = self.machine.context.clients.iam();
        let roles = iam.list_roles().send().await.expect("roles");
        for role in roles.roles().iter().filter(|role| role.role_name().starts_with("AWSServiceRoleFor")) {
            iam.delete_role().role_name(role.role_name()).send().await.expect("a service-linked role goes");
        }
    }

    /// Tries one case: a run that is struck, then the same command again, unhampered.
    pub(super) async fn trial(&mut self, case: &Case, survey: &Survey) -> Trial {
        let result = tokio::time::timeout(LIMIT, self.tried(case, survey)).await;
        self.sandbox.clear_faults();
        result.unwrap_or_else(|_| Trial::Failed(format!("it did not end within {LIMIT:?}")))
    }

    async fn tried(&mut self, case: &Case, survey: &Survey) -> Trial {
        if let Some(layer) = self.place
            && self.standing == (case.at.mode == Mode::Apply)
        {
            let back = if self.standing { Mode::Destroy } else { Mode::Apply };
            if let Err(error) = self.clean(back, Step::Layer(layer)).await {
                return Trial::Failed(format!("on the way to it: {error}"));
            }
            self.bring_back(back).await;
        }
        let struck = match self.struck(case).await {
            Ok(struck) => struck,
            Err(error) => return Trial::Failed(format!("the run before: {error}")),
        };
        let again = match (self.place, case.at.mode) {
            (Some(layer), mode) => self.clean(mode, Step::Layer(layer)).await.map(drop),
            (None, Mode::Destroy) => self.clean(Mode::Destroy, Step::Prepare).await.map(drop),
            (None, _) => self.machine.whole(Mode::Apply).await.map(drop),
        };
        if let Err(error) = again {
            return Trial::Failed(error.to_string());
        }
        let wanted = if case.at.mode == Mode::Destroy { &survey.destroyed } else { &survey.applied };
        let difference = self.picture().await.against(wanted);
        self.bring_back(case.at.mode).await;
        match struck {
            None => Trial::Missed,
            Some(first) => Trial::Ended { first, difference },
        }
    }

    /// A run that is struck; `None` where its call never came.
    async fn struck(&self, case: &Case) -> skydeck_aws::Result<Option<First>> {
        let (sandbox, machine) = (&self.sandbox, &self.machine);
        let strikes = sandbox.strikes();
        let seen = Cell::new(0);
        let between = || {
            // From the attempt in which it struck.
            seen.set(seen.get() + u32::from(sandbox.strikes() > strikes));
            if case.blow.lags() && seen.get() >= case.blow.attempts() {
                sandbox.clear_faults();
            }
        };
        let mut way = Way::default();
        if case.at.step != Step::Prepare {
            way = self.begin(case.at.mode).await?;
        }
        sandbox.inject(case.fault(CALLER));
        let state = async {
            match case.at.step {
                Step::Prepare => way = machine.prepare_hampered(case.at.mode, &between).await?,
                Step::Layer(layer) => machine.layer_hampered(&mut way, layer, &between).await?,
                Step::Observe => machine.observe(&way, &between).await?,
                Step::Conclude => machine.conclude(&way, None, &between).await?,
            }
            Ok::<_, skydeck_aws::Error>(())
        };
        let result = tokio::select! {
            biased;
            () = sandbox.strike_after(strikes), if case.blow.kills() => None,
            result = state => Some(result),
        };
        sandbox.clear_faults();
        sandbox.quiet().await;
        if sandbox.strikes() == strikes {
            return Ok(None);
        }
        // Nobody concludes a run that was killed, or that never began.
        if let Some(result) = &result
            && case.at.step != Step::Conclude
            && way.run.is_some()
        {
            let cause = result.as_ref().err().map_or_else(|| "the run ends here".to_owned(), ToString::to_string);
            machine.conclude(&way, Some(failure(case.at.step, &cause)), &|| ()).await?;
        }
        Ok(Some(match result {
            None => First::Killed,
            Some(Ok(())) => First::Succeeded,
            Some(Err(error)) => First::Failed(format!("{}: {error}", error.error_type())),
        }))
    }
}
