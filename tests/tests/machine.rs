//! The state machine against what it calls: layers, binaries, states and functions agree, and its file is valid.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use skydeck_aws::function::{ALIAS, FUNCTIONS, MEMORY_MIB, TIMEOUT_SECONDS};
use skydeck_core::run::Layer;
use skydeck_tests::root;

fn machine(name: &str) -> Value {
    let path = root().join(format!("statemachine/{name}.asl.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the state machine")).expect("JSON")
}

const MACHINES: [&str; 3] = ["provision", "rollout", "sweep"];

/// All states, those of branches included, by name.
fn states(machine: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, state) in machine["States"].as_object().expect("states") {
        found.push((name.clone(), state));
        for branch in state["Branches"].as_array().into_iter().flatten() {
            found.extend(states(branch));
        }
    }
    found
}

/// The function that a state calls.
fn called(state: &Value) -> Option<&str> {
    state["Arguments"]["FunctionName"].as_str()?.strip_prefix("${")?.strip_suffix('}')
}

#[test]
fn layers_binaries_states_and_functions_agree() {
    let machines = MACHINES.map(machine);
    let functions: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let states = machines.iter().flat_map(states);
    let called: BTreeSet<&str> = states.filter_map(|(_, state)| called(state)).collect();
    assert_eq!(called, functions, "states call exactly the functions that are installed");
    let sources = std::fs::read_dir(root().join("functions/src/bin")).expect("binaries");
    let binaries: BTreeSet<String> =
        sources.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned())).collect();
    assert_eq!(binaries.iter().map(String::as_str).collect::<BTreeSet<_>>(), functions, "each is a binary");
    for layer in Layer::ALL {
        assert!(functions.contains(layer.name()), "{layer} has no function");
    }
}

/// How long a state's Retry waits for what is not yet done, in seconds.
fn patience(state: &Value) -> f64 {
    let retry = state["Retry"].as_array().into_iter().flatten();
    let retry = retry.into_iter().find(|retry| retry["ErrorEquals"][0] == "NotYet").expect("a retrier for NotYet");
    let number = |key: &str| retry[key].as_f64().expect("a number");
    let mut wait = number("IntervalSeconds");
    let mut all = 0.0;
    for _ in 0..retry["MaxAttempts"].as_u64().expect("a number") {
        all += wait;
        wait = (wait * number("BackoffRate")).min(number("MaxDelaySeconds"));
    }
    all
}

#[test]
fn a_destroy_keeps_the_roles_until_the_network_is_gone_and_waits_an_hour_for_it() {
    let machine = machine("provision");
    let states = states(&machine);
    let (_, network) = states.iter().find(|(name, _)| name == "RemoveNetwork").expect("the network goes");
    assert!(patience(network) >= 3600.0, "{} seconds", patience(network));
    // Lambda removes the interfaces of the probe function with the function's own role.
    let branches: Vec<String> = machine["States"]["RemoveFoundations"]["Branches"]
        .as_array()
        .expect("branches")
        .iter()
        .filter_map(|branch| Some(branch["StartAt"].as_str()?.to_owned()))
        .collect();
    assert!(branches.contains(&"RemoveNetwork".to_owned()) && !branches.contains(&"RemoveIdentity".to_owned()));
    assert_eq!(machine["States"]["RemoveFoundationsGone"]["Default"], "RemoveIdentity");
}

#[test]
fn between_two_looks_the_machines_wait_as_long_as_is_counted() {
    for name in ["provision", "rollout"] {
        let machine = machine(name);
        // Another one lies between two walks over the layers.
        let looks = |state: &Value| state["Type"] == "Wait" && (state["Next"] == "Observe" || state["Next"] == "Look");
        let waits: Vec<_> = states(&machine).into_iter().filter(|(_, state)| looks(state)).collect();
        assert_eq!(waits.len(), 1, "{name}");
        assert_eq!(waits[0].1["Seconds"], skydeck_core::verdict::WAIT_SECONDS, "{name}");
    }
}

#[test]
fn what_cargo_lambda_deploys_is_what_is_installed() {
    let text = std::fs::read_to_string(root().join("functions/Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let bins = &manifest["package"]["metadata"]["lambda"]["bin"];
    for function in FUNCTIONS {
        let deploy = bins[function.name]["deploy"].as_table().expect("a deploy section");
        assert_eq!(deploy["memory"].as_integer(), Some(MEMORY_MIB.into()), "{}", function.name);
        assert_eq!(deploy["timeout"].as_integer(), Some(TIMEOUT_SECONDS.into()), "{}", function.name);
        assert_eq!(deploy["alias"].as_str(), Some(ALIAS), "{}", function.name);
    }
    assert_eq!(bins.as_table().map(toml::Table::len), Some(FUNCTIONS.len()), "and no other");
}

#[test]
fn no_state_carries_what_the_emulator_would_ignore() {
    let machines = MACHINES.map(machine);
    let all: Vec<_> = machines.iter().flat_map(states).collect();
    let parallels: Vec<_> = all.iter().filter(|(_, state)| state["Type"] == "Parallel").collect();
    assert!(parallels.len() >= 4, "forward and back there are two each");
    for (name, state) in parallels {
        for key in ["Output", "Assign", "Arguments"] {
            assert!(state.get(key).is_none(), "{name} has {key}");
        }
    }
    for (name, state) in all.iter().filter(|(_, state)| state["Type"] == "Succeed") {
        assert!(state.get("Output").is_none(), "{name} has an output of its own");
    }
}

#[test]
fn every_call_is_retried_by_error_name_and_a_branch_catches_its_own_error() {
    let machines = MACHINES.map(machine);
    let wanted = [
        "NotYet",
        "Throttled",
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ResourceNotReadyException",
        "Sandbox.Timedout",
    ];
    for (name, state) in machines.iter().flat_map(states) {
        if called(state).is_none() {
            continue;
        }
        let names: BTreeSet<&str> = state["Retry"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|retry| retry["ErrorEquals"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        for error in wanted {
            assert!(names.contains(error), "{name} does not retry {error}");
        }
        let last = state["Catch"].as_array().and_then(|catches| catches.last());
        let caught = last.and_then(|last| last["ErrorEquals"][0].as_str());
        assert_eq!(caught, Some("States.ALL"), "{name} lets an error pass");
        let timeout = state["TimeoutSeconds"].as_i64().unwrap_or_default();
        assert!(timeout > i64::from(TIMEOUT_SECONDS), "{name} gives up before its function does");
    }
}

#[test]
fn the_npm_package_asl_validator_accepts_it() {
    let prefix = root().join("target/asl-validator");
    let validator = prefix.join("node_modules/.bin/asl-validator");
    if !validator.exists() {
        let installed = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"])
            .arg(&prefix)
            .arg("asl-validator@4.0.0")
            .status();
        assert!(installed.expect("npm can be started").success(), "asl-validator can be installed");
    }
    for name in MACHINES {
        let path = root().join(format!("statemachine/{name}.asl.json"));
        let checked = Command::new(&validator).arg("--json-path").arg(path).output();
        let checked = checked.expect("asl-validator can be started");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{name}: {said}");
    }
}
