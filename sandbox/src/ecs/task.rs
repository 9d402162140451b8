//! Tasks: there are none before there is a scheduler.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Region, Result};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasksRequest {
    cluster: Option<String>,
    service_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DescribeTasksRequest {
    cluster: Option<String>,
    tasks: Vec<String>,
}

impl Region {
    pub(super) fn list_tasks(&self, request: &ListTasksRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        if let Some(service) = &request.service_name
            && !self.services.contains_key(&(cluster.name.clone(), super::short(service).to_owned()))
        {
            return Err(Refusal::ServiceNotFound);
        }
        Ok(json!({ "taskArns": [] }))
    }

    pub(super) fn describe_tasks(&self, request: &DescribeTasksRequest) -> Result {
        let cluster = self.cluster(request.cluster.as_deref())?;
        if request.tasks.is_empty() {
            return Err(Refusal::invalid("Tasks cannot be empty."));
        }
        let arn = |task: &String| match task.starts_with("arn:") {
            true => task.clone(),
            false => self.arn(&format!("task/{}/{task}", cluster.name)),
        };
        let failures: Vec<Value> =
            request.tasks.iter().map(|task| json!({ "arn": arn(task), "reason": "MISSING" })).collect();
        Ok(json!({ "tasks": [], "failures": failures }))
    }
}
