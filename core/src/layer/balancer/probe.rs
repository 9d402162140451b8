//! The function that asks internal load balancers from inside the VPC. It calls no AWS API, so a public subnet without
//! NAT will do.

use std::collections::BTreeSet;

use serde_json::json;

use super::desired::{network, security_group, wants_probe};
use super::teardown::plan_probe_away;
use super::{Change, Code, Configuration, Probe, World};
use crate::facts::need;
use crate::logs::plan_group;
use crate::plan::{Description, Plan, Refusal};
use crate::scope::{Scope, retag};

/// Key of the probe's code in skydeck's own bucket.
pub const PROBE_CODE_KEY: &str = "functions/probe.zip";

/// The function's name.
#[must_use]
pub fn probe_name(scope: &Scope) -> String {
    format!("skydeck-{}-probe", scope.prefix())
}

/// The name of the log group that Lambda writes the function's output to.
#[must_use]
pub fn log_group_name(scope: &Scope) -> String {
    format!("/aws/lambda/{}", probe_name(scope))
}

fn configuration(scope: &Scope) -> Result<Configuration, Refusal> {
    let role = scope.facts.identity.as_ref().map(|identity| &identity.probe_role_arn);
    let role = need(role.filter(|arn| !arn.is_empty()), "identity", "the role of the probe function")?;
    Ok(Configuration {
        runtime: "provided.al2023".into(),
        handler: "bootstrap".into(),
        role: role.clone(),
        memory_mib: 128,
        timeout_seconds: 30,
        subnets: network(scope)?.subnet_ids.values().cloned().collect(),
        groups: BTreeSet::from([security_group(scope, "probe")?]),
    })
}

pub(super) fn plan_probe(scope: &Scope, world: &World, plan: &mut Plan<Change>) -> Result<(), Refusal> {
    if !wants_probe(scope) {
        plan_probe_away(scope, world, plan);
        return Ok(());
    }
    let name = probe_name(scope);
    let code = world.probe_code.clone().ok_or_else(|| Refusal::Impossible {
        what: format!("the probe function's code is not in s3://{}/{PROBE_CODE_KEY}", scope.home),
        advice: "Run `skydeck bootstrap`, which uploads it".into(),
    })?;
    let tags = scope.tags("function/probe", &name, None);
    let wanted = Probe { code, configuration: configuration(scope)?, tags };
    let group = log_group_name(scope);
    let log_tags = scope.tags("log-group/probe", &group, None);
    // The group comes first: otherwise Lambda would make one by itself, without retention and tags.
    let logs = plan_group(scope, plan, &group, world.probe_logs.as_ref(), log_tags)?;
    let Some(found) = &world.probe else {
        plan.add(Change::CreateProbe { name, settings: wanted }, &[&logs]);
        return Ok(());
    };
    if !scope.owns(&found.settings.tags) {
        return Err(Refusal::Taken {
            kind: "function".into(),
            name,
            advice: "Give the platform another name or environment, or remove that function".into(),
        });
    }
    if let Some((old, new)) = retag(&found.settings.tags, &wanted.tags) {
        plan.add(Change::TagProbe { arn: found.id.clone(), name: name.clone(), old, new }, &[]);
    }
    let same_configuration = found.settings.configuration == wanted.configuration;
    let same_code = found.settings.code == wanted.code;
    // Lambda takes one change at a time, and refuses all while it is at one.
    if world.probe_busy && !(same_configuration && same_code) {
        plan.waits.push(format!("function {name} to take its last change"));
        plan.later.push(Description::update("function", &name, &found.settings, &wanted));
    } else if !same_configuration {
        let old = found.settings.configuration.clone();
        plan.add(Change::SetProbeConfiguration { name: name.clone(), old, new: wanted.configuration }, &[]);
        if !same_code {
            plan.waits.push(format!("function {name} to take its new configuration, before its new code"));
            let code = |code: &Code| json!({ "code": code });
            plan.later.push(Description::update("function", &name, &code(&found.settings.code), &code(&wanted.code)));
        }
    } else if !same_code {
        plan.add(Change::SetProbeCode { name, old: found.settings.code.clone(), new: wanted.code }, &[]);
    }
    Ok(())
}
