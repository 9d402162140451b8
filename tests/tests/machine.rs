//! The state machine against what it calls: layers, binaries, states and functions agree, and its file is valid.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use skydeck_aws::function::{ALIAS, FUNCTIONS, MEMORY_MIB, TIMEOUT_SECONDS};
use skydeck_bootstrap::Account;
use skydeck_bootstrap::install::definition::{MACHINES as MACHINES_INSTALLED, definition};
use skydeck_core::run::{Layer, ROLLOUTS_AT_ONCE};
use skydeck_tests::{node, root};

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

#[test]
fn a_destroy_keeps_the_roles_until_the_network_is_gone_and_waits_an_hour_for_it() {
    let machine = rendered(MACHINES_INSTALLED[0].1);
    let states = states(&machine);
    let (_, network) = states.iter().find(|(name, _)| name == "RemoveNetwork").expect("the network goes");
    let patience = patience(network, "NotYet");
    assert!(patience >= 3600.0, "{patience} seconds");
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
        let seconds = format!(
            "{{% $exists($verification.wait_seconds) ? $verification.wait_seconds : {} %}}",
            skydeck_core::verdict::WAIT_SECONDS
        );
        assert_eq!(machine(name)["States"]["Wait"]["Seconds"], seconds, "{name}");
    }
}

/// The number in a condition such as `$looks < 240`.
fn bound(condition: &str, of: &str) -> u64 {
    let rest = condition.split_once(&format!("${of} < ")).unwrap_or_else(|| panic!("{of} in {condition}")).1;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

#[test]
fn one_bad_look_is_looked_again_and_five_in_a_row_over_a_minute_are_too_many() {
    for name in ["provision", "rollout"] {
        let machine = machine(name);
        let trouble = &machine["States"]["Trouble"];
        let looks = bound(trouble["Choices"][0]["Condition"].as_str().unwrap_or_default(), "trouble");
        let again = trouble["Choices"][0]["Next"].as_str().unwrap_or_default();
        let seconds = machine["States"][again]["Seconds"].as_u64().unwrap_or_default();
        assert!(looks >= 3 && (looks - 1) * seconds >= 60, "{name}: {looks} looks, {seconds} s apart");
    }
}

#[test]
fn an_apply_has_fewer_events_than_an_execution_may_have() {
    // https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    const MOST: u64 = 25_000;
    // A task that is tried again: scheduled, started, failed. A look with all that it asks: three tasks of five events, two choices and
    // a wait of two each.
    const ATTEMPT: u64 = 3;
    const LOOK: u64 = 3 * 5 + 3 * 2;
    let machine = machine("provision");
    let again = machine["States"]["Settled"]["Choices"][0]["Condition"].as_str().unwrap_or_default().to_owned();
    let waits: Value = serde_json::from_str(include_str!("../../statemachine/retry.json")).expect("JSON");
    let attempts = |patience: &str| waits["not-yet-attempts"][patience].as_u64().expect("a number");
    let layers = Layer::ALL.len() as u64;
    let walk = (layers - 1) * attempts("function") + attempts("instances");
    let looks = u64::from(skydeck_core::verdict::MOST_LOOKS);
    // The last walk begins just below the bounds, and takes all that a walk may take.
    let most_attempts = bound(&again, "attempts") + walk;
    let most_looks = bound(&again, "looks") + looks;
    let fixed = (bound(&again, "pass") + 1) * (layers * 5 + 40);
    let events = most_attempts * ATTEMPT + most_looks * LOOK + fixed;
    assert!(events < MOST, "{events}: {most_attempts} attempts, {most_looks} looks");
}

#[test]
fn no_source_names_one_partition_for_all() {
    let mut found = Vec::new();
    let mut folders = ["core/src", "aws/src", "functions/src", "bootstrap/src", "statemachine"]
        .map(|name| root().join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_source = path.extension().is_some_and(|kind| kind == "rs" || kind == "json");
            // Tests and examples name an account, and so a partition.
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let example = |line: &&str| line.contains("123456789012") || line.contains("111122223333");
            let names = product.lines().filter(|line| line.contains("arn:aws:")).any(|line| !example(&line));
            if is_source && names && !path.ends_with("tests.rs") && !folder.ends_with("history") {
                found.push(path);
            }
        }
    }
    assert!(found.is_empty(), "an ARN of the partition aws alone in {found:?}");
}

