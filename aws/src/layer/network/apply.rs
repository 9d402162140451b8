//! Carries out the network's changes, one call each.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, IpPermission, IpRange, Ipv6Range, NetworkInterface, PrefixListId, ResourceType,
    TagSpecification, UserIdGroupPair,
};
use skydeck_core::layer::network::{ANYWHERE, Change, Group, Ingress, Source, Subnet, Vpc};
use skydeck_core::plan::Ref;
use skydeck_core::scope::Tags;

use crate::client::no_retries;
use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::execute::Made;
use crate::tag::to_ec2;

pub(super) async fn apply(ec2: &Client, change: &Change, made: &Made) -> Result<Option<String>> {
    match change {
        Change::CreateVpc { settings } => return create_vpc(ec2, settings).await.map(Some),
        Change::CreateGateway { tags } => return create_gateway(ec2, tags).await.map(Some),
        Change::CreateRouteTable { vpc, tags } => return create_table(ec2, made.id(vpc)?, tags).await.map(Some),
        Change::CreateSubnet { vpc, zone, settings } => {
            return create_subnet(ec2, made.id(vpc)?, zone, settings).await.map(Some);
        }
        Change::CreateGroup { vpc, name, settings } => {
            return create_group(ec2, made.id(vpc)?, name, settings).await.map(Some);
        }
        Change::SetVpcDns { vpc, name, new, .. } => {
            set_dns(ec2, made.id(vpc)?, name, new.dns_hostnames, new.dns_support).await?;
        }
        Change::AttachGateway { gateway, vpc, name } => attach(ec2, made.id(gateway)?, made.id(vpc)?, name).await?,
        Change::SetDefaultRoute { table, gateway, old, name } => {
            set_route(ec2, made.id(table)?, made.id(gateway)?, old.is_some(), name).await?;
        }
        Change::SetPublicIp { subnet, name } => set_public_ip(ec2, made.id(subnet)?, name).await?,
        Change::Associate { table, subnet, name } => associate(ec2, made.id(table)?, made.id(subnet)?, name).await?,
        Change::AllowIn { group, name, rules } => allow_in(ec2, made.id(group)?, name, rules, made).await?,
        Change::AllowOut { group, name } => allow_out(ec2, made.id(group)?, name).await?,
        Change::SetTags { id, kind, name, new, .. } => set_tags(ec2, id, kind, name, new).await?,
        Change::RevokeIn { group, name, rules } => revoke_in(ec2, group, name, rules, made).await?,
        Change::DeleteGroup { .. }
        | Change::Disassociate { .. }
        | Change::DeleteSubnet { .. }
        | Change::DeleteRouteTable { .. }
        | Change::DetachGateway { .. }
        | Change::DeleteGateway { .. }
        | Change::DeleteVpc { .. } => undo(ec2, change).await?,
    }
    Ok(None)
}

fn tagged(resource: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(resource).set_tags(Some(to_ec2(tags))).build()
}

/// The id in a creation's answer, which AWS always gives.
fn made_id(id: Option<&str>, what: &str) -> Result<String> {
    id.map(Into::into).ok_or_else(|| Error::Broken(format!("AWS made {what} and gave no id for it")))
}

async fn create_vpc(ec2: &Client, settings: &Vpc) -> Result<String> {
    let answer = ec2
        .create_vpc()
        .cidr_block(settings.cidr.to_string())
        .tag_specifications(tagged(ResourceType::Vpc, &settings.tags))
        .customize()
        .config_override(Builder::default().retry_config(no_retries()))
        .send()
        .await
        .during("create VPC", &settings.tags["Name"])?;
    made_id(answer.vpc().and_then(|vpc| vpc.vpc_id()), "the VPC")
}

async fn create_gateway(ec2: &Client, tags: &Tags) -> Result<String> {
    let answer = ec2
        .create_internet_gateway()
        .tag_specifications(tagged(ResourceType::InternetGateway, tags))
        .customize()
        .config_override(Builder::default().retry_config(no_retries()))
        .send()
        .await
        .during("create internet gateway", &tags["Name"])?;
    made_id(answer.internet_gateway().and_then(|gateway| gateway.internet_gateway_id()), "the internet gateway")
}

async fn create_table(ec2: &Client, vpc: &str, tags: &Tags) -> Result<String> {
    let answer = ec2
        .create_route_table()
        .vpc_id(vpc)
        .tag_specifications(tagged(ResourceType::RouteTable, tags))
        .send()
        .await
        .during("create route table", &tags["Name"])?;
    made_id(answer.route_table().and_then(|table| table.route_table_id()), "the route table")
}

