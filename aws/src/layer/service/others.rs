//! What a task definition says that no platform file can: a person has registered it, and a rollout by the file would take it away.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as ecs;

/// AWS's names of it. A part that says what AWS takes by itself counts for nothing.
pub(super) fn others(found: &ecs::TaskDefinition, own: Option<&ecs::ContainerDefinition>) -> BTreeSet<String> {
    let is_own = |other: &&ecs::ContainerDefinition| own.is_some_and(|own| own.name() == other.name());
    let strangers = found.container_definitions().iter().filter(|other| !is_own(other));
    let strangers = strangers.map(|other| format!("container {}", other.name().unwrap_or_default()));
    let said = task(found).into_iter().chain(own.map(container).into_iter().flatten());
    said.filter(|(_, is_said)| *is_said).map(|(name, _)| name.to_owned()).chain(strangers).collect()
}

/// Every member of a task definition that skydeck does not register
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>).
fn task(found: &ecs::TaskDefinition) -> Vec<(&'static str, bool)> {
    vec![
        ("volumes", !found.volumes().is_empty()),
        ("placementConstraints", !found.placement_constraints().is_empty()),
        ("cpu", found.cpu().is_some()),
        ("memory", found.memory().is_some()),
        ("inferenceAccelerators", !found.inference_accelerators().is_empty()),
        ("pidMode", found.pid_mode().is_some()),
        ("ipcMode", found.ipc_mode().is_some()),
        ("proxyConfiguration", found.proxy_configuration().is_some()),
        ("ephemeralStorage", found.ephemeral_storage().is_some()),
        ("enableFaultInjection", found.enable_fault_injection() == Some(true)),
    ]
}

/// Every member of a container that skydeck does not register
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).
fn container(found: &ecs::ContainerDefinition) -> Vec<(&'static str, bool)> {
    let ports = found.port_mappings();
    let log = found.log_configuration();
    vec![
        ("repositoryCredentials", found.repository_credentials().is_some()),
        ("memoryReservation", found.memory_reservation().is_some()),
        ("links", !found.links().is_empty()),
        ("portMappings name", ports.iter().any(|port| port.name().is_some())),
        ("portMappings appProtocol", ports.iter().any(|port| port.app_protocol().is_some())),
        ("portMappings containerPortRange", ports.iter().any(|port| port.container_port_range().is_some())),
        ("restartPolicy", found.restart_policy().is_some()),
        ("entryPoint", !found.entry_point().is_empty()),
        ("command", !found.command().is_empty()),
        ("environmentFiles", !found.environment_files().is_empty()),
        ("mountPoints", !found.mount_points().is_empty()),
        ("volumesFrom", !found.volumes_from().is_empty()),
        ("linuxParameters", found.linux_parameters().is_some()),
        ("dependsOn", !found.depends_on().is_empty()),
        ("startTimeout", found.start_timeout().is_some()),
        ("stopTimeout", found.stop_timeout().is_some()),
        ("versionConsistency", found.version_consistency() == Some(&ecs::VersionConsistency::Disabled)),
        ("hostname", found.hostname().is_some()),
        ("user", found.user().is_some()),
        ("workingDirectory", found.working_directory().is_some()),
        ("disableNetworking", found.disable_networking() == Some(true)),
        ("privileged", found.privileged() == Some(true)),
        ("readonlyRootFilesystem", found.readonly_root_filesystem() == Some(true)),
        ("dnsServers", !found.dns_servers().is_empty()),
        ("dnsSearchDomains", !found.dns_search_domains().is_empty()),
        ("extraHosts", !found.extra_hosts().is_empty()),
        ("interactive", found.interactive() == Some(true)),
        ("pseudoTerminal", found.pseudo_terminal() == Some(true)),
        ("dockerLabels", found.docker_labels().is_some_and(|labels| !labels.is_empty())),
        ("ulimits", !found.ulimits().is_empty()),
        ("logConfiguration secretOptions", log.is_some_and(|log| !log.secret_options().is_empty())),
        ("systemControls", !found.system_controls().is_empty()),
        ("resourceRequirements", !found.resource_requirements().is_empty()),
        ("firelensConfiguration", found.firelens_configuration().is_some()),
        ("credentialSpecs", !found.credential_specs().is_empty()),
    ]
}