#[test]
fn as_many_rollouts_go_on_at_once_as_a_run_starts() {
    let machine = machine("provision");
    let choices = machine["States"]["Observed"]["Choices"].as_array().expect("choices");
    let again = choices.iter().find(|choice| choice["Next"] == "Dispatch").expect("Dispatch is called again");
    let condition = again["Condition"].as_str().unwrap_or_default();
    assert!(condition.contains(&format!(" < {ROLLOUTS_AT_ONCE} %}}")), "{condition}");
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

/// A definition as AWS gets it.
fn rendered(text: &str) -> Value {
    let account = Account { id: "111122223333".into(), partition: "aws".into(), region: "eu-central-1".into() };
    serde_json::from_str(&definition(&account, text).expect("a definition")).expect("JSON")
}

/// States that call a function, the probe's among them.
fn calls(machine: &Value) -> Vec<(String, &Value)> {
    states(machine).into_iter().filter(|(_, state)| state["Type"] == "Task").collect()
}

/// Seconds for which a state tries again after one error over and over, by Step Functions' rules: the first retrier that
/// names it counts. Jitter waits half of the time on average.
fn patience(state: &Value, error: &str) -> f64 {
    let retriers = state["Retry"].as_array().expect("a list of retries");
    let names = |retrier: &&Value| {
        let mut names = retrier["ErrorEquals"].as_array().into_iter().flatten();
        names.any(|name| name == error || name == "States.ALL")
    };
    let Some(retrier) = retriers.iter().find(names) else { return 0.0 };
    let number = |key: &str, default: f64| retrier[key].as_f64().unwrap_or(default);
    let (interval, rate, most) =
        (number("IntervalSeconds", 1.0), number("BackoffRate", 2.0), number("MaxDelaySeconds", f64::MAX));
    let attempts = retrier["MaxAttempts"].as_i64().unwrap_or(3);
    let waits = (0..i32::try_from(attempts).expect("few")).map(|attempt| (interval * rate.powi(attempt)).min(most));
    waits.sum::<f64>() * if retrier["JitterStrategy"] == "FULL" { 0.5 } else { 1.0 }
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_told_at_once() {
    // The errors of Lambda's Invoke, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, and those of Step Functions and
    // of the runtime itself, https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html.
    let passing = [
        ("Lambda.ServiceException", 45.0),
        ("Lambda.AWSLambdaException", 45.0),
        ("Lambda.SdkClientException", 45.0),
        ("Lambda.ClientExecutionTimeoutException", 45.0),
        ("Lambda.Unknown", 45.0),
        ("Sandbox.Timedout", 45.0),
        ("States.Timeout", 45.0),
        ("States.Permissions", 45.0),
        ("States.TaskFailed", 45.0),
        ("Runtime.ExitError", 45.0),
        ("Extension.Crash", 45.0),
        ("Throttled", 45.0),
        ("AwsError", 10.0),
        // IAM is eventually consistent: the first run after an installation.
        ("AccessDenied", 30.0),
        // A new account's quota of ten: a first apply of many services waits for many minutes.
        ("Lambda.TooManyRequestsException", 600.0),
        // An idle function in a VPC gets its interface anew, which was seen to take up to 106 seconds.
        ("Lambda.ResourceNotReadyException", 240.0),
        ("Lambda.ResourceConflictException", 240.0),
        ("Lambda.CodeArtifactUserPendingException", 240.0),
        ("Lambda.ENINotReadyException", 240.0),
        ("Lambda.ENILimitReachedException", 240.0),
        ("Lambda.SubnetIPAddressLimitReachedException", 240.0),
        ("Lambda.EC2ThrottledException", 240.0),
        ("Lambda.EC2UnexpectedException", 240.0),
        ("Lambda.EC2AccessDeniedException", 240.0),
        ("Lambda.KMSAccessDeniedException", 240.0),
        ("NotYet", 1200.0),
    ];
    let lasting = ["Taken", "Refused", "Locked", "Moved", "Stale", "BadInput", "Broken"];
    for (machine, text) in MACHINES_INSTALLED {
        let machine = (machine, rendered(text));
        for (name, state) in calls(&machine.1) {
            for (error, seconds) in passing {
                let patience = patience(state, error);
                assert!(patience >= seconds, "{}: {name} tries {error} again for {patience} s", machine.0);
            }
            for error in lasting {
                assert!(patience(state, error) == 0.0, "{}: {name} tries {error} again", machine.0);
            }
            // An initialisation of ten seconds comes before the function's own time, which Lambda ends by itself.
            let timeout = state["TimeoutSeconds"].as_i64().unwrap_or_default();
            assert!(timeout >= i64::from(TIMEOUT_SECONDS) + 15, "{name} gives up before its function does");
            let last = state["Catch"].as_array().and_then(|catches| catches.last());
            let caught = last.and_then(|last| last["ErrorEquals"][0].as_str());
            assert_eq!(caught, Some("States.ALL"), "{name} lets an error pass");
        }
    }
}

#[test]
fn retries_stand_in_one_place_and_are_written_as_the_states_language_wants_them() {
    for (name, text) in MACHINES_INSTALLED {
        for (state, found) in calls(&serde_json::from_str(text).expect("JSON")) {
            let retry = found["Retry"].as_str().unwrap_or_default();
            assert!(retry.starts_with("${retry."), "{name}: {state} has a list of its own");
        }
        for (state, found) in calls(&rendered(text)) {
            let retriers = found["Retry"].as_array().expect("a list");
            for (at, retrier) in retriers.iter().enumerate() {
                let names = retrier["ErrorEquals"].as_array().expect("names");
                // "States.ALL" must stand alone, and in the last retrier.
                let has_all = names.iter().any(|name| name == "States.ALL");
                assert_eq!(has_all, at + 1 == retriers.len(), "{name}: {state}");
                assert!(!has_all || names.len() == 1, "{name}: {state}");
                let known = [
                    "ErrorEquals",
                    "IntervalSeconds",
                    "BackoffRate",
                    "MaxAttempts",
                    "MaxDelaySeconds",
                    "JitterStrategy",
                ];
                let foreign = retrier.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str()));
                assert_eq!(foreign, None, "{name}: {state}");
            }
        }
    }
}

#[test]
fn the_npm_package_asl_validator_accepts_it() {
    let validator = node::programs().join("asl-validator");
    for (name, text) in MACHINES_INSTALLED {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), rendered(text).to_string()).expect("the definition can be written");
        let checked = Command::new(&validator).arg("--json-path").arg(file.path()).output();
        let checked = checked.expect("asl-validator can be started");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{name}: {said}");
    }
}
