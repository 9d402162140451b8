//! The planner against a world that does what the changes say.

use std::collections::BTreeMap;

use super::{Change, Gateway, Group, Ingress, Interface, RouteTable, Source, World, facts, plan, teardown};
use crate::layer::fixtures::{last_first, lines, scope};
use crate::plan::{Found, Plan, Ref, Refusal, Step, StepId};

fn empty() -> World {
    World { zones: ["a", "b", "c"].map(|zone| format!("ap-south-1{zone}")).to_vec(), ..World::default() }
}

/// Does to the world what AWS would. What a plan makes gets other ids than what an earlier one made.
fn carry_out(world: &mut World, plan: &Plan<Change>, steps: usize) {
    let run = world.vpcs.len() + world.gateways.len() + world.subnets.len() + world.groups.len();
    let id = |reference: &Ref| match reference {
        Ref::Known(id) => id.clone(),
        Ref::Made(StepId(step)) => format!("made-{run}-{step}"),
    };
    for (number, step) in plan.steps.iter().enumerate().take(steps) {
        let new = format!("made-{run}-{number}");
        match step.change.clone() {
            Change::CreateVpc { mut settings } => {
                (settings.dns_hostnames, settings.dns_support) = (false, true);
                world.vpcs.push(Found { id: new, settings });
            }
            Change::SetVpcDns { new, .. } => {
                let vpc = &mut world.vpcs[0].settings;
                (vpc.dns_hostnames, vpc.dns_support) = (new.dns_hostnames, new.dns_support);
            }
            Change::CreateGateway { tags } => {
                world.gateways.push(Found { id: new, settings: Gateway { vpc: None, tags } });
            }
            Change::AttachGateway { vpc, .. } => world.gateways[0].settings.vpc = Some(id(&vpc)),
            Change::CreateRouteTable { tags, .. } => {
                let settings = RouteTable { default_route: None, subnets: BTreeMap::new(), tags };
                world.route_tables.push(Found { id: new, settings });
            }
            Change::SetDefaultRoute { gateway, .. } => {
                world.route_tables[0].settings.default_route = Some(id(&gateway));
            }
            Change::CreateSubnet { zone, mut settings, .. } => {
                settings.public_ip_on_launch = false;
                world.subnets.insert(zone, Found { id: new, settings });
            }
            Change::SetPublicIp { subnet, .. } => {
                let found = world.subnets.values_mut().find(|found| found.id == id(&subnet)).unwrap();
                found.settings.public_ip_on_launch = true;
            }
            Change::Associate { subnet, .. } => {
                world.route_tables[0].settings.subnets.insert(id(&subnet), new);
            }
            Change::CreateGroup { name, settings, .. } => {
                let settings = Group { ingress: [].into(), ..settings };
                world.groups.insert(name, Found { id: new, settings });
            }
            Change::AllowIn { name, rules, .. } => {
                let ingress = &mut world.groups.get_mut(&name).unwrap().settings.ingress;
                ingress.extend(rules.into_iter().map(|(rule, _)| rule));
            }
            Change::AllowOut { name, .. } => world.groups.get_mut(&name).unwrap().settings.egress_all = true,
            Change::RevokeIn { group, rules, .. } => {
                let groups = world.groups.values_mut().chain(world.spare.groups.iter_mut().map(|(_, found)| found));
                let found = groups.into_iter().find(|found| found.id == group).unwrap();
                let ingress = &mut found.settings.ingress;
                ingress.retain(|rule| rules.iter().all(|(revoked, _)| revoked != rule));
            }
            Change::SetTags { new, .. } => world.vpcs[0].settings.tags.extend(new),
            other => take_away(world, other),
        }
    }
}

