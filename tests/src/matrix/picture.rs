//! What stands in an account: everything that can be counted, by independent listings, and the settings of the layers as
//! the product observes them. Two accounts in which the same stands have the same picture.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use aws_sdk_ecs::types::TaskDefinitionStatus;
use serde_json::{Value, json};
use skydeck_aws::Clients;
use skydeck_aws::layer::Work;
use skydeck_aws::layer::balancer::Balancer;
use skydeck_aws::layer::cluster::Cluster;
use skydeck_aws::layer::identity::Identity;
use skydeck_aws::layer::network::Network;
use skydeck_aws::layer::registry::Registry;
use skydeck_aws::layer::secrets::Secrets;
use skydeck_aws::layer::service::Service;
use skydeck_aws::layer::storage::Storage;
use skydeck_core::Scope;
use skydeck_core::run::Layer;

use super::names::Names;

/// A picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// What there is, by kind: a line for each, so that two of a name are two lines.
    pub things: BTreeMap<&'static str, Vec<String>>,
    /// Settings, by layer.
    pub settings: BTreeMap<&'static str, Value>,
}

/// How one picture differs from the one it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What is there once more than it should be.
    pub duplicates: Vec<String>,
    /// What should not be there.
    pub orphans: Vec<String>,
    /// What should be there.
    pub missing: Vec<String>,
    /// Layers whose settings are others.
    pub settings: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Picture {
    /// The account's picture, with the settings of these layers.
    pub async fn take(clients: &Clients, scope: &Scope, layers: &[Layer]) -> Self {
        let mut names = Names::default();
        let network = network(clients, &mut names).await;
        let balancing = balancing(clients, &mut names).await;
        let lists = [network, balancing, compute(clients).await, rest(clients).await];
        let plain = |(kind, lines): (&'static str, Vec<String>)| {
            let mut lines: Vec<String> = lines.iter().map(|line| names.text(line)).collect();
            lines.sort();
            (kind, lines)
        };
        let things = lists.into_iter().flatten().map(plain).collect();
        let mut settings = BTreeMap::new();
        for layer in layers {
            settings.insert(layer.name(), names.plain(&observed(clients, scope, *layer).await));
        }
        Picture { things, settings }
    }

    /// How this differs from what should be.
    #[must_use]
    pub fn against(&self, wanted: &Picture) -> Difference {
        let mut found = Difference::default();
        let none = Vec::new();
        for kind in self.things.keys().chain(wanted.things.keys()) {
            let (is, should) = (self.things.get(kind).unwrap_or(&none), wanted.things.get(kind).unwrap_or(&none));
            let count = |lines: &[String], line: &String| lines.iter().filter(|other| *other == line).count();
            for line in is.iter().chain(should) {
                let told = format!("{kind} {line}");
                let list = match (count(is, line), count(should, line)) {
                    (has, wants) if has == wants => continue,
                    (has, wants) if has < wants => &mut found.missing,
                    (_, 0) => &mut found.orphans,
                    _ => &mut found.duplicates,
                };
                if !list.contains(&told) {
                    list.push(told);
                }
            }
        }
        for (layer, value) in &self.settings {
            let wanted = wanted.settings.get(layer).unwrap_or(&Value::Null);
            for attribute in skydeck_core::plan::diff(wanted, value) {
                found
                    .settings
                    .push(format!("{layer} {}: {:?} instead of {:?}", attribute.name, attribute.new, attribute.old));
            }
        }
        found
    }
}

async fn observed(clients: &Clients, scope: &Scope, layer: Layer) -> Value {
    macro_rules! world {
        ($work:ty) => {
            json!(<$work>::observe(clients, scope).await.expect("the layer can be observed"))
        };
    }
    let mut world = match layer {
        Layer::Network => world!(Network),
        Layer::Identity => world!(Identity),
        Layer::Registry => world!(Registry),
        Layer::Storage => world!(Storage),
        Layer::Secrets => world!(Secrets),
        Layer::Balancer => world!(Balancer),
        Layer::Cluster => world!(Cluster),
        Layer::Service => world!(Service),
    };
    // What AWS is doing for a moment is no setting.
    if let Some(fields) = world.as_object_mut() {
        fields.remove("probe_busy");
    }
    world
}

