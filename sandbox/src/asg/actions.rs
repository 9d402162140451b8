//! What Auto Scaling does to groups and their instances.

use std::collections::BTreeMap;

use super::group::{self, Group, PLAIN, list};
use super::instance::Template;
use super::launch::{self, Blueprint};
use super::{Context, Refusal};

impl Context<'_> {
    pub(super) async fn create(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        if self.group(&name, |_| ()).is_ok() {
            let text =
                format!("AutoScalingGroup by this name already exists - A group with the name {name} already exists");
            return Err(Refusal::new("AlreadyExists", text));
        }
        if self.form.keys().any(|key| key.starts_with("MixedInstancesPolicy") || key == "LaunchConfigurationName") {
            return Err(Refusal::invalid("The sandbox knows launch templates only"));
        }
        let required = |key: &str| Refusal::invalid(&format!("1 validation error detected: {key} must not be null"));
        let min = self.number("MinSize")?.ok_or_else(|| required("minSize"))?;
        let max = self.number("MaxSize")?.ok_or_else(|| required("maxSize"))?;
        let desired = self.number("DesiredCapacity")?.unwrap_or(min);
        check_sizes(min, max, desired)?;
        let subnets = self
            .subnets()
            .await?
            .ok_or_else(|| Refusal::invalid("At least one Availability Zone or VPC Subnet is required."))?;
        let wanted = self.template().ok_or_else(|| Refusal::invalid(
            "Valid requests must contain either the InstanceID parameter, LaunchTemplate or MixedInstancesPolicy parameter",
        ))?;
        let blueprint = Blueprint::of(self.upstream, &self.place, &wanted).await?;
        let template = Template { version: wanted.version, ..blueprint.template };
        let (account, region) = (&self.place.account, &self.place.region);
        let id = crate::ids::uuid();
        let mut group = Group {
            arn: format!("arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{id}:autoScalingGroupName/{name}"),
            name: name.clone(),
            min,
            max,
            desired,
            template,
            subnets,
            termination_policies: vec!["Default".to_owned()],
            target_groups: self.list("TargetGroupARNs"),
            protect_new: self.text("NewInstancesProtectedFromScaleIn") == Some("true"),
            plain: PLAIN.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            tags: BTreeMap::new(),
            instances: Vec::new(),
            created: self.now(),
            deleting: false,
            drains: false,
            activities: Vec::new(),
            refreshes: Vec::new(),
        };
        self.settings(&mut group);
        group.tags = self.tags().into_iter().map(|(_, key, tag)| (key, tag)).collect();
        self.asg.with(&self.place, self.now(), |groups| groups.insert(name.clone(), group));
        self.reconcile(&name).await?;
        Ok(String::new())
    }

    pub(super) async fn update(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let mut group = self.group(&name, |group| group.clone())?;
        group.min = self.number("MinSize")?.unwrap_or(group.min);
        group.max = self.number("MaxSize")?.unwrap_or(group.max);
        group.desired = match self.number("DesiredCapacity")? {
            Some(desired) => desired,
            None => group.desired.clamp(group.min, group.max.max(group.min)),
        };
        check_sizes(group.min, group.max, group.desired)?;
        if let Some(subnets) = self.subnets().await? {
            group.subnets = subnets;
        }
        if let Some(wanted) = self.template() {
            let blueprint = Blueprint::of(self.upstream, &self.place, &wanted).await?;
            group.template = Template { version: wanted.version, ..blueprint.template };
        }
        if let Some(protect) = self.text("NewInstancesProtectedFromScaleIn") {
            group.protect_new = protect == "true";
        }
        self.settings(&mut group);
        self.group(&name, |kept| *kept = group)?;
        self.leave_zones(&name).await?;
        self.reconcile(&name).await?;
        Ok(String::new())
    }

    pub(super) async fn set_desired(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let desired = self.number("DesiredCapacity")?.ok_or_else(|| Refusal::invalid("DesiredCapacity is required"))?;
        let (min, max) = self.group(&name, |group| (group.min, group.max))?;
        if desired > max {
            let text =
                format!("New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup.");
            return Err(Refusal::invalid(&text));
        }
        if desired < min {
            let text =
                format!("New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup.");
            return Err(Refusal::invalid(&text));
        }
        self.group(&name, |group| group.desired = desired)?;
        self.reconcile(&name).await?;
        Ok(String::new())
    }

    pub(super) async fn delete(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let force = self.text("ForceDelete") == Some("true");
        let (sized, busy) = self.group(&name, |group| (group.desired > 0, !group.instances.is_empty()))?;
        if busy && !force {
            return Err(if sized {
                let text = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance \
                            request(s) still in the group.";
                Refusal::new("ResourceInUse", text)
            } else {
                let text = "You cannot delete an AutoScalingGroup while there are scaling activities in progress for \
                            that group.";
                Refusal::new("ScalingActivityInProgress", text)
            });
        }
        let ended = self.group(&name, |group| {
            (group.min, group.desired, group.deleting) = (0, 0, true);
            for instance in &mut group.instances {
                instance.end(self.clock);
            }
            group.instances.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>()
        })?;
        launch::terminate(self.upstream, &self.place, &ended).await;
        Ok(String::new())
    }

    pub(super) async fn terminate_one(&self) -> Result<String, Refusal> {
        let id = self.text("InstanceId").unwrap_or_default().to_owned();
        let decrement = self.text("ShouldDecrementDesiredCapacity") == Some("true");
        let found = self.asg.with(&self.place, self.now(), |groups| {
            let group = groups.values_mut().find(|group| group.instances.iter().any(|instance| instance.id == id))?;
            let below = decrement && group.desired <= group.min;
            let mut at_once = false;
            if !below {
                group.desired -= u32::from(decrement);
                at_once = group.send_off(&id, self.clock);
            }
            Some((group.name.clone(), below, at_once))
        });
        let unknown =
            || Refusal::invalid(&format!("Instance Id not found - No managed instance found for instance ID {id}"));
        let (name, below, at_once) = found.ok_or_else(unknown)?;
        if below {
            let text = "Currently, desiredSize equals minSize. Terminating instance without replacement will violate \
                        group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower \
                        group's min size.";
            return Err(Refusal::invalid(text));
        }
        if at_once {
            launch::terminate(self.upstream, &self.place, std::slice::from_ref(&id)).await;
        }
        self.reconcile(&name).await?;
        Ok(format!(
            "<Activity><ActivityId>{}</ActivityId><AutoScalingGroupName>{name}</AutoScalingGroupName>\
             <Cause>instance {id} was taken out of service in response to a user request.</Cause>\
             <StartTime>{}</StartTime><StatusCode>InProgress</StatusCode><Progress>0</Progress></Activity>",
            crate::ids::uuid(),
            crate::clock::iso(self.now())
        ))
    }

    pub(super) fn describe(&self) -> Result<String, Refusal> {
        let names = self.list("AutoScalingGroupNames");
        let limit = self.number("MaxRecords")?.unwrap_or(50).clamp(1, 100) as usize;
        let after = self.text("NextToken").unwrap_or_default();
        let filters = self.filters();
        let now = self.now();
        let (members, next) = self.asg.with(&self.place, now, |groups| {
            let chosen: Vec<&Group> = groups
                .values()
                .filter(|group| names.is_empty() || names.contains(&group.name) || names.contains(&group.arn))
                .filter(|group| filters.iter().all(|(name, values)| group.passes(name, values)))
                .filter(|group| group.name.as_str() > after)
                .collect();
            let page = &chosen[..chosen.len().min(limit)];
            let next = (chosen.len() > limit).then(|| page.last().map(|group| group.name.clone())).flatten();
            let members: Vec<String> = page.iter().map(|group| group.xml(&self.place.account, now)).collect();
            (members, next)
        });
        let next = next.map(|name| format!("<NextToken>{name}</NextToken>")).unwrap_or_default();
        Ok(list("AutoScalingGroups", members.into_iter()) + &next)
    }

    pub(super) fn describe_instances(&self) -> String {
        let ids = self.list("InstanceIds");
        let now = self.now();
        let members = self.asg.with(&self.place, now, |groups| {
            let member = |group: &Group, instance| {
                format!(
                    "<AutoScalingGroupName>{}</AutoScalingGroupName>{}",
                    crate::xml::escape(&group.name),
                    group::instance_xml(instance, now)
                )
            };
            let mut members = Vec::new();
            for group in groups.values() {
                let chosen = group.instances.iter().filter(|instance| ids.is_empty() || ids.contains(&instance.id));
                members.extend(chosen.map(|instance| member(group, instance)));
            }
            members
        });
        list("AutoScalingInstances", members.into_iter())
    }

    fn template(&self) -> Option<Template> {
        let id = self.text("LaunchTemplate.LaunchTemplateId").unwrap_or_default().to_owned();
        let name = self.text("LaunchTemplate.LaunchTemplateName").unwrap_or_default().to_owned();
        let version = self.text("LaunchTemplate.Version").unwrap_or("$Default").to_owned();
        (!id.is_empty() || !name.is_empty()).then_some(Template { id, name, version })
    }

    async fn subnets(&self) -> Result<Option<Vec<(String, String)>>, Refusal> {
        let Some(text) = self.text("VPCZoneIdentifier") else { return Ok(None) };
        let ids: Vec<String> = text.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
        launch::subnets(self.upstream, &self.place, &ids).await.map(Some)
    }

    /// Whatever is only kept and told again.
    fn settings(&self, group: &mut Group) {
        for (key, _) in PLAIN {
            if let Some(value) = self.text(key) {
                group.plain.insert(key, value.to_owned());
            }
        }
        let policies = self.list("TerminationPolicies");
        if !policies.is_empty() {
            group.termination_policies = policies;
        }
    }
}

fn check_sizes(min: u32, max: u32, desired: u32) -> Result<(), Refusal> {
    if min > max {
        return Err(Refusal::invalid("Max bound, must be greater than or equal to min bound"));
    }
    if !(min..=max).contains(&desired) {
        return Err(Refusal::invalid(&format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(())
}
