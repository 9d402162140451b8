//! The network, read back by its own observation; the whole run's test reads it with the SDK.

use skydeck_aws::layer::network::Network;

use crate::harness::{ACCOUNT, apply_twice, destroy, emulators, repair};

#[tokio::test]
async fn a_network_comes_stays_is_repaired_and_goes() {
    for emulator in emulators() {
        let clients = emulator.clients(ACCOUNT).await;
        let scope = emulator.scope("lnetwork", &clients).await;
        let facts = apply_twice::<Network>(&clients, &scope).await.facts.network.unwrap();
        assert_eq!((facts.subnet_ids.len(), facts.security_group_ids.len()), (3, 4), "{}", emulator.name);

        let group = &facts.security_group_ids["instances"];
        let open = clients.ec2.authorize_security_group_ingress().group_id(group).ip_protocol("tcp");
        open.from_port(22).to_port(22).cidr_ip("0.0.0.0/0").send().await.unwrap();
        repair::<Network>(&clients, &scope, "ingress").await;

        let tag = aws_sdk_ec2::types::Tag::builder().key("Project").build();
        clients.ec2.delete_tags().resources(&facts.vpc_id).tags(tag).send().await.unwrap();
        repair::<Network>(&clients, &scope, "tags").await;

        destroy::<Network>(&clients, &scope).await;
    }
}