/// Deletions, wherever what goes is.
fn take_away(world: &mut World, change: Change) {
    match change {
        Change::DeleteGroup { id, .. } => {
            world.groups.retain(|_, found| found.id != id);
            world.spare.groups.retain(|(_, found)| found.id != id);
        }
        Change::Disassociate { association, .. } => {
            for table in world.route_tables.iter_mut().chain(&mut world.spare.route_tables) {
                table.settings.subnets.retain(|_, found| *found != association);
            }
        }
        Change::DeleteSubnet { id, .. } => {
            world.subnets.retain(|_, found| found.id != id);
            world.spare.subnets.retain(|found| found.id != id);
        }
        Change::DeleteRouteTable { id, .. } => {
            world.route_tables.retain(|found| found.id != id);
            world.spare.route_tables.retain(|found| found.id != id);
        }
        Change::DetachGateway { id, .. } => {
            world.gateways.iter_mut().find(|found| found.id == id).unwrap().settings.vpc = None;
        }
        Change::DeleteGateway { id, .. } => world.gateways.retain(|found| found.id != id),
        Change::DeleteVpc { id, .. } => world.vpcs.retain(|found| found.id != id),
        other => panic!("{other:?} deletes nothing"),
    }
}

fn standing() -> World {
    let mut world = empty();
    let plan = plan(&scope(), &world).unwrap();
    carry_out(&mut world, &plan, usize::MAX);
    world
}

#[test]
fn from_nothing_one_apply_makes_the_network_and_the_next_has_nothing_to_do() {
    let world = standing();
    assert_eq!(plan(&scope(), &world).unwrap(), Plan::default());
    let blocks: Vec<String> = world.subnets.values().map(|found| found.settings.cidr.to_string()).collect();
    assert_eq!(blocks, ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]);
    let groups: Vec<&str> = world.groups.keys().map(String::as_str).collect();
    let wanted = ["alb-external", "alb-internal", "instances", "probe"].map(|key| format!("skyfox-devprod-{key}"));
    assert_eq!(groups, wanted);
}

#[test]
fn the_internal_load_balancer_admits_the_instances_and_the_probe_and_nobody_else() {
    let world = standing();
    let sources: Vec<&Source> =
        world.groups["skyfox-devprod-alb-internal"].settings.ingress.iter().map(|rule| &rule.source).collect();
    let wanted = ["instances", "probe"].map(|key| Source::Group(format!("skyfox-devprod-{key}")));
    assert_eq!(sources, wanted.iter().collect::<Vec<_>>());
}

/// SkyFox with HTTPS on both load balancers.
fn secure() -> crate::scope::Scope {
    let mut scope = scope();
    for (key, balancer) in &mut scope.platform.load_balancers {
        balancer.certificate = Some("arn:aws:acm:ap-south-1:123456789012:certificate/1".into());
        balancer.host = Some(format!("{key}.example.com"));
    }
    scope
}

fn ports(world: &World, group: &str) -> Vec<(i32, Source)> {
    let ingress = &world.groups[&format!("skyfox-devprod-{group}")].settings.ingress;
    ingress.iter().map(|rule| (rule.to, rule.source.clone())).collect()
}

#[test]
fn a_certificate_opens_443_to_the_same_callers_as_80_and_nothing_else_changes() {
    let mut world = standing();
    let plain = world.clone();
    let found = plan(&secure(), &world).unwrap();
    let told: Vec<String> = found.describe().iter().map(ToString::to_string).collect();
    let groups = ["external", "internal"].map(|key| format!("~ security group skyfox-devprod-alb-{key}"));
    assert_eq!(told, groups);
    carry_out(&mut world, &found, usize::MAX);
    let anywhere = Source::Cidr("0.0.0.0/0".into());
    assert_eq!(ports(&world, "alb-external"), [(80, anywhere.clone()), (443, anywhere)]);
    let [instances, probe] = ["instances", "probe"].map(|key| Source::Group(format!("skyfox-devprod-{key}")));
    let both = [(80, instances.clone()), (80, probe.clone()), (443, instances), (443, probe)];
    assert_eq!(ports(&world, "alb-internal"), both);
    assert_eq!(ports(&world, "instances"), ports(&plain, "instances"));
    assert!(plan(&secure(), &world).unwrap().is_empty());
    assert!(ports(&plain, "alb-external").iter().all(|(port, _)| *port == 80), "without a certificate it is closed");
}

#[test]
fn switching_https_off_closes_no_port_that_callers_are_still_sent_to() {
    let mut world = standing();
    let on = plan(&secure(), &world).unwrap();
    carry_out(&mut world, &on, usize::MAX);
    assert!(plan(&scope(), &world).unwrap().is_empty());
    // That is no licence for others to open it.
    let group = &mut world.groups.get_mut("skyfox-devprod-alb-internal").unwrap().settings;
    group.ingress.insert(Ingress::tcp(443, Source::Cidr("0.0.0.0/0".into())));
    let group = &mut world.groups.get_mut("skyfox-devprod-instances").unwrap().settings;
    group.ingress.insert(Ingress::tcp(443, Source::Group("skyfox-devprod-alb-external".into())));
    assert_eq!(plan(&scope(), &world).unwrap().steps.len(), 2);
}

