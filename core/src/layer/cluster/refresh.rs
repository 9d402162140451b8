//! Instances of an earlier launch template version, and the instance refresh that replaces them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::desired::{self, instances_name};
use super::{Change, Group};
use crate::plan::{Describe, Description, Plan, Ref, Refusal};
use crate::scope::Scope;

const KIND: &str = "Auto Scaling group";
/// The attributes of a refresh stand under this one.
const INSTANCES: &str = "instances";

/// An instance of an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Id of the launch template that it was launched from, and the version.
    pub template: (String, String),
    /// Its type.
    pub instance_type: String,
    /// Whether its end is decided: its tasks leave it, or it terminates.
    pub ending: bool,
}

/// What instances are launched from, as a plan shows it; where there are several, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The version of the launch template.
    pub version: String,
    /// The instance type.
    pub instance_type: String,
}

/// How a refresh goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// How many instances are always there to take tasks, in percent of the desired capacity.
    pub min_healthy_percent: i32,
    /// How many there may be meanwhile.
    pub max_healthy_percent: i32,
    /// Seconds that a new instance is given, once it is in service, before an old one goes.
    pub warmup_seconds: i32,
    /// Whether instances that are of the group's version already stay.
    pub skip_matching: bool,
}

/// An instance refresh as AWS tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// AWS's word, such as `InProgress`.
    pub status: String,
    /// AWS's reason for it.
    pub reason: String,
    /// How much of it is done.
    pub percent: u32,
    /// How many instances are still to be replaced.
    pub remaining: u32,
}

impl Refresh {
    /// Whether AWS is still doing it. A word that we do not know is one of something that is not over.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.status != "Successful" && !self.is_given_up()
    }

    /// Whether it has ended without replacing all.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        ["Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"].contains(&self.status.as_str())
    }
}

impl fmt::Display for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} %", self.status, self.percent)?;
        if self.is_under_way() {
            write!(f, ", {} instances to go", self.remaining)?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason.trim_end_matches('.')) }
    }
}

/// Moves the group to a version of the launch template, and replaces its instances that are of another one.
pub(super) fn plan_instances(
    scope: &Scope,
    plan: &mut Plan<Change>,
    found: &Group,
    (template, version): (&Ref, &Ref),
) -> Result<(), Refusal> {
    let name = instances_name(scope);
    let uses = |(id, number): &(String, String)| {
        (Ref::from(id.as_str()), Ref::from(number.as_str())) == (template.clone(), version.clone())
    };
    let (ending, stale): (Vec<&Instance>, Vec<&Instance>) =
        found.instances.iter().filter(|instance| !uses(&instance.template)).partition(|instance| instance.ending);
    let set = (!uses(&found.template)).then(|| Change::SetGroupTemplate {
        name: name.clone(),
        template: template.clone(),
        old: found.template.1.clone(),
        version: version.clone(),
    });
    let start = (!stale.is_empty()).then(|| Change::StartRefresh {
        name: name.clone(),
        old: origin(&stale, template),
        version: version.clone(),
        instance_type: scope.platform.cluster.instances.instance_type.clone(),
        preferences: desired::preferences(),
    });
    if let Some(refresh) = found.refresh.as_ref().filter(|refresh| refresh.is_under_way()) {
        plan.waits.push(format!("the instance refresh of {KIND} {name} ({refresh})"));
        // AWS may refuse another version for the group now, and a second refresh always.
        if let Some(set) = set {
            plan.later.extend([Some(set), start].into_iter().flatten().map(|change| change.describe()));
        }
        return Ok(());
    }
    let mut after = vec![template.clone(), version.clone()];
    after.extend(set.map(|set| plan.add(set, &[template, version])));
    if let Some(start) = start {
        check_last(scope, plan, &name, found)?;
        plan.add(start, &after.iter().collect::<Vec<_>>());
        plan.notes.push(format!(
            "{} of the {} instances of {KIND} {name} are replaced; each goes only when another has taken its place",
            stale.len(),
            found.instances.iter().filter(|instance| !instance.ending).count()
        ));
    } else if !ending.is_empty() {
        let count = ending.len();
        plan.waits.push(format!("{count} instances of {KIND} {name} of an earlier version to be empty and terminate"));
    }
    Ok(())
}

/// A refresh that AWS has given up is started anew by the next run: what kept it from its end is for a person to see.
fn check_last(scope: &Scope, plan: &mut Plan<Change>, name: &str, found: &Group) -> Result<(), Refusal> {
    let Some(last) = found.refresh.as_ref().filter(|refresh| refresh.is_given_up()) else { return Ok(()) };
    let what = format!("the last instance refresh of {KIND} {name} did not end well ({last})");
    if scope.done.iter().any(is_refresh) {
        let advice = "See the group's activity history for the reason; the next apply starts the refresh anew".into();
        return Err(Refusal::Impossible { what, advice });
    }
    plan.notes.push(format!("{what}, and is started anew"));
    Ok(())
}

fn origin(stale: &[&Instance], template: &Ref) -> Origin {
    let joined = |words: BTreeSet<String>| words.into_iter().collect::<Vec<_>>().join(", ");
    let version = |instance: &&Instance| match &instance.template {
        (id, number) if Ref::from(id.as_str()) == *template => number.clone(),
        (id, number) => format!("{id} {number}").trim().to_owned(),
    };
    Origin {
        version: joined(stale.iter().map(version).collect()),
        instance_type: joined(stale.iter().map(|instance| instance.instance_type.clone()).collect()),
    }
}

pub(super) fn describe(name: &str, old: &Origin, new: &Origin) -> Description {
    Description::update(KIND, name, &json!({ INSTANCES: old }), &json!({ INSTANCES: new }))
}

/// Whether a change that was carried out was the start of a refresh.
fn is_refresh(done: &Description) -> bool {
    let of_instances = |name: &str| name.split('.').next() == Some(INSTANCES);
    done.kind == KIND && done.attributes.iter().any(|attribute| of_instances(&attribute.name))
}
