//! The Auto Scaling group behind the tasks, and why it starts no instances.

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState, ScalingActivityStatusCode as Status};
use skydeck_core::scope::Scope;

use crate::client::Clients;
use crate::error::{Explain, Result};

/// How many of the group's last activities are looked at: the newest may still go on.
const ACTIVITIES: i32 = 10;

/// The platform's group; `None` where it is not there.
pub(crate) async fn group(clients: &Clients, scope: &Scope) -> Result<Option<AutoScalingGroup>> {
    let Some(cluster) = &scope.facts.cluster else { return Ok(None) };
    let name = &cluster.auto_scaling_group;
    let request = clients.autoscaling().describe_auto_scaling_groups().auto_scaling_group_names(name);
    let answer = request.send().await.during("describe Auto Scaling group", name)?;
    Ok(answer.auto_scaling_groups.and_then(|groups| groups.into_iter().next()))
}

/// Why the last instance that the group tried to start was not, where it has fewer in service than it wants. Only its activities say it:
/// a quota, a type that is not in the zone, a key that may not be used.
pub(crate) async fn failed_launch(clients: &Clients, group: &AutoScalingGroup) -> Result<Option<String>> {
    let serve = group.instances().iter().filter(|found| found.lifecycle_state() == Some(&LifecycleState::InService));
    if i32::try_from(serve.count()).is_ok_and(|count| count >= group.desired_capacity().unwrap_or_default()) {
        return Ok(None);
    }
    let name = group.auto_scaling_group_name().unwrap_or_default();
    let request = clients.autoscaling().describe_scaling_activities().auto_scaling_group_name(name);
    let answer = request.max_records(ACTIVITIES).send().await.during("describe scaling activities of", name)?;
    let ended =
        |status: Option<&Status>| matches!(status, Some(Status::Failed | Status::Cancelled | Status::Successful));
    let last = answer.activities().iter().find(|activity| ended(activity.status_code()));
    let failed = last.filter(|activity| activity.status_code() != Some(&Status::Successful));
    Ok(failed.map(|activity| activity.status_message().or(activity.description()).unwrap_or_default().to_owned()))
}
