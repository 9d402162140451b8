//! `skydeck outputs`.

use std::collections::BTreeSet;

use miette::miette;
use serde_json::{Value, json};
use skydeck_aws::Clients;
use skydeck_aws::home::Home;
use skydeck_aws::rollout::people;
use skydeck_core::rollout::ledger::applied_key;
use skydeck_core::rollout::run::Applied;
use skydeck_core::run::outputs_key;
use skydeck_core::spec;

use crate::cli::Outputs;
use crate::context::Context;
use crate::error::Ending;
use crate::run::{installed, only_platform};

pub(super) async fn run(context: &Context, options: &Outputs) -> miette::Result<Ending> {
    let (clients, account) = context.connect().await?;
    let home = Home::new(clients.s3(), &account.bucket());
    let platform = match &options.platform {
        Some(platform) => platform.clone(),
        None => only_platform(context, &home).await?,
    };
    let mut outputs: Value = home.read_json(&outputs_key(&platform)).await.map_err(installed)?;
    if outputs.is_null() {
        return Err(miette!(
            help = "`skydeck apply` makes them",
            "{platform} has no outputs: no apply has succeeded yet"
        ));
    }
    // The apply has told what was missing then: people have set some since, and may have deleted others.
    let applied: Option<Applied> = home.read_json(&applied_key(&platform)).await.map_err(installed)?;
    if let Some(applied) = applied {
        outputs["missing_secrets"] = json!(missing(&clients, &applied.file).await?);
    }
    if !context.terminal.json() {
        for line in lines(&outputs) {
            context.terminal.say(line);
        }
    }
    context.terminal.document(&outputs)?;
    Ok(Ending::Done)
}

/// Parameters of a platform file that a person has yet to give a value.
async fn missing(clients: &Clients, file: &str) -> miette::Result<BTreeSet<String>> {
    let platform = spec::parse("platform.toml", file)?;
    let given = platform.secrets.into_values().filter(|secret| secret.value.is_none());
    let given = given.map(|secret| secret.parameter).collect();
    people::missing(clients, given).await.map_err(installed)
}

/// One line for each value, by its path.
pub(super) fn lines(outputs: &Value) -> Vec<String> {
    let mut flat = Vec::new();
    flatten(String::new(), outputs, &mut flat);
    let width = flat.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    flat.into_iter().map(|(path, value)| format!("{path:<width$} = {value}")).collect()
}

fn flatten(path: String, value: &Value, flat: &mut Vec<(String, String)>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(inner(key), value, flat)),
        Value::Array(list) if list.is_empty() => {}
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => flat.push((path, text.clone())),
        other => flat.push((path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_shown_one_value_a_line() {
        let outputs = serde_json::json!({
            "vpc_id": "vpc-1", "cluster": { "cluster_name": "skyfox-devprod" }, "missing_secrets": [], "probe": null,
        });
        assert_eq!(lines(&outputs), ["cluster.cluster_name = skyfox-devprod", "vpc_id               = vpc-1"]);
    }
}