#[test]
fn an_apply_that_died_after_any_step_is_finished_by_the_next_without_a_second_of_anything() {
    let scope = scope();
    let first = plan(&scope, &empty()).unwrap();
    for steps in 0..first.steps.len() {
        let mut world = empty();
        carry_out(&mut world, &first, steps);
        let second = plan(&scope, &world).unwrap();
        carry_out(&mut world, &second, usize::MAX);
        assert_eq!(
            (world.vpcs.len(), world.gateways.len(), world.route_tables.len()),
            (1, 1, 1),
            "after {steps} steps"
        );
        assert!(plan(&scope, &world).unwrap().is_empty(), "after {steps} steps the second run left something undone");
        assert!(second.steps.len() <= first.steps.len() - steps, "after {steps} steps it did something again");
    }
}

#[test]
fn a_second_vpc_and_gateway_left_by_a_lost_answer_are_reaped() {
    let scope = scope();
    let mut world = standing();
    let (mut vpc, mut gateway) = (world.vpcs[0].clone(), world.gateways[0].clone());
    (vpc.id, gateway.id, gateway.settings.vpc) = ("vpc-spare".into(), "igw-spare".into(), None);
    world.vpcs.push(vpc);
    world.gateways.push(gateway);
    let found = plan(&scope, &world).unwrap();
    let told: Vec<String> = found.describe().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["- internet gateway skyfox-devprod-igw", "- VPC skyfox-devprod-vpc"]);
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world, standing());
}

/// The world with a second network beside it, made by an attempt that did not see the first.
fn doubled() -> World {
    let mut world = standing();
    let other = |id: &mut String| *id = format!("other-{id}");
    let mut second = world.clone();
    other(&mut second.vpcs[0].id);
    other(&mut second.gateways[0].id);
    second.gateways[0].settings.vpc = Some(second.vpcs[0].id.clone());
    for table in &mut second.route_tables {
        other(&mut table.id);
        let moved =
            table.settings.subnets.iter().map(|(subnet, id)| (format!("other-{subnet}"), format!("other-{id}")));
        table.settings.subnets = moved.collect();
    }
    world.vpcs.append(&mut second.vpcs);
    world.gateways.append(&mut second.gateways);
    world.spare.route_tables = second.route_tables;
    world.spare.subnets = second.subnets.into_values().collect();
    world.spare.groups = second.groups.into_iter().collect();
    world.spare.subnets.iter_mut().for_each(|found| other(&mut found.id));
    world.spare.groups.iter_mut().for_each(|(_, found)| other(&mut found.id));
    world
}

#[test]
fn a_whole_second_network_is_reaped_from_the_inside_out_and_the_first_is_left_alone() {
    let mut world = doubled();
    let found = plan(&scope(), &world).unwrap();
    assert!(found.describe().iter().all(|change| change.action != crate::plan::Action::Create), "{found:#?}");
    let vpc = found.steps.iter().position(|step| matches!(step.change, Change::DeleteVpc { .. })).unwrap();
    assert!(found.steps[vpc].after.len() >= 9, "the VPC goes after its groups, subnets, route table and gateway");
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world, standing());
}

#[test]
fn a_destroy_takes_a_second_network_along() {
    let mut world = doubled();
    let found = teardown(&scope(), &world);
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world, empty());
}

#[test]
fn a_second_vpc_in_which_something_runs_is_told_and_left_alone() {
    let mut world = standing();
    world.in_use.push("vpc-busy".into());
    let mut gateway = world.gateways[0].clone();
    (gateway.id, gateway.settings.vpc) = ("igw-busy".into(), Some("vpc-busy".into()));
    world.gateways.push(gateway);
    let found = plan(&scope(), &world).unwrap();
    assert!(found.is_empty() && found.notes[0].contains("vpc-busy"), "{found:#?}");
    assert!(!teardown(&scope(), &world).waits.is_empty(), "a destroy waits for what is in it");
}

