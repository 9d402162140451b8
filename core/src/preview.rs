//! A plan as it is kept and shown: what every layer found and would change, until somebody applies it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::{Action, Description, fingerprint};
use crate::run::{Layer, Run};

/// The whole plan of a platform: one object in skydeck's bucket, and what `skydeck plan --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its id, which is the name of the execution that made it.
    pub id: String,
    /// `<platform>-<environment>`.
    pub platform: String,
    /// How many resources would be changed, and how.
    pub counts: Counts,
    /// The same as a sentence.
    pub summary: String,
    /// The platform file that it was made by.
    pub file: PlannedFile,
    /// Whether instances are to be launched from the image that AWS recommended then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh_ami: bool,
    /// The layers, in the report's order.
    pub layers: Vec<LayerPlan>,
}

/// The platform file that a plan was made by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Where it lies in skydeck's bucket.
    pub key: String,
    /// Its version.
    pub version: String,
    /// Version that the platform's own file had then; none where there was no such file.
    #[serde(default)]
    pub before: Option<String>,
}

/// One layer's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// Which layer.
    pub layer: Layer,
    /// Hash of what was observed, without what others own, such as desired counts.
    pub fingerprint: String,
    /// What would be changed, a resource each.
    pub changes: Vec<Description>,
    /// What a person should know although nothing changes for it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Those of the notes that count as drift: what is wrong and no apply puts right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What AWS has to finish before all of it can be done.
    #[serde(default)]
    pub waits: Vec<String>,
    /// Which of the changes come last, and what they wait for: something that serves in their place, or lets go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<String>,
}

/// Numbers of resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// That would be created.
    pub create: usize,
    /// That would be changed in place.
    pub change: usize,
    /// That others would take the place of.
    pub replace: usize,
    /// That would be deleted.
    pub delete: usize,
}

/// What the output of an execution says of its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// The plan's id, for `skydeck apply --plan`.
    pub id: String,
    /// Where the plan lies in skydeck's bucket; none where it says nothing that is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many resources would be changed, as a sentence.
    pub summary: String,
}

impl Preview {
    /// The plan that a run has made.
    #[must_use]
    pub fn of(run: &Run, before: Option<String>, layers: Vec<LayerPlan>) -> Self {
        let counts = Counts::of(&layers);
        Preview {
            id: run.id.clone(),
            platform: run.platform.clone(),
            counts,
            summary: counts.to_string(),
            file: PlannedFile { key: run.spec_key(), version: run.spec_version.clone(), before },
            refresh_ami: run.refresh_ami,
            layers,
        }
    }

    /// Whether an apply would do nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.changes.is_empty() && layer.waits.is_empty())
    }

    /// Whether all is as the platform file says: an apply would do nothing, and nothing is left for a person.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_empty() && self.layers.iter().all(|layer| layer.warnings.is_empty())
    }

    /// What an EventBridge event says of it: which resources, and not their attributes, since an event holds 256 KiB.
    #[must_use]
    pub fn outline(&self) -> Value {
        let resource =
            |change: &Description| json!({ "action": change.action, "kind": change.kind, "name": change.name });
        let layer = |layer: &LayerPlan| {
            let changes: Vec<Value> = layer.changes.iter().map(resource).collect();
            let mut said = json!({ "layer": layer.layer, "changes": changes });
            if !layer.warnings.is_empty() {
                said["warnings"] = json!(layer.warnings);
            }
            (!(changes.is_empty() && layer.warnings.is_empty())).then_some(said)
        };
        let layers: Vec<Value> = self.layers.iter().filter_map(layer).collect();
        json!({ "platform": self.platform, "plan": self.id, "summary": self.summary, "layers": layers })
    }

    /// What the plan's changes are known again by: another plan that would do the same has the same.
    #[must_use]
    pub fn essence(&self) -> String {
        let changes = self.layers.iter().map(|layer| (layer.layer, &layer.changes, &layer.waits, &layer.warnings));
        let changes: Vec<_> = changes.collect();
        fingerprint(&changes)
    }

    /// The layers in which another world was seen now.
    #[must_use]
    pub fn moved(&self, now: &[LayerPlan]) -> Vec<Layer> {
        let seen = |plans: &[LayerPlan], layer| {
            plans.iter().find(|plan| plan.layer == layer).map(|plan| plan.fingerprint.clone())
        };
        Layer::ALL.into_iter().filter(|layer| seen(&self.layers, *layer) != seen(now, *layer)).collect()
    }
}

