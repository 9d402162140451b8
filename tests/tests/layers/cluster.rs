//! Cluster, instances, capacity provider, logs.

use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::converge;
use skydeck_aws::layer::network::Network;
use skydeck_core::Scope;
use skydeck_core::run::Mode;

use super::ground::ground;
use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, rest, run};

#[tokio::test]
async fn a_cluster_comes_stays_is_repaired_and_goes() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = ground("lcluster", &emulator).await;
        let made = apply::<Cluster>(&emulator, &mut scope).await;
        assert_eq!(made.changes.len(), 7, "{}", emulator.name);
        let facts = scope.facts.cluster.clone().unwrap();
        assert_eq!(facts.cluster_name, "lcluster-devprod", "{}", emulator.name);
        assert!(facts.cluster_arn.ends_with("cluster/lcluster-devprod"));

        let group =
            clients.autoscaling().update_auto_scaling_group().auto_scaling_group_name(&facts.auto_scaling_group);
        group.max_size(9).send().await.unwrap();
        clients.logs().delete_retention_policy().log_group_name(&facts.log_group).send().await.unwrap();
        repair::<Cluster>(&emulator, &scope, "max").await;

        // moto knows no instance refreshes.
        if emulator.name == "sandbox" {
            instances_are_replaced(&emulator, &mut scope, &facts.auto_scaling_group).await;
            somebodys_refresh_is_waited_for(&emulator, &mut scope, &facts.auto_scaling_group).await;
        }

        destroy::<Cluster>(&emulator, &scope).await;
        let groups = clients.autoscaling().describe_auto_scaling_groups();
        let groups = groups.auto_scaling_group_names(&facts.auto_scaling_group).send().await.unwrap();
        assert!(groups.auto_scaling_groups().is_empty());
        destroy::<Network>(&emulator, &scope).await;
    }
}

/// Another instance type is another version of the launch template, which the group uses and its instances get.
async fn instances_are_replaced(emulator: &Emulator, scope: &mut Scope, group: &str) {
    let autoscaling = emulator.clients.autoscaling();
    scope.platform.cluster.instances.instance_type = "t4g.micro".into();
    let begun = Box::pin(converge::<Cluster>(&emulator.clients, scope, Mode::Apply)).await;
    let waits = begun.error.unwrap();
    assert!(waits.error_type() == "NotYet" && waits.to_string().contains("instance refresh"), "{waits}");

    // What somebody cancels fails the run that has begun it, and the next one begins it anew.
    autoscaling.cancel_instance_refresh().auto_scaling_group_name(group).send().await.unwrap();
    scope.done = begun.changes;
    let (error, told) = refusal::<Cluster>(emulator, scope, Mode::Apply).await;
    assert!(error == "Refused" && told.contains("Cancelled"), "{error}: {told}");
    scope.done.clear();
    let anew = run::<Cluster>(emulator, scope, Mode::Apply).await;
    assert_eq!(anew.changes.len(), 1, "{:?}", anew.changes);
    rest::<Cluster>(emulator, scope, Mode::Apply).await;
    assert_eq!(origins(emulator, group).await, [("t4g.micro".to_owned(), "2".to_owned())]);

    // An instance of an earlier version is drift, though no template has changed.
    for (version, size) in [("1", 3), ("2", 2)] {
        let found = autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(group).send().await.unwrap();
        let id = found.auto_scaling_groups()[0].launch_template().unwrap().launch_template_id().unwrap();
        let template = LaunchTemplateSpecification::builder().launch_template_id(id).version(version).build();
        let update = autoscaling.update_auto_scaling_group().auto_scaling_group_name(group);
        update.launch_template(template).desired_capacity(size).send().await.unwrap();
    }
    assert_eq!(origins(emulator, group).await.len(), 2);
    repair::<Cluster>(emulator, scope, "instances.version").await;
    assert_eq!(origins(emulator, group).await.len(), 1);
}

/// A refresh that somebody has started, which nothing made us look for.
async fn somebodys_refresh_is_waited_for(emulator: &Emulator, scope: &mut Scope, group: &str) {
    let autoscaling = emulator.clients.autoscaling();
    autoscaling.start_instance_refresh().auto_scaling_group_name(group).send().await.unwrap();
    scope.platform.cluster.instances.instance_type = "t4g.small".into();
    run::<Cluster>(emulator, scope, Mode::Apply).await;
    assert_eq!(origins(emulator, group).await, [("t4g.small".to_owned(), "3".to_owned())]);
    rest::<Cluster>(emulator, scope, Mode::Apply).await;
}

/// Types and versions of the instances that stay.
async fn origins(emulator: &Emulator, group: &str) -> Vec<(String, String)> {
    let autoscaling = emulator.clients.autoscaling();
    let found = autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(group).send().await.unwrap();
    let staying = found.auto_scaling_groups()[0].instances().iter();
    let staying = staying.filter(|instance| !instance.lifecycle_state().unwrap().as_str().starts_with("Terminating"));
    let text = |text: Option<&str>| text.unwrap().to_owned();
    let origins = staying.map(|i| (text(i.instance_type()), text(i.launch_template().unwrap().version())));
    origins.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}
