//! A plan as a person reads it: resource by resource, attribute by attribute.

use console::Style;
use miette::IntoDiagnostic;
use serde_json::Value;
use skydeck_aws::home::Home;
use skydeck_core::plan::{Action, Attribute, Description};
use skydeck_core::preview::{PlanSummary, Preview};

use crate::context::Context;
use crate::follow::Finished;

/// The plan that a run has made, if that is what it was for and it came so far.
pub(crate) async fn plan_of(context: &Context, home: &Home, finished: &Finished) -> miette::Result<Option<Preview>> {
    match finished.conclusion.as_ref().and_then(|conclusion| conclusion.plan.as_ref()) {
        Some(PlanSummary { key: Some(key), .. }) => {
            context.patiently(async || home.read_json(key).await).await.into_diagnostic()
        }
        Some(_) | None => Ok(None),
    }
}

/// The changes of all layers; nothing of layers without any.
pub(crate) fn lines(plan: &Preview, style: &Style) -> Vec<String> {
    let mut lines = Vec::new();
    for layer in plan.layers.iter().filter(|layer| !(layer.changes.is_empty() && layer.waits.is_empty())) {
        lines.push(format!("\n{}", style.clone().bold().apply_to(layer.layer)));
        for change in &layer.changes {
            lines.push(format!("  {}", colour(change.action, style).apply_to(change)));
            lines.extend(attributes(change, style));
        }
        lines.extend(layer.waits.iter().map(|what| format!("  waits for {what}")));
        lines.extend(layer.deferred.iter().map(|what| format!("  last: {what}")));
    }
    lines
}

fn colour(action: Action, style: &Style) -> Style {
    let style = style.clone();
    match action {
        Action::Create => style.green(),
        Action::Update => style.yellow(),
        Action::Replace => style.magenta(),
        Action::Delete => style.red(),
    }
}

fn attributes(change: &Description, style: &Style) -> Vec<String> {
    let name = |attribute: &Attribute| if attribute.name.is_empty() { "value".into() } else { attribute.name.clone() };
    let width = change.attributes.iter().map(|attribute| name(attribute).chars().count()).max().unwrap_or_default();
    let line = |attribute: &Attribute| {
        let new = attribute.new.as_ref().map_or("(none)".into(), text);
        let value = match (&attribute.old, change.action) {
            (None, Action::Create) => new,
            (old, _) => format!("{} -> {new}", old.as_ref().map_or("(none)".into(), text)),
        };
        let forces = style.clone().magenta().apply_to("  # forces replacement");
        let forces = if attribute.forces_replacement { forces.to_string() } else { String::new() };
        format!("      {:<width$} = {value}{forces}", name(attribute))
    };
    change.attributes.iter().map(line).collect()
}

/// A text of one line bare, everything else as JSON has it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains('\n') => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skydeck_core::preview::{Counts, LayerPlan, PlannedFile};
    use skydeck_core::run::Layer;

    use super::*;

    #[test]
    fn a_plan_is_shown_resource_by_resource_with_old_and_new_values() {
        let create = Description::create("VPC", "skyfox-vpc", &json!({ "cidr": "10.0.0.0/16", "dns": true }));
        let group = |port: u16, path: &str| json!({ "fixed": { "port": port }, "health": { "path": path } });
        let fixed = |name: &str| name.starts_with("fixed.");
        let changes = vec![
            Description::update("bucket", "b", &json!({ "cors": [1], "tags": {} }), &json!({ "tags": { "a": "" } })),
            Description::replace("target group", ("old", "new"), (&group(80, "/"), &group(81, "/h")), fixed),
            Description::delete("role", "r"),
        ];
        let layer = |layer, changes, waits| {
            let (fingerprint, notes, deferred) = (String::new(), Vec::new(), Vec::new());
            LayerPlan { layer, fingerprint, changes, notes, warnings: Vec::new(), waits, deferred }
        };
        let plan = Preview {
            id: "p".into(),
            platform: "skyfox-devprod".into(),
            counts: Counts::default(),
            summary: String::new(),
            file: PlannedFile::default(),
            refresh_ami: false,
            layers: vec![
                layer(Layer::Network, vec![create], Vec::new()),
                layer(Layer::Identity, Vec::new(), Vec::new()),
                layer(Layer::Balancer, changes, vec!["a function".into()]),
            ],
        };
        insta::assert_snapshot!(lines(&plan, &Style::new().force_styling(false)).join("\n"));
    }
}