impl Counts {
    fn of(layers: &[LayerPlan]) -> Self {
        let count =
            |action| layers.iter().flat_map(|layer| &layer.changes).filter(|change| change.action == action).count();
        Counts {
            create: count(Action::Create),
            change: count(Action::Update),
            replace: count(Action::Replace),
            delete: count(Action::Delete),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { create, change, replace, delete } = self;
        write!(f, "Plan: {create} to create, {change} to change, {replace} to replace, {delete} to delete.")
    }
}

/// Key of a plan in skydeck's bucket.
#[must_use]
pub fn plan_key(platform: &str, id: &str) -> String {
    format!("platforms/{platform}/plans/{id}.json")
}

/// Key of a file that is planned with and is not the platform's yet; `hash` is that of its text.
#[must_use]
pub fn file_key(platform: &str, hash: &str) -> String {
    format!("platforms/{platform}/plans/{hash}.toml")
}

/// Key of a layer's part, until the plan is put together or compared. The plans that look for drift share one: they come every
/// few minutes, and mostly say the same.
#[must_use]
pub fn part_key(run: &Run, layer: Layer) -> String {
    if run.drift {
        format!("platforms/{}/drift/{layer}.json", run.platform)
    } else {
        run.key(&format!("plan/{layer}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Mode;

    fn layer(layer: Layer, fingerprint: &str, changes: Vec<Description>) -> LayerPlan {
        LayerPlan {
            layer,
            fingerprint: fingerprint.into(),
            changes,
            notes: Vec::new(),
            warnings: Vec::new(),
            waits: Vec::new(),
            deferred: Vec::new(),
        }
    }

    fn run() -> Run {
        Run {
            id: "p1".into(),
            execution: "arn".into(),
            mode: Mode::Plan,
            platform: "skyfox-devprod".into(),
            spec_version: "v1".into(),
            file: None,
            before: None,
            approves: None,
            drift: false,
            refresh_ami: false,
        }
    }

    #[test]
    fn a_plan_says_how_many_resources_it_changes_and_how() {
        let replace = Description::replace("target group", ("a", "b"), (&1, &2), |_| true);
        let changes = vec![Description::create("VPC", "vpc", &1), replace, Description::delete("role", "r")];
        let plan = Preview::of(&run(), None, vec![layer(Layer::Network, "x", changes)]);
        assert_eq!(plan.summary, "Plan: 1 to create, 0 to change, 1 to replace, 1 to delete.");
        assert!(!plan.is_empty());
        let mut waiting = layer(Layer::Cluster, "y", Vec::new());
        assert!(Preview::of(&run(), None, vec![waiting.clone()]).is_empty());
        waiting.waits.push("a group to go".into());
        assert!(!Preview::of(&run(), None, vec![waiting]).is_empty(), "what it waits for is yet to be planned");
    }

    #[test]
    fn a_plan_knows_the_layers_that_have_moved() {
        let plan = Preview::of(
            &run(),
            None,
            vec![layer(Layer::Network, "a", Vec::new()), layer(Layer::Storage, "b", Vec::new())],
        );
        let now = [layer(Layer::Network, "a", Vec::new()), layer(Layer::Storage, "c", Vec::new())];
        assert_eq!(plan.moved(&now), [Layer::Storage]);
        assert_eq!(plan.moved(&now[..1]), [Layer::Storage], "what was not looked at is not known to be the same");
        assert_eq!(plan.file.key, "platforms/skyfox-devprod/platform.toml");
    }
}
