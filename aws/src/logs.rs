//! CloudWatch log groups, which more than one layer has.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::Client;
use skydeck_core::logs::{LogChange, LogGroup};
use skydeck_core::plan::Found;
use skydeck_core::scope::Tags;

use crate::error::{Explain, Result, tolerate};

/// The log group of this name, if there is one.
pub(crate) async fn find(logs: &Client, name: &str) -> Result<Option<Found<LogGroup>>> {
    let answer = logs.describe_log_groups().log_group_name_prefix(name).send().await.during("find log group", name)?;
    let Some(group) = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name)) else {
        return Ok(None);
    };
    // The ARN of a group as tagging takes it has no `:*` at its end.
    let arn = group.arn().unwrap_or_default().trim_end_matches(":*").to_owned();
    let tags = logs.list_tags_for_resource().resource_arn(&arn).send().await.during("list tags of log group", name)?;
    let tags = tags.tags().map(|tags| tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
    let settings = LogGroup { retention_days: group.retention_in_days(), tags: tags.unwrap_or_default() };
    Ok(Some(Found { id: arn, settings }))
}

/// Carries out a change of a log group.
pub(crate) async fn apply(logs: &Client, change: &LogChange) -> Result<()> {
    match change {
        LogChange::Create { name, tags } => {
            let request = logs.create_log_group().log_group_name(name).set_tags(Some(map(tags)));
            // A retry after a lost answer finds the group there; a stranger's shows in the next observation.
            tolerate(request.send().await.during("create log group", name), &["ResourceAlreadyExistsException"])?;
        }
        LogChange::SetRetention { name, new, .. } => {
            let request = logs.put_retention_policy().log_group_name(name).retention_in_days(*new);
            request.send().await.during("set retention of log group", name)?;
        }
        LogChange::SetTags { arn, name, new, .. } => {
            let request = logs.tag_resource().resource_arn(arn).set_tags(Some(map(new)));
            request.send().await.during("tag log group", name)?;
        }
        LogChange::Delete { name } => {
            let result = logs.delete_log_group().log_group_name(name).send().await.during("delete log group", name);
            // Gone already: a retry after a lost answer, or a person who was faster.
            tolerate(result, &["ResourceNotFoundException"])?;
        }
    }
    Ok(())
}

fn map(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
