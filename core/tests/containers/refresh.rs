//! Instances that are of another launch template version than their group, and the refresh that replaces them.

use skydeck_core::layer::cluster::{Change, Refresh, plan};
use skydeck_core::scope::Scope;

use crate::cluster::{NAME, after, asg, drift, instance, standing};
use crate::fixture::{changed, lines, scope};

pub(crate) fn refresh(status: &str) -> Option<Refresh> {
    Some(Refresh { status: status.into(), reason: "A reason.".into(), percent: 50, remaining: 1 })
}

#[test]
fn a_newer_image_is_taken_by_who_asks_for_it() {
    let scope = Scope { refresh_ami: true, ..scope() };
    let mut world = standing();
    assert!(plan(&scope, &world).unwrap().is_empty(), "it is in use already");
    world.recommended_ami = Some("ami-newer".into());
    let plan = plan(&scope, &world).unwrap();
    let told = &plan.describe()[0].attributes;
    assert_eq!((told.len(), told[0].name.as_str(), &told[0].new), (1, "ami", &Some("ami-newer".into())));
    assert!(matches!(plan.steps.last().unwrap().change, Change::StartRefresh { .. }));
    assert!(!plan.notes.iter().any(|note| note.contains("ami-")), "{:?}", plan.notes);
}

#[test]
fn instances_of_an_earlier_version_are_replaced_and_nothing_else() {
    let plan = after(|world| asg(world).instances = vec![instance("2", false), instance("3", false)]);
    assert_eq!(changed(&plan), [format!("Auto Scaling group {NAME}: instances.version")]);
    let told = &plan.describe()[0].attributes[0];
    assert_eq!((&told.old, &told.new), (&Some("2".into()), &Some("3".into())));
    let Change::StartRefresh { preferences, .. } = &plan.steps[0].change else { panic!("{:?}", plan.steps) };
    assert_eq!(preferences.min_healthy_percent, 100);
    assert!(preferences.max_healthy_percent > 100 && preferences.skip_matching);
    let note = format!("1 of the 2 instances of Auto Scaling group {NAME} are replaced");
    assert!(plan.notes[0].starts_with(&note), "{:?}", plan.notes);
}

#[test]
fn another_instance_type_is_shown_with_the_instances_that_get_it() {
    let mut scope = scope();
    scope.platform.cluster.instances.instance_type = "t4g.medium".into();
    let plan = plan(&scope, &standing()).unwrap();
    let told = plan.describe().pop().unwrap().attributes;
    let told: Vec<_> = told.iter().map(|told| (told.name.as_str(), told.old.clone(), told.new.clone())).collect();
    let text = |text: &str| Some(text.into());
    assert_eq!(
        told,
        [
            ("instances.instance_type", text("t4g.small"), text("t4g.medium")),
            ("instances.version", text("3"), text("new")),
        ]
    );
}

#[test]
fn a_group_without_instances_has_nothing_to_replace() {
    let plan = after(|world| {
        world.template.as_mut().unwrap().settings.hop_limit = 2;
        asg(world).instances.clear();
    });
    assert_eq!(plan.steps.len(), 3);
}

#[test]
fn a_refresh_under_way_is_waited_for_whosever_it_is() {
    for status in ["Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking", "SomethingNew"] {
        let plan = after(|world| {
            asg(world).instances[0] = instance("2", false);
            asg(world).refresh = refresh(status);
        });
        assert!(plan.is_empty() && plan.later.is_empty(), "{:?}", plan.steps);
        let wait =
            format!("the instance refresh of Auto Scaling group {NAME} ({status}, 50 %, 1 instances to go: A reason)");
        assert_eq!(plan.waits, [wait]);
    }
}

#[test]
fn the_group_gets_no_other_version_while_a_refresh_is_under_way() {
    let plan = after(|world| {
        world.template.as_mut().unwrap().settings.hop_limit = 2;
        asg(world).instances[0] = instance("2", false);
        asg(world).refresh = refresh("InProgress");
    });
    assert_eq!(lines(&plan), [format!("0 ~ launch template {NAME}"), format!("1 ~ launch template {NAME} after 0")]);
    assert_eq!((plan.waits.len(), plan.later.len()), (1, 2));
}

#[test]
fn a_refresh_that_was_given_up_is_started_anew_by_the_next_run_and_fails_this_one() {
    for status in ["Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"] {
        let mut world = standing();
        asg(&mut world).instances[0] = instance("2", false);
        asg(&mut world).refresh = refresh(status);
        let next = plan(&scope(), &world).unwrap();
        assert_eq!(next.steps.len(), 1);
        assert!(next.notes[0].contains(&format!("({status}, 50 %: A reason)")), "{:?}", next.notes);
        let this = Scope { done: next.describe(), ..scope() };
        let refused = plan(&this, &world).unwrap_err();
        assert!(refused.to_string().contains(status), "{refused}");
        asg(&mut world).refresh = refresh("Successful");
        assert_eq!(plan(&this, &world).unwrap().steps.len(), 1, "what it has left is replaced");
    }
}

#[test]
fn instances_of_an_earlier_version_are_gone_before_the_layer_is_done() {
    let plan = after(|world| {
        asg(world).instances.push(instance("2", true));
        asg(world).refresh = refresh("Successful");
    });
    assert!(plan.is_empty());
    assert_eq!(
        plan.waits,
        [format!("1 instances of Auto Scaling group {NAME} of an earlier version to be empty and terminate")]
    );
    assert_eq!(drift(|world| asg(world).instances.push(instance("3", true))), [""; 0], "managed scaling's");
}
