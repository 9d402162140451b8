//! One layer's part of the matrix.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skydeck_aws::execute::Made;
use skydeck_aws::layer::Work;
use skydeck_core::plan::{Action, Describe, Plan, StepId};
use skydeck_core::run::Layer;

use super::exceptions::{Exception, exception};
use super::invert::{filled, invert};
use super::spot::{Kind, Spot, at, spots};
use super::{Excepted, Options, Report, Told, hands, rollout};
use crate::account::Account;

/// The matrix as far as it has run.
pub(crate) struct Matrix<'a> {
    pub(crate) options: &'a Options,
    pub(crate) tell: &'a dyn Fn(&str),
    pub(crate) report: Report,
}

impl Matrix<'_> {
    /// Brings a layer up, and changes everything in it behind its back.
    pub(crate) async fn layer<W: Work>(&mut self, account: &mut Account)
    where
        W::World: Serialize + DeserializeOwned,
        W::Change: Serialize + DeserializeOwned,
    {
        if let Err(error) = account.apply::<W>().await {
            panic!("{} does not come up: {error}", W::LAYER);
        }
        if W::LAYER == Layer::Service {
            rollout::first_images(account).await.expect("the services can be given an image");
        }
        if !self.options.layers.is_empty() && !self.options.layers.contains(&W::LAYER) {
            return;
        }
        let world = observe::<W>(account).await;
        let told = |spot: &Spot, what: &str| Told { layer: W::LAYER, spot: spot.to_string(), what: what.into() };
        let mut chosen = Vec::new();
        for spot in spots(&world, &is_world::<W>) {
            match exception(W::LAYER, &spot) {
                Some(Exception { pattern, reason, .. }) => {
                    self.report.exceptions.push(Excepted { layer: W::LAYER, spot: spot.to_string(), pattern, reason });
                }
                None => chosen.push(spot),
            }
        }
        if let Some(sample) = self.options.sample {
            chosen.sort_by_key(|spot| hash(&(self.options.seed, spot.to_string())));
            chosen.truncate(sample);
        }
        // What is made anew has other ids, and so other ways lead to it.
        chosen.sort_by_key(|spot| spot.kind == Kind::Gone);
        let all = chosen.len();
        for (number, spot) in chosen.iter().enumerate() {
            (self.tell)(&format!("{} {}/{all}: {spot}", W::LAYER, number + 1));
            self.report.attributes += 1;
            match self.spot::<W>(account, spot).await {
                Ok(()) => {}
                Err(why) => {
                    self.report.failures.push(told(spot, &why));
                    // What is left of it must not stand in the next one's way.
                    if let Err(why) = account.apply::<W>().await {
                        self.report.failures.push(told(spot, &format!("and it cannot be put right: {why}")));
                        return;
                    }
                }
            }
        }
    }

    async fn spot<W: Work>(&mut self, account: &mut Account, spot: &Spot) -> Result<(), String>
    where
        W::World: Serialize + DeserializeOwned,
        W::Change: Serialize + DeserializeOwned,
    {
        let before = observe::<W>(account).await;
        let spot = spot.in_world(&before).ok_or("it has moved to another place")?;
        // Skydeck's own, by what was tried before.
        if let [refused, ..] = account.refused().as_slice() {
            return Err(format!("AWS would refuse {refused}"));
        }
        spoil::<W>(account, &spot, &before).await?;
        let found = W::plan(&account.scope, &observed::<W>(account).await?).map_err(|refusal| refusal.to_string())?;
        if found.is_empty() && found.waits.is_empty() && found.rollouts.is_empty() {
            return Err("a plan does not find it".into());
        }
        self.report.found += 1;
        account.apply::<W>().await.map_err(|why| format!("an apply does not repair it: {why}"))?;
        for handover in &found.rollouts {
            rollout::release(account, &handover.service).await.map_err(|why| format!("nor a rollout: {why}"))?;
        }
        if W::LAYER == Layer::Service {
            rollout::first_images(account).await?;
        }
        let after = observed::<W>(account).await?;
        let again = W::plan(&account.scope, &after).map_err(|refusal| refusal.to_string())?;
        if !again.is_empty() || !again.rollouts.is_empty() {
            let handed = again.rollouts.iter().map(|handover| handover.description.clone());
            let told: Vec<String> = again.describe().into_iter().chain(handed).map(|told| told.to_string()).collect();
            return Err(format!("it is found again: {}", told.join(", ")));
        }
        self.report.repaired += 1;
        Ok(())
    }
}

/// Brings about one of the worlds in which this is otherwise.
async fn spoil<W: Work>(account: &Account, spot: &Spot, before: &Value) -> Result<(), String>
where
    W::World: Serialize + DeserializeOwned,
    W::Change: Serialize + DeserializeOwned,
{
    let mut why = String::from("no other value is known for it");
    for wrong in spot.worlds(before, &is_world::<W>) {
        match bring::<W>(account, spot, before, &wrong).await {
            Ok(()) if observe::<W>(account).await != *before => return Ok(()),
            Ok(()) => why = "the change has no effect".into(),
            Err(error) => {
                // Not each value is one that AWS knows.
                drop(account.refused());
                why = error;
            }
        }
    }
    Err(why)
}

