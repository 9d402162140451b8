//! The network. Its settings are read by its own observation here; the test of the whole run reads them with the SDK.

use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, InternetGateway, IpPermission, IpRange, ResourceType, RouteTable, SecurityGroup,
    Subnet, Tag, TagSpecification, Vpc,
};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::network::Network;
use skydeck_core::Scope;
use skydeck_core::facts::NetworkFacts;

use super::harness::{Emulator, apply, destroy, emulators, repair, sandbox};

const ANYWHERE: &str = "0.0.0.0/0";

#[tokio::test]
async fn a_network_comes_stays_is_repaired_and_goes_and_look_alikes_stay() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = emulator.scope("lnetwork").await;
        // The same environment of another platform, and another environment of this one.
        let other = Stranger::make(clients, &scope, ["other", "devprod"]).await;
        let staging = Stranger::make(clients, &scope, ["lnetwork", "staging"]).await;
        let before = [other.network(clients).await, staging.network(clients).await];

        let made = apply::<Network>(&emulator, &mut scope).await;
        assert!(made.report.notes.is_empty(), "what is somebody else's is not talked about: {:?}", made.report.notes);
        let facts = made.facts.network.unwrap();
        assert_eq!((facts.subnet_ids.len(), facts.security_group_ids.len()), (3, 4), "{}", emulator.name);
        assert!(
            facts.vpc_id != other.vpc && facts.vpc_id != staging.vpc,
            "{}: a stranger's VPC is used",
            emulator.name
        );
        drift_of_groups(&emulator, &scope, &facts).await;
        drift_of_ways(&emulator, &scope, &facts).await;

        destroy::<Network>(&emulator, &scope).await;
        let after = [other.network(clients).await, staging.network(clients).await];
        assert_eq!(after, before, "{}: a stranger's network", emulator.name);
        let left = clients.ec2().describe_vpcs().vpc_ids(&facts.vpc_id).send().await;
        assert!(left.is_err(), "{}: {left:?}", emulator.name);
    }
}

async fn drift_of_groups(emulator: &Emulator, scope: &Scope, facts: &NetworkFacts) {
    let ec2 = emulator.clients.ec2();
    let group = &facts.security_group_ids["instances"];
    let open = ec2.authorize_security_group_ingress().group_id(group).ip_protocol("tcp").from_port(22).to_port(22);
    open.cidr_ip(ANYWHERE).send().await.unwrap();
    repair::<Network>(emulator, scope, "ingress").await;
    let all = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip(ANYWHERE).build());
    ec2.revoke_security_group_egress().group_id(group).ip_permissions(all.build()).send().await.unwrap();
    repair::<Network>(emulator, scope, "egress_all").await;
    let tag = Tag::builder().key("Project").build();
    ec2.delete_tags().resources(&facts.vpc_id).tags(tag).send().await.unwrap();
    repair::<Network>(emulator, scope, "tags").await;
}

async fn drift_of_ways(emulator: &Emulator, scope: &Scope, facts: &NetworkFacts) {
    let ec2 = emulator.clients.ec2();
    let off = || AttributeBooleanValue::builder().value(false).build();
    ec2.modify_vpc_attribute().vpc_id(&facts.vpc_id).enable_dns_hostnames(off()).send().await.unwrap();
    repair::<Network>(emulator, scope, "dns_hostnames").await;
    let subnet = facts.subnet_ids.values().next().unwrap();
    ec2.modify_subnet_attribute().subnet_id(subnet).map_public_ip_on_launch(off()).send().await.unwrap();
    repair::<Network>(emulator, scope, "public_ip_on_launch").await;
    let ours = Filter::builder().name("association.subnet-id").values(subnet).build();
    let tables = ec2.describe_route_tables().filters(ours).send().await.unwrap();
    let table = tables.route_tables()[0].route_table_id().unwrap();
    ec2.delete_route().route_table_id(table).destination_cidr_block(ANYWHERE).send().await.unwrap();
    repair::<Network>(emulator, scope, ANYWHERE).await;
}

/// Somebody else's network, that has our names and addresses and all but our mark of ownership.
struct Stranger {
    vpc: String,
    gateway: String,
}

impl Stranger {
    async fn make(clients: &Clients, scope: &Scope, [platform, environment]: [&str; 2]) -> Self {
        let ec2 = clients.ec2();
        let tags = |kind: ResourceType, name: &str| {
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
            let tags = TagSpecification::builder().resource_type(kind).tags(tag("Name", &scope.name(name)));
            let tags = tags.tags(tag("skydeck:platform", platform));
            tags.tags(tag("skydeck:environment", environment)).build()
        };
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").tag_specifications(tags(ResourceType::Vpc, "vpc"));
        let vpc = vpc.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24").availability_zone("ap-south-1a");
        subnet.tag_specifications(tags(ResourceType::Subnet, "public-ap-south-1a")).send().await.unwrap();
        let group = ec2.create_security_group().vpc_id(&vpc).group_name(scope.name("instances"));
        let group = group.description("Container instances");
        group.tag_specifications(tags(ResourceType::SecurityGroup, "instances")).send().await.unwrap();
        let gateway = ec2.create_internet_gateway().tag_specifications(tags(ResourceType::InternetGateway, "igw"));
        let gateway = gateway.send().await.unwrap().internet_gateway.unwrap().internet_gateway_id.unwrap();
        ec2.attach_internet_gateway().vpc_id(&vpc).internet_gateway_id(&gateway).send().await.unwrap();
        let table = ec2.create_route_table().vpc_id(&vpc).tag_specifications(tags(ResourceType::RouteTable, "public"));
        table.send().await.unwrap();
        Self { vpc, gateway }
    }

    async fn network(&self, clients: &Clients) -> Seen {
        let ec2 = clients.ec2();
        let here = || Filter::builder().name("vpc-id").values(&self.vpc).build();
        let vpcs = ec2.describe_vpcs().vpc_ids(&self.vpc).send().await.unwrap();
        let gateways = ec2.describe_internet_gateways().internet_gateway_ids(&self.gateway).send().await.unwrap();
        let seen = Seen {
            vpcs: vpcs.vpcs.unwrap(),
            gateways: gateways.internet_gateways.unwrap(),
            subnets: ec2.describe_subnets().filters(here()).send().await.unwrap().subnets.unwrap(),
            groups: ec2.describe_security_groups().filters(here()).send().await.unwrap().security_groups.unwrap(),
            tables: ec2.describe_route_tables().filters(here()).send().await.unwrap().route_tables.unwrap(),
        };
        assert!(!seen.subnets.is_empty() && seen.groups.len() >= 2 && !seen.tables.is_empty(), "{seen:?}");
        seen
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    vpcs: Vec<Vpc>,
    gateways: Vec<InternetGateway>,
    subnets: Vec<Subnet>,
    groups: Vec<SecurityGroup>,
    tables: Vec<RouteTable>,
}

#[tokio::test]
async fn a_zone_that_lacks_the_instance_type_gets_no_subnet() {
    let emulator = sandbox().await;
    let mut scope = emulator.scope("lzones").await;
    scope.platform.network.zones = 2;
    emulator.take_from_offer("ap-south-1a", &scope.platform.cluster.instances.instance_type);
    apply::<Network>(&emulator, &mut scope).await;
    let network = scope.facts.network.as_ref().unwrap();
    assert_eq!(network.subnet_ids.keys().collect::<Vec<_>>(), ["ap-south-1b", "ap-south-1c"]);
    destroy::<Network>(&emulator, &scope).await;
}
