//! What the product has no write for, since it only ever goes the other way: done as a person would, in the console.

use aws_sdk_ec2::types::{AttributeBooleanValue, IpPermission, IpRange};
use aws_sdk_lambda::types::Architecture;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_ssm::types::{ParameterType, Tag};
use serde_json::Value;
use skydeck_aws::client::Clients;
use skydeck_core::scope::Scope;

use crate::account::Account;
use crate::probe::archive;

/// Service-linked roles, by the service that they are linked to.
const LINKED: [(&str, &str); 3] = [
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
];

const ANYWHERE: &str = "0.0.0.0/0";

/// Makes wrong what this change would put right. Says whether there is a hand for it; `Err` is what AWS said.
pub(super) async fn spoil(account: &Account, change: &Value, before: &Value, wrong: &Value) -> Result<bool, String> {
    let (clients, scope) = (&account.clients, &account.scope);
    let Some((variant, fields)) = change.as_object().and_then(|change| change.iter().next()) else { return Ok(false) };
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let ec2 = clients.ec2();
    let done = match variant.as_str() {
        "set_public_ip" | "set_default_route" | "associate" | "allow_out" => {
            network(ec2, variant, fields, before).await
        }
        "enable_versioning" => {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            said(clients.s3().put_bucket_versioning().bucket(text("name")).versioning_configuration(off).send().await)
        }
        "overwrite_parameter" => parameter(clients, &text("name"), before, wrong).await,
        "set_lifecycle" => said(clients.ecr().delete_lifecycle_policy().repository_name(text("name")).send().await),
        // Whose rule it is stands in its tags alone.
        "delete_rule" => {
            let tags = rule_tags(wrong, &text("arn"));
            said(clients.elb().add_tags().resource_arns(text("arn")).set_tags(Some(tags)).send().await)
        }
        "tag_group" => {
            let tags = fields["new"].as_object().into_iter().flatten().map(|(key, value)| {
                let tag = aws_sdk_autoscaling::types::Tag::builder().key(key).set_value(value.as_str().map(Into::into));
                tag.resource_type("auto-scaling-group").resource_id(text("name")).propagate_at_launch(false).build()
            });
            let request = clients.autoscaling().create_or_update_tags();
            said(request.set_tags(Some(tags.collect())).send().await)
        }
        // A newest version that says the same, and is neither the default nor the group's.
        "set_default_version" | "set_group_template" => {
            let template = &before["template"];
            let (id, latest) = (template["id"].as_str().unwrap_or_default(), template["latest"].to_string());
            let request = ec2.create_launch_template_version().launch_template_id(id).source_version(latest);
            // AWS takes no version that says nothing.
            let kind = template["settings"]["instance_type"].as_str().unwrap_or_default();
            let same = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().instance_type(kind.into()).build();
            said(request.launch_template_data(same).send().await)
        }
        "create_linked_role" => {
            let service = text("service");
            let role = LINKED.iter().find(|(of, _)| *of == service).map_or("", |(_, role)| *role);
            said(clients.iam().delete_service_linked_role().role_name(role).send().await)
        }
        "set_probe_code" => {
            let (zip, _) = archive("another");
            let other = wrong["probe"]["settings"]["code"]["architecture"]
                != before["probe"]["settings"]["code"]["architecture"];
            let request = clients.lambda().update_function_code().function_name(text("name"));
            let request = if other { request.architectures(Architecture::Arm64) } else { request };
            said(request.zip_file(zip.into()).publish(false).send().await)
        }
        "create_group" if fields.get("template").is_some() => {
            let request = clients.autoscaling().delete_auto_scaling_group().auto_scaling_group_name(text("name"));
            said(request.force_delete(true).send().await)
        }
        "create_provider" => provider(clients, scope, &text("name")).await,
        _ => return Ok(false),
    };
    done.map(|()| true)
}

/// Switches, routes, associations and egress of the network.
async fn network(ec2: &aws_sdk_ec2::Client, variant: &str, fields: &Value, before: &Value) -> Result<(), String> {
    let id = |name: &str| fields[name]["known"].as_str().unwrap_or_default().to_owned();
    match variant {
        "set_public_ip" => {
            let off = AttributeBooleanValue::builder().value(false).build();
            let request = ec2.modify_subnet_attribute().subnet_id(id("subnet")).map_public_ip_on_launch(off);
            said(request.send().await)
        }
        "set_default_route" => {
            let request = ec2.delete_route().route_table_id(id("table")).destination_cidr_block(ANYWHERE);
            said(request.send().await)
        }
        "associate" => {
            let tables = before["route_tables"].as_array().into_iter().flatten();
            let association = tables.filter_map(|table| table["settings"]["subnets"][id("subnet")].as_str()).next();
            said(ec2.disassociate_route_table().set_association_id(association.map(Into::into)).send().await)
        }
        _ => {
            let all = IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip(ANYWHERE).build());
            let request = ec2.revoke_security_group_egress().group_id(id("group")).ip_permissions(all.build());
            said(request.send().await)
        }
    }
}

/// The parameter holds another value, or is of another type, as the wanted world says.
async fn parameter(clients: &Clients, name: &str, before: &Value, wrong: &Value) -> Result<(), String> {
    let put = clients.ssm().put_parameter().name(name).value("another");
    if wrong["parameters"][name]["settings"]["kind"] != "String" {
        return said(put.r#type(ParameterType::SecureString).overwrite(true).send().await);
    }
    // A type cannot be changed: it is deleted and made anew, with the same tags.
    said(clients.ssm().delete_parameter().name(name).send().await)?;
    let tags = before["parameters"][name]["settings"]["tags"].as_object().into_iter().flatten();
    let tag = |(key, value): (&String, &Value)| Tag::builder().key(key).value(value.as_str()?).build().ok();
    let put = put.r#type(ParameterType::String).set_tags(Some(tags.filter_map(tag).collect()));
    said(put.send().await)
}

async fn provider(clients: &Clients, scope: &Scope, name: &str) -> Result<(), String> {
    let request = clients.ecs().put_cluster_capacity_providers().cluster(scope.prefix());
    let none =
        request.set_capacity_providers(Some(Vec::new())).set_default_capacity_provider_strategy(Some(Vec::new()));
    said(none.send().await)?;
    said(clients.ecs().delete_capacity_provider().capacity_provider(name).send().await)
}

/// The tags that a rule has in a world.
fn rule_tags(world: &Value, arn: &str) -> Vec<aws_sdk_elasticloadbalancingv2::types::Tag> {
    let objects = |value: &Value| value.as_object().into_iter().flatten().map(|(_, item)| item.clone()).collect();
    let balancers: Vec<Value> = objects(&world["load_balancers"]);
    let listeners = balancers.iter().flat_map(|balancer| -> Vec<Value> { objects(&balancer["listeners"]) });
    let rules = listeners.flat_map(|listener| listener["rules"].as_array().cloned().unwrap_or_default());
    let tags = rules.filter(|rule| rule["id"] == arn).flat_map(|rule| rule["settings"]["tags"].as_object().cloned());
    let tag = |(key, value): (String, Value)| {
        aws_sdk_elasticloadbalancingv2::types::Tag::builder().key(key).value(value.as_str().unwrap_or_default()).build()
    };
    tags.flatten().map(tag).collect()
}

/// What AWS said, where it refused.
fn said<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:?}").chars().take(400).collect())
}
