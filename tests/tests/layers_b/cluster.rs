//! Cluster, instances, capacity provider, logs.

use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::network::Network;
use skydeck_core::run::Mode;

use crate::harness::{apply, destroy, emulators, ground, repair, run};

#[tokio::test]
async fn a_cluster_comes_stays_is_repaired_and_goes() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = ground("lcluster", &emulator).await;
        assert_eq!(apply::<Cluster>(&emulator, &mut scope).await, 7, "{}", emulator.name);
        let facts = scope.facts.cluster.clone().unwrap();
        assert_eq!(facts.cluster_name, "lcluster-devprod", "{}", emulator.name);
        assert!(facts.cluster_arn.ends_with("cluster/lcluster-devprod"));

        let group = clients.autoscaling.update_auto_scaling_group().auto_scaling_group_name(&facts.auto_scaling_group);
        group.max_size(9).send().await.unwrap();
        clients.logs.delete_retention_policy().log_group_name(&facts.log_group).send().await.unwrap();
        repair::<Cluster>(&emulator, &scope, "max").await;

        // Another instance type is another version of the launch template, and the group uses it.
        scope.platform.cluster.instances.instance_type = "t4g.micro".into();
        let changed = run::<Cluster>(&emulator, &scope, Mode::Apply).await;
        assert!(changed.changes.len() >= 2, "{}: {:?}", emulator.name, changed.changes);
        assert!(run::<Cluster>(&emulator, &scope, Mode::Apply).await.changes.is_empty());

        destroy::<Cluster>(&emulator, &scope).await;
        let groups = clients.autoscaling.describe_auto_scaling_groups();
        let groups = groups.auto_scaling_group_names(&facts.auto_scaling_group).send().await.unwrap();
        assert!(groups.auto_scaling_groups().is_empty());
        destroy::<Network>(&emulator, &scope).await;
    }
}
