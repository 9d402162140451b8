//! Plans: typed changes with their dependencies, and how a change is shown to a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::foreign::{self, Foreign};
use crate::listing::lines;
use crate::obstacle::{self, Obstacle};
use crate::scope::Tags;

/// Number of a step within its own plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub usize);

/// An AWS id or ARN that is known already, or that a step of the same plan will make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ref {
    /// Observed, or deterministic.
    Known(String),
    /// What this step returns when it has been carried out.
    Made(StepId),
}

impl Ref {
    /// The step to wait for, if any.
    #[must_use]
    pub fn step(&self) -> Option<StepId> {
        match self {
            Ref::Known(_) => None,
            Ref::Made(step) => Some(*step),
        }
    }
}

impl From<&str> for Ref {
    fn from(id: &str) -> Self {
        Ref::Known(id.to_owned())
    }
}

/// One change and the steps that must be done before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step<C> {
    /// What to do.
    pub change: C,
    /// Steps of the same plan that come first; always of lower number, so a plan has no cycle.
    pub after: Vec<StepId>,
}

/// All that a layer has to do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan<C> {
    /// The steps, by [`StepId`].
    pub steps: Vec<Step<C>>,
    /// What a person should know although nothing changes for it, such as a newer AMI.
    pub notes: Vec<String>,
    /// What is wrong and no apply puts right, such as an image that runs and was deleted. It counts as drift.
    pub warnings: Vec<String>,
    /// What a rollout has to change, since this layer may not: services, and how a person reads it. It counts as a change, and
    /// the layer is converged without it.
    pub rollouts: Vec<Handover>,
    /// What AWS has to finish before the rest can be planned, such as instances that terminate. With a wait in it, a
    /// plan without steps is not converged.
    pub waits: Vec<String>,
    /// What will be planned once the waits are over, for who reads the plan now.
    pub later: Vec<Description>,
    /// What stays until something else serves or has let go of it. The layer is done without it for now, and the run walks the
    /// layers once more when everything serves.
    pub deferred: Vec<Deferred>,
}

/// A change that is left for when something else serves, or has let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// What changes.
    pub description: Description,
    /// What has to be true before, as the end of a sentence.
    pub until: String,
}

impl fmt::Display for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits until {}", self.description.noun(), self.until)
    }
}

/// A change that is left to a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The service.
    pub service: String,
    /// What changes.
    pub description: Description,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Plan {
            steps: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            rollouts: Vec::new(),
            waits: Vec::new(),
            later: Vec::new(),
            deferred: Vec::new(),
        }
    }
}

impl<C> Plan<C> {
    /// Adds a change that waits for those of `after` that are still to be made. Returns what it will make.
    pub fn add(&mut self, change: C, after: &[&Ref]) -> Ref {
        let id = StepId(self.steps.len());
        let mut after: Vec<StepId> = after.iter().filter_map(|reference| reference.step()).collect();
        after.sort_unstable();
        after.dedup();
        self.steps.push(Step { change, after });
        Ref::Made(id)
    }

