//! Instance refreshes of the Auto Scaling group.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{self, RefreshPreferences, RefreshStrategy};
use skydeck_core::layer::cluster::{Preferences, Refresh};

use crate::error::{Explain, Result, tolerate};
use crate::number;

/// The newest refresh of a group, if it ever had one: AWS lists them from the newest on.
pub(super) async fn last(client: &Client, group: &str) -> Result<Option<Refresh>> {
    let request = client.describe_instance_refreshes().auto_scaling_group_name(group).max_records(1);
    let answer = request.send().await.during("find instance refreshes of Auto Scaling group", group)?;
    Ok(answer.instance_refreshes().first().map(read))
}

fn read(found: &types::InstanceRefresh) -> Refresh {
    Refresh {
        status: found.status().map(|status| status.as_str()).unwrap_or_default().into(),
        reason: found.status_reason().unwrap_or_default().into(),
        percent: number::from_aws(found.percentage_complete()),
        remaining: number::from_aws(found.instances_to_update()),
    }
}

pub(super) async fn start(client: &Client, group: &str, wanted: &Preferences) -> Result<()> {
    let preferences = RefreshPreferences::builder()
        .min_healthy_percentage(wanted.min_healthy_percent)
        .max_healthy_percentage(wanted.max_healthy_percent)
        .instance_warmup(wanted.warmup_seconds)
        .skip_matching(wanted.skip_matching)
        .build();
    let request = client.start_instance_refresh().auto_scaling_group_name(group);
    let request = request.strategy(RefreshStrategy::Rolling).preferences(preferences);
    let result = request.send().await.during("start an instance refresh of Auto Scaling group", group);
    // One runs already: a retry after a lost answer, or a person's. What it leaves is seen when it has ended.
    tolerate(result, &["InstanceRefreshInProgress"]).map(drop)
}