async fn create_subnet(ec2: &Client, vpc: &str, zone: &str, settings: &Subnet) -> Result<String> {
    let answer = ec2
        .create_subnet()
        .vpc_id(vpc)
        .availability_zone(zone)
        .cidr_block(settings.cidr.to_string())
        .tag_specifications(tagged(ResourceType::Subnet, &settings.tags))
        // Its block guards it, but what a repetition is told is what a stranger's subnet in the way is told, too.
        .customize()
        .config_override(Builder::default().retry_config(no_retries()))
        .send()
        .await
        .during("create subnet", &settings.tags["Name"])?;
    made_id(answer.subnet().and_then(|subnet| subnet.subnet_id()), "the subnet")
}

async fn create_group(ec2: &Client, vpc: &str, name: &str, settings: &Group) -> Result<String> {
    let answer = ec2
        .create_security_group()
        .vpc_id(vpc)
        .group_name(name)
        .description(&settings.description)
        .tag_specifications(tagged(ResourceType::SecurityGroup, &settings.tags))
        // As with a subnet: its name guards it, and what is refused may be a stranger's.
        .customize()
        .config_override(Builder::default().retry_config(no_retries()))
        .send()
        .await
        .during("create security group", name)?;
    made_id(answer.group_id(), "the security group")
}

/// Two calls: AWS takes one attribute at a time.
async fn set_dns(ec2: &Client, vpc: &str, name: &str, hostnames: bool, support: bool) -> Result<()> {
    let value = |on| AttributeBooleanValue::builder().value(on).build();
    let set = || ec2.modify_vpc_attribute().vpc_id(vpc);
    set().enable_dns_support(value(support)).send().await.during("set DNS support of VPC", name)?;
    set().enable_dns_hostnames(value(hostnames)).send().await.during("set DNS hostnames of VPC", name)?;
    Ok(())
}

async fn attach(ec2: &Client, gateway: &str, vpc: &str, name: &str) -> Result<()> {
    let request = ec2.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc);
    // A retry after a lost answer finds the gateway attached.
    tolerate(request.send().await.during("attach internet gateway", name), &["Resource.AlreadyAssociated"])?;
    Ok(())
}

async fn set_route(ec2: &Client, table: &str, gateway: &str, replace: bool, name: &str) -> Result<()> {
    if replace {
        let request = ec2.replace_route().route_table_id(table).destination_cidr_block(ANYWHERE).gateway_id(gateway);
        request.send().await.during("replace the default route of", name)?;
    } else {
        let request = ec2.create_route().route_table_id(table).destination_cidr_block(ANYWHERE).gateway_id(gateway);
        // A retry after a lost answer finds the route there, or somebody else has made one: where it leads to is looked at.
        look_again(request.send().await.during("create the default route of", name), &["RouteAlreadyExists"])?;
    }
    Ok(())
}

async fn set_public_ip(ec2: &Client, subnet: &str, name: &str) -> Result<()> {
    let on = AttributeBooleanValue::builder().value(true).build();
    let request = ec2.modify_subnet_attribute().subnet_id(subnet).map_public_ip_on_launch(on);
    request.send().await.during("set public IP on launch of subnet", name)?;
    Ok(())
}

async fn associate(ec2: &Client, table: &str, subnet: &str, name: &str) -> Result<()> {
    let request = ec2.associate_route_table().route_table_id(table).subnet_id(subnet);
    request.send().await.during("associate the route table with subnet", name)?;
    Ok(())
}

fn permissions(rules: &[(Ingress, Option<Ref>)], made: &Made) -> Result<Vec<IpPermission>> {
    rules
        .iter()
        .map(|(rule, group)| {
            let permission = IpPermission::builder().ip_protocol(&rule.protocol).from_port(rule.from).to_port(rule.to);
            Ok(match (&rule.source, group) {
                (Source::Cidr(cidr), _) => permission.ip_ranges(IpRange::builder().cidr_ip(cidr).build()),
                (Source::Ipv6(cidr), _) => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).build()),
                (Source::PrefixList(id), _) => {
                    permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).build())
                }
                (Source::Group(id), group) => {
                    let id = group.as_ref().map_or(Ok(id.as_str()), |group| made.id(group))?;
                    permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(id).build())
                }
            }
            .build())
        })
        .collect()
}

async fn allow_in(ec2: &Client, group: &str, name: &str, rules: &[(Ingress, Option<Ref>)], made: &Made) -> Result<()> {
    let request = ec2.authorize_security_group_ingress().group_id(group);
    let request = request.set_ip_permissions(Some(permissions(rules, made)?));
    // A retry after a lost answer finds the rules there.
    tolerate(request.send().await.during("allow ingress of", name), &["InvalidPermission.Duplicate"])?;
    Ok(())
}