#[test]
fn a_gateway_of_the_spare_vpc_is_not_taken_for_the_platforms() {
    let mut world = doubled();
    world.gateways.remove(0);
    let found = plan(&scope(), &world).unwrap();
    assert!(found.steps.iter().any(|step| matches!(step.change, Change::CreateGateway { .. })), "{found:#?}");
}

#[test]
fn a_rule_that_somebody_opened_is_closed_and_one_that_was_closed_is_opened() {
    let mut world = standing();
    let group = &mut world.groups.get_mut("skyfox-devprod-instances").unwrap().settings;
    group.ingress.pop_first();
    group.ingress.insert(Ingress::tcp(22, Source::Cidr("0.0.0.0/0".into())));
    let found = plan(&scope(), &world).unwrap();
    assert_eq!(found.steps.len(), 2);
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world, standing());
}

#[test]
fn a_tag_that_was_taken_off_is_put_on_again_and_a_tag_of_somebody_else_stays() {
    let mut world = standing();
    let tags = &mut world.vpcs[0].settings.tags;
    tags.remove("Project");
    tags.insert("cost-centre".into(), "42".into());
    let found = plan(&scope(), &world).unwrap();
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world.vpcs[0].settings.tags["Project"], "skyfox");
    assert_eq!(world.vpcs[0].settings.tags["cost-centre"], "42");
    assert!(plan(&scope(), &world).unwrap().is_empty());
}

#[test]
fn another_block_for_a_standing_vpc_is_refused() {
    let mut scope = scope();
    scope.platform.network.cidr = "10.1.0.0/16".parse().unwrap();
    let refusal = plan(&scope, &standing()).unwrap_err();
    assert!(matches!(&refusal, Refusal::Impossible { what, .. } if what.contains("10.1.0.0/16")), "{refusal}");
}

#[test]
fn more_zones_than_the_region_has_are_refused_with_both_numbers() {
    let mut scope = scope();
    scope.platform.network.zones = 4;
    let refusal = plan(&scope, &empty()).unwrap_err().to_string();
    assert!(refusal.contains("asks for 4") && refusal.contains("has 3"), "{refusal}");
}

#[test]
fn teardown_leaves_nothing_and_removes_each_thing_after_what_uses_it() {
    let mut world = standing();
    let found = teardown(&scope(), &world);
    carry_out(&mut world, &found, usize::MAX);
    assert_eq!(world, empty());
    let vpc = found.steps.iter().position(|step| matches!(step.change, Change::DeleteVpc { .. })).unwrap();
    assert_eq!(vpc, found.steps.len() - 1);
    assert!(found.steps[vpc].after.len() >= 9, "the VPC goes after its groups, subnets, route table and gateway");
}

/// An interface in a subnet and a security group of the world.
fn interface(world: &World, zone: &str, group: &str, of_instance: bool) -> Interface {
    let group = world.groups[&format!("skyfox-devprod-{group}")].id.clone();
    Interface { subnet: world.subnets[zone].id.clone(), groups: [group].into(), of_instance }
}

#[test]
fn security_groups_of_a_load_balancer_that_left_the_file_go_when_it_has_let_go_of_them() {
    let mut world = standing();
    let mut scope = scope();
    scope.platform.load_balancers.remove("internal");
    world.interfaces = vec![interface(&world, "ap-south-1a", "alb-internal", false)];
    let held = plan(&scope, &world).unwrap();
    assert!(held.is_empty(), "as long as it serves, the instances admit it: {:#?}", lines(&held));
    let deferred: Vec<String> = held.deferred.iter().map(|deferred| deferred.description.to_string()).collect();
    let expected = [
        "~ security group skyfox-devprod-instances",
        "- security group skyfox-devprod-alb-internal",
        "- security group skyfox-devprod-probe",
    ];
    assert_eq!(deferred, expected);
    world.interfaces.clear();
    let free = plan(&scope, &world).unwrap();
    assert!(free.deferred.is_empty());
    for change in last_first(&free) {
        if let Change::DeleteGroup { name, .. } = &change {
            let named = |group: &Found<Group>| {
                group.settings.ingress.iter().any(|rule| rule.source == Source::Group(name.clone()))
            };
            assert!(!world.groups.values().any(named), "AWS refuses to delete {name}");
        }
        let one = Plan { steps: vec![Step { change, after: Vec::new() }], ..Plan::default() };
        carry_out(&mut world, &one, 1);
    }
    assert!(plan(&scope, &world).unwrap().is_empty());
    assert_eq!(world.groups.len(), 2);
}