type Things = Vec<(&'static str, Vec<String>)>;

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn named(tags: &[Tag]) -> String {
    text(tags.iter().find(|tag| tag.key() == Some("Name")).and_then(|tag| tag.value()))
}

async fn network(clients: &Clients, names: &mut Names) -> Things {
    let ec2 = clients.ec2();
    let vpcs = ec2.describe_vpcs().send().await.expect("VPCs");
    let subnets = ec2.describe_subnets().send().await.expect("subnets");
    let groups = ec2.describe_security_groups().send().await.expect("security groups");
    let tables = ec2.describe_route_tables().send().await.expect("route tables");
    let gateways = ec2.describe_internet_gateways().send().await.expect("gateways");
    for vpc in vpcs.vpcs() {
        names.learn(vpc.vpc_id().unwrap_or_default(), &named(vpc.tags()));
    }
    for subnet in subnets.subnets() {
        names.learn(subnet.subnet_id().unwrap_or_default(), &named(subnet.tags()));
    }
    for group in groups.security_groups() {
        names.learn(group.group_id().unwrap_or_default(), group.group_name().unwrap_or_default());
    }
    for table in tables.route_tables() {
        names.learn(table.route_table_id().unwrap_or_default(), &named(table.tags()));
    }
    for gateway in gateways.internet_gateways() {
        names.learn(gateway.internet_gateway_id().unwrap_or_default(), &named(gateway.tags()));
    }
    let group = |group: &aws_sdk_ec2::types::SecurityGroup| {
        let rules = [group.ip_permissions(), group.ip_permissions_egress()].map(|rules| {
            let mut rules: Vec<String> = rules
                .iter()
                .map(|rule| {
                    let ranges: Vec<_> = rule.ip_ranges().iter().filter_map(|range| range.cidr_ip()).collect();
                    let pairs: Vec<_> = rule.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()).collect();
                    format!("{:?} {:?}-{:?} {ranges:?} {pairs:?}", rule.ip_protocol(), rule.from_port(), rule.to_port())
                })
                .map(|rule| names.text(&rule))
                .collect();
            rules.sort();
            rules
        });
        format!("{} in {}: {rules:?}", text(group.group_name()), text(group.vpc_id()))
    };
    let table = |table: &aws_sdk_ec2::types::RouteTable| {
        let routes: Vec<_> = table.routes().iter().map(|to| (to.destination_cidr_block(), to.gateway_id())).collect();
        format!("{} in {}: {routes:?}", named(table.tags()), text(table.vpc_id()))
    };
    let gateway = |gateway: &aws_sdk_ec2::types::InternetGateway| {
        let vpcs: Vec<_> = gateway.attachments().iter().map(|attachment| attachment.vpc_id()).collect();
        format!("{} at {vpcs:?}", named(gateway.tags()))
    };
    let interfaces = ec2.describe_network_interfaces().send().await.expect("interfaces");
    // Those of functions and load balancers, which are counted themselves, stay a while after them.
    let lingers = |text: &str| text.starts_with("AWS Lambda VPC ENI") || text.starts_with("ELB ");
    let own = interfaces.network_interfaces().iter().filter(|one| !lingers(one.description().unwrap_or_default()));
    vec![
        ("VPC", vpcs.vpcs().iter().map(|vpc| format!("{} {}", named(vpc.tags()), text(vpc.cidr_block()))).collect()),
        (
            "subnet",
            subnets.subnets().iter().map(|one| format!("{} {}", named(one.tags()), text(one.cidr_block()))).collect(),
        ),
        ("security group", groups.security_groups().iter().map(group).collect()),
        ("route table", tables.route_tables().iter().map(table).collect()),
        ("internet gateway", gateways.internet_gateways().iter().map(gateway).collect()),
        ("network interface", own.map(|one| text(one.description())).collect()),
    ]
}

async fn balancing(clients: &Clients, names: &mut Names) -> Things {
    let elb = clients.elb();
    let balancers = elb.describe_load_balancers().send().await.expect("load balancers");
    let groups = elb.describe_target_groups().send().await.expect("target groups");
    let (mut listeners, mut rules) = (Vec::new(), Vec::new());
    for balancer in balancers.load_balancers() {
        let name = text(balancer.load_balancer_name());
        names.learn(balancer.dns_name().unwrap_or_default().split('.').next().unwrap_or_default(), &name);
        let request = elb.describe_listeners().load_balancer_arn(balancer.load_balancer_arn().unwrap_or_default());
        for listener in request.send().await.expect("listeners").listeners() {
            let place = format!("{name}:{}", listener.port().unwrap_or_default());
            let request = elb.describe_rules().listener_arn(listener.listener_arn().unwrap_or_default());
            let found = request.send().await.expect("rules");
            rules.extend(found.rules().iter().map(|rule| format!("{place} {}", text(rule.priority()))));
            listeners.push(place);
        }
    }
    for group in groups.target_groups() {
        // The name's end is made from the VPC's id, too.
        let name = group.target_group_name().unwrap_or_default();
        names.learn(name, name.rsplit_once('-').map_or(name, |(name, _)| name));
    }
    vec![
        ("load balancer", balancers.load_balancers().iter().map(|one| text(one.load_balancer_name())).collect()),
        ("target group", groups.target_groups().iter().map(|one| text(one.target_group_name())).collect()),
        ("listener", listeners),
        ("listener rule", rules),
    ]
}