    /// Leaves a change for later.
    pub fn defer(&mut self, change: &impl Describe, until: impl Into<String>) {
        self.deferred.push(Deferred { description: change.describe(), until: until.into() });
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

impl<C: Describe> Plan<C> {
    /// The changes as a person reads them, in the plan's order.
    #[must_use]
    pub fn describe(&self) -> Vec<Description> {
        self.steps.iter().map(|step| step.change.describe()).collect()
    }
}

/// A change that can be shown.
pub trait Describe {
    /// What this change does, in words and attributes; never a secret value.
    fn describe(&self) -> Description;
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It does not exist yet.
    Create,
    /// It exists and is changed in place.
    Update,
    /// AWS cannot change it in place: another one takes its place.
    Replace,
    /// It is deleted.
    Delete,
}

/// A change as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Create, update, replace or delete.
    pub action: Action,
    /// AWS's word for the resource, such as `security group`.
    pub kind: String,
    /// The resource's name.
    pub name: String,
    /// With a replacement, the name of the one that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// What changes in it; for a creation the settings it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

impl Description {
    /// A creation with these settings.
    pub fn create(kind: &str, name: impl Into<String>, settings: &impl Serialize) -> Self {
        Description {
            action: Action::Create,
            kind: kind.into(),
            name: name.into(),
            replaces: None,
            attributes: diff(&Value::Null, settings),
        }
    }

    /// A creation with these settings, and tags beside them.
    pub fn create_tagged(kind: &str, name: impl Into<String>, settings: &impl Serialize, tags: &Tags) -> Self {
        let mut told = Description::create(kind, name, settings);
        told.attributes.extend(diff(&Value::Null, &BTreeMap::from([("tags", tags)])));
        told
    }

    /// A replacement of the resource `old_name`, since AWS cannot change the attributes whose path `is_fixed`.
    pub fn replace<S: Serialize>(
        kind: &str,
        (old_name, name): (&str, &str),
        (old, new): (&S, &S),
        is_fixed: impl Fn(&str) -> bool,
    ) -> Self {
        let mut attributes = diff(old, new);
        for attribute in &mut attributes {
            attribute.forces_replacement = is_fixed(&attribute.name);
        }
        let replaces = Some(old_name.to_owned());
        Description { action: Action::Replace, kind: kind.into(), name: name.into(), replaces, attributes }
    }

    /// An update from one state of the settings to another.
    pub fn update<S: Serialize>(kind: &str, name: impl Into<String>, old: &S, new: &S) -> Self {
        let attributes = diff(old, new);
        Description { action: Action::Update, kind: kind.into(), name: name.into(), replaces: None, attributes }
    }

    /// Which resource it is about: kind and name.
    #[must_use]
    pub fn what(&self) -> (&str, &str) {
        (&self.kind, &self.name)
    }

    /// The change as a noun.
    #[must_use]
    pub fn noun(&self) -> String {
        let verb = match self.action {
            Action::Create => "creation",
            Action::Update => "change",
            Action::Replace => "replacement",
            Action::Delete => "deletion",
        };
        format!("the {verb} of {} {}", self.kind, self.name)
    }

    /// A deletion.
    pub fn delete(kind: &str, name: impl Into<String>) -> Self {
        let (kind, name, attributes) = (kind.into(), name.into(), Vec::new());
        Description { action: Action::Delete, kind, name, replaces: None, attributes }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "-/+",
            Action::Delete => "-",
        };
        write!(f, "{sign} {} {}", self.kind, self.name)?;
        match &self.replaces {
            Some(old) if *old != self.name => write!(f, " (replaces {old})"),
            _ => Ok(()),
        }
    }
}

/// The changes with one for each resource: changes in place of one resource are one; those that belong to a creation, a
/// replacement or a deletion (attributes that AWS takes in a call of their own) go without saying, and so does the deletion
/// that a replacement says already.
#[must_use]
pub fn by_resource(changes: &[Description]) -> Vec<Description> {
    let whole = |change: &&Description| change.action != Action::Update;
    let replaced: BTreeSet<(&str, &str)> =
        changes.iter().filter_map(|change| Some((change.kind.as_str(), change.replaces.as_deref()?))).collect();
    let whole: BTreeSet<(&str, &str)> = changes.iter().filter(whole).map(Description::what).collect();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut all: Vec<Description> = Vec::new();
    for change in changes {
        let said = match change.action {
            Action::Create | Action::Replace => false,
            Action::Update => whole.contains(&change.what()),
            Action::Delete => replaced.contains(&change.what()),
        };
        if said {
            continue;
        }
        match places.get(&change.what()).filter(|_| change.action == Action::Update) {
            Some(&place) => follow(&mut all[place].attributes, &change.attributes),
            None => {
                places.insert(change.what(), all.len());
                all.push(change.clone());
            }
        }
    }
    all
}

/// Adds attributes that change after others: what one has made of an attribute and another makes something else of is one change.
fn follow(attributes: &mut Vec<Attribute>, next: &[Attribute]) {
    for attribute in next {
        match attributes.iter_mut().find(|before| before.name == attribute.name && before.new == attribute.old) {
            Some(before) => before.new.clone_from(&attribute.new),
            None => attributes.push(attribute.clone()),
        }
    }
    attributes.retain(|attribute| attribute.old != attribute.new);
}

/// What a world comes down to, for "is it still what it was": the hash of all that it says, in one order.
#[must_use]
pub fn fingerprint(world: &impl Serialize) -> String {
    // By way of a value, whose objects are sorted.
    hex::encode(Sha256::digest(json(world).to_string().as_bytes()))
}

/// One attribute of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Path within the settings, such as `health.interval_seconds`.
    pub name: String,
    /// The value found; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value wanted; `None` where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Whether it is this that AWS cannot change in place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replacement: bool,
}

/// The attributes in which two settings differ. Objects are followed key by key; lists are compared whole.
pub fn diff(old: &impl Serialize, new: &impl Serialize) -> Vec<Attribute> {
    let mut found = Vec::new();
    compare("", &json(old), &json(new), &mut found);
    found
}

/// Settings are plain data, so that this cannot fail; a value that could not be written would compare as null.
fn json(settings: &impl Serialize) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

fn compare(name: &str, old: &Value, new: &Value, found: &mut Vec<Attribute>) {
    let empty = serde_json::Map::new();
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                compare(&path, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (old, new) => {
            let some = |value: &Value| (!value.is_null()).then(|| value.clone());
            found.push(Attribute { name: name.into(), old: some(old), new: some(new), forces_replacement: false });
        }
    }
}

/// A resource that was observed: its id or ARN, and its settings in the planner's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found<S> {
    /// AWS's id or ARN, whatever the API asks for to change it.
    pub id: String,
    /// What it is set to.
    pub settings: S,
}

/// Why no plan can be made: what skydeck refuses before touching anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name that the platform needs belongs to somebody else.
    #[error(
        "{kind} {name} exists and does not carry this platform's tags: it is somebody else's, and skydeck leaves it alone. {advice}"
    )]
    Taken {
        /// AWS's word for the resource.
        kind: String,
        /// The name that is taken.
        name: String,
        /// What to change.
        advice: String,
    },
    /// The platform cannot work as it is described.
    #[error("{what}. {advice}")]
    Impossible {
        /// What is wrong, with resource and number.
        what: String,
        /// What to change.
        advice: String,
    },
    /// Others have put things into what the platform would delete.
    #[error(
        "nothing was changed, since {} of somebody else's would go with {platform} or keep it from going:{}\nRemove them, or move \
         them elsewhere, and try again; skydeck deletes only what is its own",
        found.len(),
        lines(found, foreign::TOLD)
    )]
    Foreign {
        /// `<platform>-<environment>`.
        platform: String,
        /// What is in the way.
        found: Vec<Foreign>,
    },
    /// Things of the platform's own keep the run from its end.
    #[error("nothing was changed, since this keeps the run from its end:{}", lines(found, obstacle::TOLD))]
    Obstructed {
        /// What is in the way.
        found: Vec<Obstacle>,
    },
    /// An earlier layer has not handed on what this one needs.
    #[error("{layer} has not said {what}; it must run before this layer")]
    MissingFact {
        /// The layer that should have said it.
        layer: String,
        /// What is missing.
        what: String,
    },
}