#[test]
fn a_zone_that_is_left_keeps_its_subnet_as_long_as_somebody_is_in_it_and_is_told_to_nobody() {
    let mut world = standing();
    let mut scope = scope();
    scope.platform.network.zones = 2;
    let gone = world.subnets["ap-south-1c"].id.clone();
    world.interfaces = vec![interface(&world, "ap-south-1c", "instances", true)];
    let held = plan(&scope, &world).unwrap();
    assert!(held.is_empty(), "{:#?}", lines(&held));
    assert_eq!(held.deferred.len(), 1);
    let told = facts(&scope, &world).network.unwrap();
    assert_eq!((told.subnet_ids.len(), told.leaving_subnet_ids), (2, [gone].into()));
    // The load balancer's.
    world.interfaces[0].of_instance = false;
    assert_eq!(plan(&scope, &world).unwrap().deferred.len(), 1);
    assert!(facts(&scope, &world).network.unwrap().leaving_subnet_ids.is_empty());
    world.interfaces.clear();
    assert_eq!(lines(&plan(&scope, &world).unwrap()), ["- subnet skyfox-devprod-public-ap-south-1c"]);
}

#[test]
fn a_zone_without_the_instance_type_is_left_out_unless_it_is_in_use() {
    let zone = |letter: &str| format!("ap-south-1{letter}");
    let mut scope = scope();
    scope.platform.network.zones = 2;
    let zones = |plan: &Plan<Change>| -> Vec<String> {
        let made = plan.steps.iter().filter_map(|step| match &step.change {
            Change::CreateSubnet { zone, settings, .. } => Some(format!("{zone} {}", settings.cidr)),
            _ => None,
        });
        made.collect()
    };
    let mut world = World { lacking: [zone("a")].into(), ..empty() };
    let made = zones(&plan(&scope, &world).unwrap());
    assert_eq!(made, ["ap-south-1b 10.0.0.0/24", "ap-south-1c 10.0.1.0/24"]);

    // What stands stays, with its block, whatever AWS offers there now; a zone more moves nothing.
    let first = plan(&scope, &world).unwrap();
    carry_out(&mut world, &first, usize::MAX);
    world.lacking = [zone("b")].into();
    assert!(zones(&plan(&scope, &world).unwrap()).is_empty());
    scope.platform.network.zones = 3;
    assert_eq!(zones(&plan(&scope, &world).unwrap()), ["ap-south-1a 10.0.2.0/24"]);

    let refused = plan(&scope, &World { lacking: [zone("a"), zone("c")].into(), ..empty() }).unwrap_err().to_string();
    assert!(refused.contains("is not offered in ap-south-1a, ap-south-1c"), "{refused}");
}

#[test]
fn zones_that_the_file_names_are_used_or_refused_by_name() {
    let zone = |letter: &str| format!("ap-south-1{letter}");
    let mut scope = scope();
    scope.platform.network.zones = 2;
    scope.platform.network.zone_names = vec![zone("b"), zone("c")];
    let made = plan(&scope, &empty()).unwrap();
    let text = lines(&made).join("\n");
    assert!(text.contains("public-ap-south-1b") && text.contains("public-ap-south-1c"), "{text}");
    assert!(!text.contains("public-ap-south-1a"), "{text}");

    // What stands elsewhere is left, as when a zone less is wanted.
    let leaves = plan(&scope, &standing()).unwrap();
    assert_eq!(lines(&leaves), ["- subnet skyfox-devprod-public-ap-south-1a"]);

    scope.platform.network.zone_names = vec![zone("b"), zone("d"), zone("e")];
    scope.platform.network.zones = 3;
    let world = World { lacking: [zone("b")].into(), ..empty() };
    let refused = plan(&scope, &world).unwrap_err().to_string();
    assert!(
        refused.contains(
            "is not offered in ap-south-1b, and ap-south-1 has no availability zone ap-south-1d, ap-south-1e"
        ),
        "{refused}"
    );
}
