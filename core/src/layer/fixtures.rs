//! What the planners' tests share: the SkyFox platform in an account, and plans carried out.

use crate::facts::Facts;
use crate::plan::{Describe, Plan, StepId};
use crate::scope::Scope;
use crate::spec;

/// The platform in an account.
pub(crate) fn scope() -> Scope {
    Scope {
        platform: spec::parse("skyfox.toml", include_str!("../../../platforms/skyfox.toml")).unwrap(),
        account: "123456789012".into(),
        partition: "aws".into(),
        home: "skydeck-123456789012-ap-south-1".into(),
        facts: Facts::default(),
        refresh_ami: false,
        done: Vec::new(),
    }
}

/// The changes of a plan as lines.
pub(crate) fn lines<C: Describe>(plan: &Plan<C>) -> Vec<String> {
    plan.describe().iter().map(ToString::to_string).collect()
}

/// The changes of a plan in the most unlikely order that their dependencies allow: the last one that may be done comes
/// first. A dependency that the planner forgot shows.
pub(crate) fn last_first<C: Clone>(plan: &Plan<C>) -> Vec<C> {
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let mut done: Vec<StepId> = Vec::new();
    let ready = |done: &[StepId], index: usize| plan.steps[index].after.iter().all(|id| done.contains(id));
    while let Some(position) = waiting.iter().rposition(|&index| ready(&done, index)) {
        done.push(StepId(waiting.remove(position)));
    }
    assert!(waiting.is_empty(), "a step waits for one that never comes");
    done.iter().map(|id| plan.steps[id.0].change.clone()).collect()
}
