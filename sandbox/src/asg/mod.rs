//! Auto Scaling: groups whose instances come and go with the desired capacity, and join their cluster after a while.
//! Nothing runs in the background: who asks is told how things stand by now.

mod actions;
mod activity;
mod change;
mod group;
mod instance;
mod launch;
mod refresh;
mod refresh_actions;
#[cfg(test)]
mod refresh_tests;
mod tags;
mod zones;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use hyper::http::StatusCode;

use crate::answer::Answer;
use crate::clock::Clock;
use crate::gateway::Shared;
use crate::gateway::naming::{Name, Protocol};
use crate::gateway::upstream::Upstream;
pub(crate) use group::{Group, Tag};
pub(crate) use instance::Instance;
use launch::Blueprint;

/// An account and a region: nothing is seen from one in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Place {
    pub(crate) fn of(name: &Name) -> Self {
        Self { account: name.account().to_owned(), region: name.region.clone() }
    }
}

/// The groups of one place, by name.
pub(crate) type Groups = BTreeMap<String, Group>;

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Asg {
    places: Mutex<HashMap<Place, Groups>>,
    /// Held over a whole change, which asks the emulator in between; the other lock is only held while looking.
    turn: tokio::sync::Mutex<()>,
    /// Why no instance can be started, where that is so.
    failure: Mutex<Option<String>>,
}

/// An error that Auto Scaling answers.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn invalid(message: &str) -> Self {
        Self::new("ValidationError", message)
    }

    fn unknown(group: &str) -> Self {
        Self::invalid(&format!("AutoScalingGroup name not found - AutoScalingGroup '{group}' not found"))
    }
}

/// What an action has at hand.
pub(crate) struct Context<'a> {
    asg: &'a Asg,
    upstream: &'a Upstream,
    clock: Clock,
    place: Place,
    form: &'a BTreeMap<String, String>,
}

impl Asg {
    /// Looks at, or changes, the groups of a place as they stand now.
    pub(crate) fn with<T>(&self, place: &Place, now: f64, look: impl FnOnce(&mut Groups) -> T) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = places.entry(place.clone()).or_default();
        for group in groups.values_mut() {
            group.instances.retain(|instance| !instance.is_gone(now));
        }
        groups.retain(|_, group| !group.deleting || !group.instances.is_empty());
        look(groups)
    }

    /// All instances of a place that are not gone.
    pub(crate) fn instances(&self, place: &Place, now: f64) -> Vec<Instance> {
        self.with(place, now, |groups| groups.values().flat_map(|group| group.instances.clone()).collect())
    }

    pub(crate) async fn answer(&self, shared: &Shared, name: &Name, form: &BTreeMap<String, String>) -> Answer {
        let place = Place::of(name);
        let context = Context { asg: self, upstream: &shared.upstream, clock: shared.clock, place, form };
        let _turn = if name.writes() { Some(self.turn.lock().await) } else { None };
        match context.act(&name.action).await {
            Ok(result) => Answer::xml(format!(
                "<{0}Response xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><{0}Result>{result}</{0}Result>\
                 <ResponseMetadata><RequestId>{1}</RequestId></ResponseMetadata></{0}Response>",
                name.action,
                crate::ids::uuid()
            )),
            Err(refusal) => Answer::error(Protocol::Query, StatusCode::BAD_REQUEST, refusal.code, &refusal.message),
        }
    }
}

impl Context<'_> {
    async fn act(&self, action: &str) -> Result<String, Refusal> {
        match action {
            "CreateAutoScalingGroup" => self.create().await,
            "UpdateAutoScalingGroup" => self.update().await,
            "SetDesiredCapacity" => self.set_desired().await,
            "DeleteAutoScalingGroup" => self.delete().await,
            "TerminateInstanceInAutoScalingGroup" => self.terminate_one().await,
            "DescribeAutoScalingGroups" => self.describe(),
            "DescribeAutoScalingInstances" => Ok(self.describe_instances()),
            "DescribeScalingActivities" => self.describe_activities(),
            "StartInstanceRefresh" => self.start_refresh().await,
            "DescribeInstanceRefreshes" => self.describe_refreshes(),
            "CancelInstanceRefresh" => self.cancel_refresh().await,
            "CreateOrUpdateTags" => self.tag(),
            "DeleteTags" => self.untag(),
            "DescribeTags" => Ok(self.describe_tags()),
            _ => Err(Refusal::new("InvalidAction", format!("The sandbox does not answer autoscaling {action}"))),
        }
    }

    fn now(&self) -> f64 {
        self.clock.now()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.form.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, key: &str) -> Result<Option<u32>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::invalid(&format!("{key} is not a number from 0")));
        self.text(key).map(parse).transpose()
    }

    fn list(&self, key: &str) -> Vec<String> {
        (1..).map_while(|number| self.form.get(&format!("{key}.member.{number}")).cloned()).collect()
    }

    fn group_name(&self) -> Result<String, Refusal> {
        let missing = || Refusal::invalid("1 validation error detected: AutoScalingGroupName is required");
        self.text("AutoScalingGroupName").map(str::to_owned).ok_or_else(missing)
    }

    /// The group by its name, to look at or change.
    fn group<T>(&self, name: &str, look: impl FnOnce(&mut Group) -> T) -> Result<T, Refusal> {
        let found = |groups: &mut Groups| groups.get_mut(name).map(look);
        self.asg.with(&self.place, self.now(), found).ok_or_else(|| Refusal::unknown(name))
    }

    /// Starts and ends instances until as many stay as are desired; a refresh may have started some more.
    async fn reconcile(&self, name: &str) -> Result<(), Refusal> {
        let (ended, desired) = self.group(name, |group| {
            let mut ended = Vec::new();
            while group.staying() > group.most() {
                let Some(id) = group.next_to_end().map(|instance| instance.id.clone()) else { break };
                if group.send_off(&id, self.clock) {
                    ended.push(id);
                }
            }
            (ended, group.desired)
        })?;
        launch::terminate(self.upstream, &self.place, &ended).await;
        self.launch(name, desired as usize).await.map(drop)
    }

    /// Starts instances until so many stay; how many it has started.
    async fn launch(&self, name: &str, wanted: usize) -> Result<usize, Refusal> {
        let mut group = self.group(name, |group| group.clone())?;
        if group.staying() >= wanted {
            return Ok(0);
        }
        let blueprint = Blueprint::of(self.upstream, &self.place, &group.template).await?;
        let mut launched = 0;
        while group.staying() < wanted {
            let Some(subnet) = group.next_subnet() else { break };
            let started = match self.asg.failure() {
                Some(why) => Err(why),
                None => blueprint
                    .run(self.upstream, &self.place, &group, subnet)
                    .await
                    .map_err(|error| crate::error::chain(&error)),
            };
            match started {
                Ok(instance) => {
                    group.remember_launch(self.now(), &instance.id);
                    group.instances.push(instance.born(self.clock));
                }
                Err(why) => {
                    // A failed scaling activity, and no error of the call.
                    group.remember_failure(self.now(), &why);
                    break;
                }
            }
            launched += 1;
        }
        self.group(name, |kept| (kept.instances, kept.activities) = (group.instances, group.activities))?;
        Ok(launched)
    }
}
