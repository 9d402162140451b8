//! What services are asked to be.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::cluster::StrategyItem;
use super::tags::Tag;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateServiceRequest {
    pub(super) cluster: Option<String>,
    pub(super) service_name: String,
    pub(super) task_definition: Option<String>,
    pub(super) desired_count: Option<i64>,
    pub(super) launch_type: Option<String>,
    #[serde(default)]
    pub(super) capacity_provider_strategy: Vec<StrategyItem>,
    #[serde(default)]
    pub(super) load_balancers: Vec<Value>,
    pub(super) health_check_grace_period_seconds: Option<i64>,
    #[serde(default)]
    pub(super) deployment_configuration: Value,
    pub(super) scheduling_strategy: Option<String>,
    pub(super) client_token: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateServiceRequest {
    pub(super) cluster: Option<String>,
    pub(super) service: String,
    pub(super) task_definition: Option<String>,
    pub(super) desired_count: Option<i64>,
    pub(super) capacity_provider_strategy: Option<Vec<StrategyItem>>,
    pub(super) load_balancers: Option<Vec<Value>>,
    pub(super) health_check_grace_period_seconds: Option<i64>,
    pub(super) deployment_configuration: Option<Value>,
    #[serde(default)]
    pub(super) force_new_deployment: bool,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct DescribeServicesRequest {
    pub(super) cluster: Option<String>,
    pub(super) services: Vec<String>,
    #[serde(default)]
    pub(super) include: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct DeleteServiceRequest {
    pub(super) cluster: Option<String>,
    pub(super) service: String,
    #[serde(default)]
    pub(super) force: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServicesRequest {
    pub(super) cluster: Option<String>,
    pub(super) launch_type: Option<String>,
    pub(super) scheduling_strategy: Option<String>,
    pub(super) next_token: Option<String>,
    pub(super) max_results: Option<i64>,
}
