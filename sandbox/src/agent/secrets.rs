//! What a container finds in its environment: its secrets are asked for with the task's execution role.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::Agent;
use crate::ecs::Container;
use crate::gateway::upstream::RoleKeys;

/// How many parameters the agent asks for at once.
const BATCH: usize = 10;

impl Agent {
    /// A container's environment with its secrets, or why one cannot be read, in ECS's words.
    pub(super) async fn environment(&self, container: &Container) -> Result<HashMap<String, String>, String> {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let mut found: HashMap<String, String> =
            container.environment.iter().map(|pair| (text(pair, "name"), text(pair, "value"))).collect();
        let secrets = container.rest.get("secrets").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for secret in &secrets {
            let from = text(secret, "valueFrom");
            let parameter = match from.split_once(":parameter") {
                Some((_, name)) => name.to_owned(),
                None if from.starts_with("arn:") => continue,
                None => from,
            };
            parameters.insert(text(secret, "name"), parameter);
        }
        let values = self.values(parameters.values().cloned().collect()).await?;
        found.extend(
            parameters.into_iter().filter_map(|(name, parameter)| Some((name, values.get(&parameter)?.clone()))),
        );
        Ok(found)
    }

    async fn values(&self, mut names: Vec<String>) -> Result<HashMap<String, String>, String> {
        names.sort();
        names.dedup();
        let mut values = HashMap::new();
        if names.is_empty() {
            return Ok(values);
        }
        let role = self.launch.execution_role.as_deref().unwrap_or_default();
        let keys = self.shared.upstream.keys_of_role(role, &self.launch.task).await.ok_or_else(|| {
            format!(
                "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being \
                 passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
            )
        })?;
        for names in names.chunks(BATCH) {
            let answer = self.parameters(&keys, names).await.map_err(|why| {
                format!("Fetching secret data from SSM Parameter Store in {}: {why}", self.place.region)
            })?;
            values.extend(answer);
        }
        Ok(values)
    }

    async fn parameters(&self, keys: &RoleKeys, names: &[String]) -> Result<Vec<(String, String)>, String> {
        let ask = json!({ "Names": names, "WithDecryption": true }).to_string();
        let answer =
            self.shared.upstream.json_as(keys, &self.place.region, "ssm", "AmazonSSM.GetParameters", &ask).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !answer.status.is_success() {
            let code = said["__type"].as_str().unwrap_or_default();
            let message = said["message"].as_str().or(said["Message"].as_str());
            return Err(format!("{code}: {}", message.unwrap_or_default()));
        }
        let list = |key: &str| said[key].as_array().cloned().unwrap_or_default();
        let invalid: Vec<String> =
            list("InvalidParameters").iter().filter_map(|name| Some(name.as_str()?.into())).collect();
        if !invalid.is_empty() {
            return Err(format!("invalid parameters: {}", invalid.join(",")));
        }
        let pair = |found: &Value| Some((found["Name"].as_str()?.to_owned(), found["Value"].as_str()?.to_owned()));
        Ok(list("Parameters").iter().filter_map(pair).collect())
    }
}