async fn revoke_in(ec2: &Client, group: &str, name: &str, rules: &[(Ingress, Option<Ref>)], made: &Made) -> Result<()> {
    let request = ec2.revoke_security_group_ingress().group_id(group);
    let request = request.set_ip_permissions(Some(permissions(rules, made)?));
    // A retry after a lost answer finds the rules gone, or the whole group by now.
    let gone = ["InvalidPermission.NotFound", "InvalidGroup.NotFound"];
    tolerate(request.send().await.during("revoke ingress of", name), &gone)?;
    Ok(())
}

async fn allow_out(ec2: &Client, group: &str, name: &str) -> Result<()> {
    let all = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip(ANYWHERE).build());
    let request = ec2.authorize_security_group_egress().group_id(group).ip_permissions(all.build());
    // A retry after a lost answer finds the rule there.
    tolerate(request.send().await.during("allow egress of", name), &["InvalidPermission.Duplicate"])?;
    Ok(())
}

async fn set_tags(ec2: &Client, id: &str, kind: &str, name: &str, tags: &Tags) -> Result<()> {
    let request = ec2.create_tags().resources(id).set_tags(Some(to_ec2(tags)));
    request.send().await.during(&format!("tag {kind}"), name)?;
    Ok(())
}

/// Deletions. What is gone already is what we want: a retry after a lost answer, or a person who was faster.
async fn undo(ec2: &Client, change: &Change) -> Result<()> {
    let result = match change {
        Change::DeleteGroup { id, name } => {
            ec2.delete_security_group().group_id(id).send().await.during("delete security group", name).map(drop)
        }
        Change::Disassociate { association, name } => {
            let request = ec2.disassociate_route_table().association_id(association);
            request.send().await.during("disassociate a subnet from route table", name).map(drop)
        }
        Change::DeleteSubnet { id, name } => {
            ec2.delete_subnet().subnet_id(id).send().await.during("delete subnet", name).map(drop)
        }
        Change::DeleteRouteTable { id, name } => {
            ec2.delete_route_table().route_table_id(id).send().await.during("delete route table", name).map(drop)
        }
        Change::DetachGateway { id, vpc, name } => {
            let request = ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
            request.send().await.during("detach internet gateway", name).map(drop)
        }
        Change::DeleteGateway { id, name } => {
            let request = ec2.delete_internet_gateway().internet_gateway_id(id);
            request.send().await.during("delete internet gateway", name).map(drop)
        }
        Change::DeleteVpc { id, name } => ec2.delete_vpc().vpc_id(id).send().await.during("delete VPC", name).map(drop),
        _ => return Err(Error::Broken("a change that deletes nothing came to be undone".into())),
    };
    match result {
        Err(error) if error.code().is_some_and(|code| code.ends_with(".NotFound") || code == "Gateway.NotAttached") => {
            Ok(())
        }
        // What is in the way is told with it: only AWS knows when the interfaces of what was deleted go.
        Err(error) if error.code() == Some("DependencyViolation") => {
            Err(Error::NotYet(format!("{}{error}", inhabitants(ec2, change).await)))
        }
        result => result,
    }
}

/// The network interfaces that keep something from being deleted, in words; nothing where there are none, or none can be
/// listed.
async fn inhabitants(ec2: &Client, change: &Change) -> String {
    let (filter, id) = match change {
        Change::DeleteGroup { id, .. } => ("group-id", id),
        Change::DeleteSubnet { id, .. } => ("subnet-id", id),
        Change::DetachGateway { vpc, .. } => ("vpc-id", vpc),
        _ => return String::new(),
    };
    let filter = Filter::builder().name(filter).values(id).build();
    let Ok(found) = ec2.describe_network_interfaces().filters(filter).send().await else { return String::new() };
    let mut found = found.network_interfaces.unwrap_or_default();
    // AWS lists them in any order, and the same line is told once.
    found.sort_by(|a, b| a.network_interface_id.cmp(&b.network_interface_id));
    let tell = |one: &NetworkInterface| {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        format!("{} ({})", text(one.network_interface_id()), text(one.description()))
    };
    match found.as_slice() {
        [] => String::new(),
        some => format!(
            "network interfaces that AWS removes by itself, those of a function within 45 minutes: {}. Until then: ",
            some.iter().map(tell).collect::<Vec<_>>().join(", ")
        ),
    }
}