async fn compute(clients: &Clients) -> Things {
    let (ec2, ecs, autoscaling) = (clients.ec2(), clients.ecs(), clients.autoscaling());
    let (lambda, logs) = (clients.lambda(), clients.logs());
    let templates = ec2.describe_launch_templates().send().await.expect("launch templates");
    let template = |one: &aws_sdk_ec2::types::LaunchTemplate| {
        format!("{} version {:?}", text(one.launch_template_name()), one.latest_version_number())
    };
    let groups = autoscaling.describe_auto_scaling_groups().send().await.expect("Auto Scaling groups");
    let clusters = ecs.list_clusters().send().await.expect("clusters");
    let mut services = Vec::new();
    for cluster in clusters.cluster_arns() {
        services.extend(
            ecs.list_services().cluster(cluster).send().await.expect("services").service_arns.unwrap_or_default(),
        );
    }
    let mut definitions = Vec::new();
    for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
        let found = ecs.list_task_definitions().status(status.clone()).send().await.expect("task definitions");
        definitions.extend(found.task_definition_arns().iter().map(|arn| format!("{status} {arn}")));
    }
    let providers = ecs.describe_capacity_providers().send().await.expect("capacity providers");
    let alive = |one: &&aws_sdk_ecs::types::CapacityProvider| one.status().is_none_or(|it| it.as_str() == "ACTIVE");
    let functions = lambda.list_functions().send().await.expect("functions");
    let groups_of_logs = logs.describe_log_groups().send().await.expect("log groups");
    vec![
        ("launch template", templates.launch_templates().iter().map(template).collect()),
        (
            "Auto Scaling group",
            groups.auto_scaling_groups().iter().map(|one| text(one.auto_scaling_group_name())).collect(),
        ),
        ("cluster", clusters.cluster_arns.unwrap_or_default()),
        ("service", services),
        ("task definition", definitions),
        (
            "capacity provider",
            providers.capacity_providers().iter().filter(alive).map(|one| text(one.name())).collect(),
        ),
        ("function", functions.functions().iter().map(|one| text(one.function_name())).collect()),
        ("log group", groups_of_logs.log_groups().iter().map(|one| text(one.log_group_name())).collect()),
    ]
}

async fn rest(clients: &Clients) -> Things {
    let (iam, ecr, s3, ssm) = (clients.iam(), clients.ecr(), clients.s3(), clients.ssm());
    let roles = iam.list_roles().send().await.expect("roles");
    let profiles = iam.list_instance_profiles().send().await.expect("profiles");
    let scope = aws_sdk_iam::types::PolicyScopeType::Local;
    let policies = iam.list_policies().scope(scope).send().await.expect("policies");
    let repositories = ecr.describe_repositories().send().await.expect("repositories");
    let buckets = s3.list_buckets().send().await.expect("buckets");
    let parameters = ssm.describe_parameters().send().await.expect("parameters");
    vec![
        ("role", roles.roles().iter().map(|one| one.role_name().to_owned()).collect()),
        (
            "instance profile",
            profiles.instance_profiles().iter().map(|one| one.instance_profile_name().to_owned()).collect(),
        ),
        ("policy", policies.policies().iter().map(|one| text(one.policy_name())).collect()),
        ("repository", repositories.repositories().iter().map(|one| text(one.repository_name())).collect()),
        ("bucket", buckets.buckets().iter().map(|one| text(one.name())).collect()),
        ("parameter", parameters.parameters().iter().map(|one| text(one.name())).collect()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Picture;

    #[test]
    fn what_is_there_twice_too_much_missing_or_set_otherwise_is_told_apart() {
        let picture = |vpcs: &[&str], cidr: &str| Picture {
            things: [("VPC", vpcs.iter().map(ToString::to_string).collect())].into(),
            settings: [("network", json!({ "cidr": cidr }))].into(),
        };
        let wanted = picture(&["main", "other"], "10.0.0.0/16");
        assert!(wanted.against(&wanted).is_none());
        let found = picture(&["main", "main", "stranger"], "10.1.0.0/16").against(&wanted);
        assert_eq!(
            (&*found.duplicates, &*found.orphans),
            (&["VPC main".to_owned()][..], &["VPC stranger".to_owned()][..])
        );
        assert_eq!(found.missing, ["VPC other"]);
        assert_eq!(found.settings.len(), 1);
    }
}
