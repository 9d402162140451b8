//! Facts that a plan needs and nothing has made yet.

use super::{
    BalancerFacts, ClusterFacts, Facts, IdentityFacts, LoadBalancerFacts, NetworkFacts, RegistryFacts, SecretsFacts,
    StorageFacts,
};
use crate::layer::network::alb_group;
use crate::scope::Scope;

/// Stands in a plan for an id, ARN or address that AWS gives at creation.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

impl Facts {
    /// These facts, and [`KNOWN_AFTER_APPLY`] for all that they lack: so that a plan of a platform that does not stand
    /// yet, or only half, still says what every layer would make. Never for an apply.
    #[must_use]
    pub fn or_placeholders(mut self, scope: &Scope) -> Facts {
        let platform = &scope.platform;
        let later = || KNOWN_AFTER_APPLY.to_owned();
        let services = || platform.services.keys().map(|name| (name.clone(), later()));
        let with = |found: &mut std::collections::BTreeMap<String, String>, key: String| {
            found.entry(key).or_insert_with(later);
        };
        let network = self.network.get_or_insert_with(|| NetworkFacts { vpc_id: later(), ..NetworkFacts::default() });
        for zone in network.subnet_ids.len()..platform.network.zones.into() {
            with(&mut network.subnet_ids, format!("zone {}", zone + 1));
        }
        for key in platform.load_balancers.keys().map(|key| alb_group(key)).chain(["instances".into(), "probe".into()])
        {
            with(&mut network.security_group_ids, key);
        }
        let identity = self.identity.get_or_insert_with(|| IdentityFacts {
            instance_role_arn: later(),
            instance_profile_arn: later(),
            probe_role_arn: later(),
            ..IdentityFacts::default()
        });
        // Of a platform that stands half, the other roles may be there alone.
        if identity.probe_role_arn.is_empty() {
            identity.probe_role_arn = later();
        }
        let registry = self.registry.get_or_insert_with(RegistryFacts::default);
        let balancer = self.balancer.get_or_insert_with(BalancerFacts::default);
        for (name, _) in services() {
            with(&mut identity.execution_role_arns, name.clone());
            with(&mut identity.task_role_arns, name.clone());
            with(&mut registry.repository_uris, name.clone());
            with(&mut balancer.target_group_arns, name);
        }
        for key in platform.load_balancers.keys() {
            let found = || LoadBalancerFacts { arn: later(), dns_name: later(), url: later() };
            balancer.load_balancers.entry(key.clone()).or_insert_with(found);
        }
        self.storage.get_or_insert_with(StorageFacts::default);
        self.secrets.get_or_insert_with(SecretsFacts::default);
        self.cluster.get_or_insert_with(|| ClusterFacts {
            cluster_name: later(),
            cluster_arn: later(),
            capacity_provider: later(),
            auto_scaling_group: later(),
            log_group: later(),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::fixtures::scope;

    #[test]
    fn of_roles_that_are_there_in_part_the_rest_is_known_after_the_apply() {
        let scope = scope();
        let half = IdentityFacts { instance_role_arn: "arn:instance".into(), ..IdentityFacts::default() };
        let facts = Facts { identity: Some(half), ..Facts::default() }.or_placeholders(&scope);
        let identity = facts.identity.unwrap();
        assert_eq!(
            (identity.instance_role_arn.as_str(), identity.probe_role_arn.as_str()),
            ("arn:instance", KNOWN_AFTER_APPLY)
        );
        assert!(scope.platform.services.keys().all(|name| identity.task_role_arns.contains_key(name)));
    }
}