async fn bring<W: Work>(account: &Account, spot: &Spot, before: &Value, wrong: &Value) -> Result<(), String>
where
    W::World: Serialize + DeserializeOwned,
    W::Change: Serialize + DeserializeOwned,
{
    let world: W::World = serde_json::from_value(wrong.clone()).map_err(|error| error.to_string())?;
    let plan = W::plan(&account.scope, &world).map_err(|refusal| format!("refused: {refusal}"))?;
    if plan.is_empty() && plan.rollouts.is_empty() {
        return Err("it is not compared".into());
    }
    for handover in &plan.rollouts {
        let world = serde_json::from_value(wrong.clone()).map_err(|error| error.to_string())?;
        rollout::release_as(account, &handover.service, &world).await?;
    }
    let gone = at(before, &spot.path).filter(|_| spot.kind == Kind::Gone);
    let mut ids: Vec<Option<String>> = Vec::new();
    let mut done = false;
    // A revision is never made unmade: AWS keeps it.
    let creates = |change: &W::Change| {
        let told = change.describe();
        told.action == Action::Create && told.kind != "task definition"
    };
    // What belongs to a creation goes with it.
    let whole = gone.is_some() && plan.steps.iter().any(|step| creates(&step.change));
    for step in &plan.steps {
        if whole && !creates(&step.change) {
            ids.push(None);
            continue;
        }
        let change = serde_json::to_value(&step.change).map_err(|error| error.to_string())?;
        let id = match invert(&change, before, gone) {
            Some(back) => {
                done = true;
                write::<W>(account, &filled(&back, &ids)).await.map_err(|error| format!("{back}: {error}"))?
            }
            None if hands::spoil(account, &change, before, wrong).await? => {
                done = true;
                None
            }
            None if done && !whole => None,
            None if creates(&step.change) => {
                match delete::<W>(account, &step.change, before).await {
                    // It went with what it belongs to.
                    Err(_) if done => {}
                    result => result?,
                }
                done = true;
                None
            }
            None => return Err(format!("nothing is known that undoes {change}")),
        };
        ids.push(id);
    }
    Ok(())
}

/// Carries out a change with the product's own write.
async fn write<W: Work>(account: &Account, change: &Value) -> Result<Option<String>, String>
where
    W::Change: DeserializeOwned,
{
    let change: W::Change = serde_json::from_value(change.clone()).map_err(|error| error.to_string())?;
    let done = W::apply(&account.clients, &account.scope, &change, &Made::default()).await;
    done.map_err(|error| error.to_string())
}

/// Deletes what this would create, with all that has to go before it.
async fn delete<W: Work>(account: &Account, create: &W::Change, before: &Value) -> Result<(), String>
where
    W::World: DeserializeOwned,
{
    let world: W::World = serde_json::from_value(before.clone()).map_err(|error| error.to_string())?;
    let plan = W::teardown(&account.scope, &world);
    let what = create.describe();
    let deletes = |change: &W::Change| {
        let told = change.describe();
        told.action == Action::Delete && told.what() == what.what()
    };
    let index = plan.steps.iter().position(|step| deletes(&step.change));
    let index = index.ok_or_else(|| format!("a teardown deletes no {} {}", what.kind, what.name))?;
    for index in with_those_before(&plan, StepId(index)) {
        let done = W::apply(&account.clients, &account.scope, &plan.steps[index].change, &Made::default()).await;
        done.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn with_those_before<C>(plan: &Plan<C>, step: StepId) -> Vec<usize> {
    let mut all = vec![step.0];
    let mut next = 0;
    while let Some(index) = all.get(next).copied() {
        all.extend(plan.steps[index].after.iter().map(|step| step.0));
        next += 1;
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether JSON is a world, and nothing of it is lost on the way.
fn is_world<W: Work>(value: &Value) -> bool
where
    W::World: Serialize + DeserializeOwned,
{
    let world: Result<W::World, _> = serde_json::from_value(value.clone());
    world.is_ok_and(|world| serde_json::to_value(&world).is_ok_and(|again| sorted(&again) == sorted(value)))
}

/// Sets come out in another order than they went in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.into()
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}

async fn observed<W: Work>(account: &Account) -> Result<W::World, String> {
    W::observe(&account.clients, &account.scope).await.map_err(|error| error.to_string())
}

async fn observe<W: Work>(account: &Account) -> Value
where
    W::World: Serialize,
{
    let world = observed::<W>(account).await.expect("the layer can be observed");
    serde_json::to_value(&world).expect("a world is plain data")
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
