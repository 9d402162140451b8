//! Task definitions, between ECS's types and the planner's.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::error::BuildError;
use aws_sdk_ecs::types as ecs;
use skydeck_core::layer::service::{Container, ContainerHealth, Definition, TaskSettings};

use super::others::others;
use crate::client::no_retries;
use crate::error::{Error, Explain, Result};
use crate::number;
use crate::tag::{from_ecs, to_ecs};

/// A task definition in the planner's terms.
pub(super) fn read(found: &ecs::TaskDefinition, tags: &[ecs::Tag]) -> Definition {
    let runtime = found.runtime_platform();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let container = own_container(found);
    Definition {
        image: text(container.and_then(|container| container.image())),
        settings: TaskSettings {
            network_mode: text(found.network_mode().map(|mode| mode.as_str())),
            compatibilities: found.requires_compatibilities().iter().map(|found| found.as_str().to_owned()).collect(),
            runtime: (
                text(runtime.and_then(|found| found.operating_system_family()).map(|family| family.as_str())),
                text(runtime.and_then(|found| found.cpu_architecture()).map(|cpu| cpu.as_str())),
            ),
            execution_role: text(found.execution_role_arn()),
            task_role: text(found.task_role_arn()),
            container: container.map(read_container),
            others: others(found, container),
        },
        tags: from_ecs(tags),
    }
}

/// The container that skydeck registers: a family ends in its name. Beside it a person may have put others.
fn own_container(found: &ecs::TaskDefinition) -> Option<&ecs::ContainerDefinition> {
    let containers = found.container_definitions();
    let is_own = |container: &&ecs::ContainerDefinition| {
        found.family().zip(container.name()).is_some_and(|(family, name)| family.ends_with(&format!("-{name}")))
    };
    containers.iter().filter(is_own).max_by_key(|own| own.name().map(str::len)).or_else(|| containers.first())
}

fn read_container(found: &ecs::ContainerDefinition) -> Container {
    let port = |mapping: &ecs::PortMapping| {
        let protocol = mapping.protocol().map_or("tcp", |protocol| protocol.as_str());
        (number::port(mapping.container_port()), number::port(mapping.host_port()), protocol.to_owned())
    };
    let variable = |pair: &ecs::KeyValuePair| Some((pair.name()?.to_owned(), pair.value()?.to_owned()));
    let secret = |secret: &ecs::Secret| (secret.name().to_owned(), secret.value_from().to_owned());
    let log = found.log_configuration();
    let options = log
        .and_then(|log| log.options())
        .map(|options| options.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>());
    Container {
        name: found.name().unwrap_or_default().into(),
        cpu: number::from_aws(Some(found.cpu())),
        memory: number::from_aws(found.memory()),
        essential: found.essential().unwrap_or(true),
        ports: found.port_mappings().iter().map(port).collect::<BTreeSet<_>>(),
        environment: found.environment().iter().filter_map(variable).collect(),
        secrets: found.secrets().iter().map(secret).collect(),
        log: (log.map(|log| log.log_driver().as_str()).unwrap_or_default().into(), options.unwrap_or_default()),
        health: found.health_check().map(|health| ContainerHealth {
            command: health.command().to_vec(),
            interval_seconds: number::from_aws(health.interval()),
            timeout_seconds: number::from_aws(health.timeout()),
            retries: number::from_aws(health.retries()),
            start_seconds: number::from_aws(health.start_period()),
        }),
        security: found.docker_security_options().iter().cloned().collect(),
    }
}

fn container(image: &str, wanted: &Container) -> Result<ecs::ContainerDefinition, BuildError> {
    let port = |(container, host, protocol): &(u16, u16, String)| {
        ecs::PortMapping::builder()
            .container_port((*container).into())
            .host_port((*host).into())
            .protocol(protocol.as_str().into())
            .build()
    };
    let variable = |(name, value): (&String, &String)| ecs::KeyValuePair::builder().name(name).value(value).build();
    let secret = |(name, from): (&String, &String)| ecs::Secret::builder().name(name).value_from(from).build();
    let (driver, options) = &wanted.log;
    let log = ecs::LogConfiguration::builder()
        .log_driver(driver.as_str().into())
        .set_options(Some(options.iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
        .build()?;
    let health = wanted.health.as_ref().map(|health| {
        ecs::HealthCheck::builder()
            .set_command(Some(health.command.clone()))
            .interval(number::to_aws(health.interval_seconds))
            .timeout(number::to_aws(health.timeout_seconds))
            .retries(number::to_aws(health.retries))
            .start_period(number::to_aws(health.start_seconds))
            .build()
    });
    let security = (!wanted.security.is_empty()).then(|| wanted.security.iter().cloned().collect());
    Ok(ecs::ContainerDefinition::builder()
        .name(&wanted.name)
        .image(image)
        .cpu(number::to_aws(wanted.cpu))
        .memory(number::to_aws(wanted.memory))
        .essential(wanted.essential)
        .set_port_mappings(Some(wanted.ports.iter().map(port).collect()))
        .set_environment(Some(wanted.environment.iter().map(variable).collect()))
        .set_secrets(Some(wanted.secrets.iter().map(secret).collect::<Result<_, _>>()?))
        .log_configuration(log)
        .set_health_check(health.transpose()?)
        .set_docker_security_options(security)
        .build())
}

/// Registers a revision and returns its ARN. Without retries: neither token nor name guards it, so that after a lost
/// answer the next attempt looks first.
pub(crate) async fn register(client: &Client, family: &str, wanted: &Definition) -> Result<String> {
    let settings = &wanted.settings;
    let broken = || Error::Broken(format!("the plan's task definition {family} is incomplete"));
    let planned = settings.container.as_ref().ok_or_else(broken)?;
    let (system, cpu) = &settings.runtime;
    let runtime = ecs::RuntimePlatform::builder()
        .operating_system_family(system.as_str().into())
        .cpu_architecture(cpu.as_str().into())
        .build();
    let request = client
        .register_task_definition()
        .family(family)
        .network_mode(settings.network_mode.as_str().into())
        .set_requires_compatibilities(Some(settings.compatibilities.iter().map(|kind| kind.as_str().into()).collect()))
        .runtime_platform(runtime)
        .execution_role_arn(&settings.execution_role)
        .task_role_arn(&settings.task_role)
        .container_definitions(container(&wanted.image, planned).map_err(|_| broken())?)
        .set_tags(Some(to_ecs(&wanted.tags)));
    let result = request.customize().config_override(Builder::default().retry_config(no_retries())).send().await;
    let answer = result.during("register task definition", family)?;
    let arn = answer.task_definition().and_then(|found| found.task_definition_arn());
    arn.map(Into::into).ok_or_else(|| Error::Broken(format!("AWS registered {family} and gave no ARN for it")))
}
