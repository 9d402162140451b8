//! What ECS refuses in a service.

use serde_json::Value;

use super::cluster::{Cluster, StrategyItem, check_strategy};
use super::service_request::CreateServiceRequest;
use super::task_definition::{State, TaskDefinition};
use super::{Refusal, Region, Result, World};

impl Region {
    /// The task definition that a service may run.
    pub(super) fn usable_definition(&self, given: &str) -> Result<&TaskDefinition> {
        let found = self.definition(given).ok_or_else(|| Refusal::client("TaskDefinition not found."))?;
        if found.state == State::Active { Ok(found) } else { Err(Refusal::client("TaskDefinition is inactive")) }
    }

    pub(super) fn check_service(&self, cluster: &Cluster, request: &CreateServiceRequest) -> Result<()> {
        let name = &request.service_name;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 255 || !name.chars().all(valid) {
            return Err(Refusal::invalid("Invalid service name."));
        }
        let definition =
            request.task_definition.as_deref().ok_or_else(|| Refusal::invalid("TaskDefinition cannot be null."))?;
        let definition = self.usable_definition(definition)?;
        if request.launch_type.is_some() && !request.capacity_provider_strategy.is_empty() {
            return Err(Refusal::invalid(
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
            ));
        }
        check_strategy(&request.capacity_provider_strategy, &cluster.capacity_providers)?;
        if request.scheduling_strategy.as_deref() != Some("DAEMON") && request.desired_count.is_none() {
            return Err(Refusal::invalid("Desired count cannot be null for REPLICA scheduling strategy."));
        }
        check_percents(&request.deployment_configuration)?;
        check_balancers(&request.load_balancers, definition)?;
        check_grace(request.health_check_grace_period_seconds, &request.load_balancers)
    }
}

pub(super) fn check_percents(configuration: &Value) -> Result<()> {
    let number = |key: &str, usual: i64| configuration[key].as_i64().unwrap_or(usual);
    let (max, min) = (number("maximumPercent", 200), number("minimumHealthyPercent", 100));
    if max < 100 || !(0..=100).contains(&min) {
        return Err(Refusal::invalid(
            "Invalid deployment configuration: maximumPercent is at least 100 and minimumHealthyPercent between 0 and 100.",
        ));
    }
    if max == min {
        return Err(Refusal::invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    Ok(())
}

pub(super) fn check_grace(grace: Option<i64>, balancers: &[Value]) -> Result<()> {
    if grace.is_some_and(|grace| grace > 0) && balancers.is_empty() {
        return Err(Refusal::invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    Ok(())
}

pub(super) fn check_balancers(balancers: &[Value], definition: &TaskDefinition) -> Result<()> {
    for balancer in balancers {
        let (name, port) = (balancer["containerName"].as_str().unwrap_or_default(), balancer["containerPort"].as_u64());
        let Some(container) = definition.containers.iter().find(|container| container.name == name) else {
            return Err(Refusal::invalid(format!("The container {name} does not exist in the task definition.")));
        };
        let mut ports = container.port_mappings.iter().filter_map(|mapping| mapping.container_port.map(u64::from));
        if !ports.any(|mapped| Some(mapped) == port) {
            return Err(Refusal::invalid(format!(
                "The container {name} did not have a container port {} defined.",
                port.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// A target group has to exist, behind a load balancer.
pub(super) fn check_target_groups(world: &World, balancers: &[Value]) -> Result<()> {
    let Some(groups) = &world.target_groups else { return Ok(()) };
    for arn in balancers.iter().filter_map(|balancer| balancer["targetGroupArn"].as_str()) {
        match groups.get(arn) {
            None => return Err(Refusal::invalid("The specified target group does not exist.")),
            Some(false) => {
                return Err(Refusal::invalid(format!(
                    "The target group with targetGroupArn {arn} does not have an associated load balancer."
                )));
            }
            Some(true) => {}
        }
    }
    Ok(())
}

/// A provider is named by its name or its ARN; AWS tells its name.
pub(super) fn named(strategy: Vec<StrategyItem>) -> Vec<StrategyItem> {
    let name = |item: StrategyItem| StrategyItem {
        capacity_provider: super::short(&item.capacity_provider).to_owned(),
        ..item
    };
    strategy.into_iter().map(name).collect()
}
