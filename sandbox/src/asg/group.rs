//! An Auto Scaling group: its settings, and how it is written in XML.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::activity::Activity;
use super::instance::{Instance, Template};
use super::refresh::Refresh;
use crate::clock::iso;
use crate::xml::escape;

/// A tag of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) value: String,
    pub(crate) propagate: bool,
}

/// One group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
    pub(crate) template: Template,
    /// Subnet and its zone.
    pub(crate) subnets: Vec<(String, String)>,
    pub(crate) termination_policies: Vec<String>,
    pub(crate) target_groups: Vec<String>,
    pub(crate) protect_new: bool,
    /// Settings that the sandbox keeps and tells again without acting on them.
    pub(crate) plain: BTreeMap<&'static str, String>,
    pub(crate) tags: BTreeMap<String, Tag>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) created: f64,
    pub(crate) deleting: bool,
    /// A capacity provider lets tasks leave an instance before it ends.
    pub(crate) drains: bool,
    /// What became of its last launches, the newest first.
    pub(crate) activities: Vec<Activity>,
    /// Its instance refreshes, the newest first.
    pub(crate) refreshes: Vec<Refresh>,
}

/// The settings in `plain`, with the values that AWS takes where none is given.
pub(crate) const PLAIN: [(&str, &str); 6] = [
    ("DefaultCooldown", "300"),
    ("HealthCheckType", "EC2"),
    ("HealthCheckGracePeriod", "0"),
    ("CapacityRebalance", "false"),
    ("DefaultInstanceWarmup", ""),
    ("MaxInstanceLifetime", ""),
];

impl Group {
    pub(crate) fn staying(&self) -> usize {
        self.instances.iter().filter(|instance| !instance.is_ending()).count()
    }

    /// The instance that a scale-in takes next: the oldest unprotected one, whatever the policy's name.
    pub(crate) fn next_to_end(&self) -> Option<&Instance> {
        let staying = self.instances.iter().filter(|instance| !instance.is_ending() && !instance.protected);
        staying.min_by(|a, b| a.launched.total_cmp(&b.launched))
    }

    /// The subnet with the fewest instances.
    pub(crate) fn next_subnet(&self) -> Option<(String, String)> {
        let count = |subnet: &str| self.instances.iter().filter(|i| !i.is_ending() && i.subnet == subnet).count();
        self.subnets.iter().min_by_key(|(subnet, _)| count(subnet)).cloned()
    }

    /// The inside of a group's `member`.
    pub(crate) fn xml(&self, account: &str, now: f64) -> String {
        let mut text = String::new();
        let mut put = |key: &str, value: &str| {
            let _ = write!(text, "<{key}>{}</{key}>", escape(value));
        };
        put("AutoScalingGroupName", &self.name);
        put("AutoScalingGroupARN", &self.arn);
        put("MinSize", &self.min.to_string());
        put("MaxSize", &self.max.to_string());
        put("DesiredCapacity", &self.desired.to_string());
        put("NewInstancesProtectedFromScaleIn", if self.protect_new { "true" } else { "false" });
        put("CreatedTime", &iso(self.created));
        let subnets: Vec<&str> = self.subnets.iter().map(|(subnet, _)| subnet.as_str()).collect();
        put("VPCZoneIdentifier", &subnets.join(","));
        let role = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
        put("ServiceLinkedRoleARN", &format!("arn:aws:iam::{account}:{role}"));
        for (key, value) in self.plain.iter().filter(|(_, value)| !value.is_empty()) {
            put(key, value);
        }
        if self.deleting {
            put("Status", "Delete in progress");
        }
        let mut zones: Vec<&str> = self.subnets.iter().map(|(_, zone)| zone.as_str()).collect();
        zones.sort_unstable();
        zones.dedup();
        text.push_str(&list("AvailabilityZones", zones.into_iter().map(escape)));
        text.push_str("<LoadBalancerNames/><SuspendedProcesses/><EnabledMetrics/>");
        text.push_str(&list("TargetGroupARNs", self.target_groups.iter().map(|arn| escape(arn))));
        text.push_str(&list("TerminationPolicies", self.termination_policies.iter().map(|policy| escape(policy))));
        text.push_str(&template_xml(&self.template));
        text.push_str(&list("Tags", self.tags.keys().map(|key| self.tag_xml(key))));
        text.push_str(&list("Instances", self.instances.iter().map(|instance| instance_xml(instance, now))));
        text
    }

    /// The inside of a tag's `member`.
    pub(crate) fn tag_xml(&self, key: &str) -> String {
        let Some(tag) = self.tags.get(key) else { return String::new() };
        format!(
            "<ResourceId>{}</ResourceId><ResourceType>auto-scaling-group</ResourceType><Key>{}</Key>\
             <Value>{}</Value><PropagateAtLaunch>{}</PropagateAtLaunch>",
            escape(&self.name),
            escape(key),
            escape(&tag.value),
            tag.propagate
        )
    }
}

pub(crate) fn template_xml(template: &Template) -> String {
    format!(
        "<LaunchTemplate><LaunchTemplateId>{}</LaunchTemplateId><LaunchTemplateName>{}</LaunchTemplateName>\
         <Version>{}</Version></LaunchTemplate>",
        escape(&template.id),
        escape(&template.name),
        escape(&template.version)
    )
}

/// The inside of an instance's `member`.
pub(crate) fn instance_xml(instance: &Instance, now: f64) -> String {
    format!(
        "<InstanceId>{}</InstanceId><InstanceType>{}</InstanceType><AvailabilityZone>{}</AvailabilityZone>\
         <LifecycleState>{}</LifecycleState><HealthStatus>Healthy</HealthStatus>\
         <ProtectedFromScaleIn>{}</ProtectedFromScaleIn>{}",
        instance.id,
        escape(&instance.kind),
        escape(&instance.zone),
        instance.state(now),
        instance.protected,
        template_xml(&instance.template)
    )
}

/// A list of XML as the query protocol writes it.
pub(crate) fn list(name: &str, members: impl Iterator<Item = String>) -> String {
    let members: String = members.map(|member| format!("<member>{member}</member>")).collect();
    format!("<{name}>{members}</{name}>")
}
