//! What an earlier skydeck has written is read by this one, and nothing of it is lost: an execution that began before an upgrade
//! goes on with functions of the new version, and a platform with the records of the old one.
//!
//! `earlier/<commit>.json` was recorded in a sandbox with the binaries of that commit: what the states of an apply and of two
//! rollouts handed on, and what lay in the bucket afterwards. None of it has a format number yet.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};
use skydeck_core::format;
use skydeck_core::outputs::Outputs;
use skydeck_core::preview::{LayerPlan, Preview};
use skydeck_core::rollout::ledger::Entry;
use skydeck_core::rollout::record::Record;
use skydeck_core::rollout::run::{Applied, Decided, Released, Result as Verdict};
use skydeck_core::rollout::tags::Tags;
use skydeck_core::run::{Conclusion, Dispatched, Journal, Layer, LayerOutput, Prepared};
use skydeck_core::verdict::Verification;

fn earlier() -> Value {
    serde_json::from_str(include_str!("earlier/48c9564.json")).expect("JSON")
}

/// Reads it as a function or the command does, and writes it again.
fn read<T: DeserializeOwned + Serialize>(name: &str, written: &Value) {
    let opened = format::open_input(written.clone()).unwrap_or_else(|newer| panic!("{name} {newer}"));
    let value: T = from_value(opened).unwrap_or_else(|error| panic!("{name}: {error}"));
    kept(name, written, &json!(value));
}

/// Whether all that was written before is written again.
fn kept(path: &str, before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(_)) => {
            for (key, value) in before.iter().filter(|(_, value)| !value.is_null()) {
                kept(&format!("{path}.{key}"), value, &after[key]);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before
                .iter()
                .zip(after)
                .enumerate()
                .for_each(|(at, (one, other))| kept(&format!("{path}[{at}]"), one, other));
        }
        // What is left out where it is nothing.
        (Value::Array(before), Value::Null) if before.is_empty() => {}
        (Value::Bool(false), Value::Null) => {}
        _ => assert_eq!(before, after, "{path}"),
    }
}

#[test]
fn what_states_handed_on_is_read() {
    let states = &earlier()["states"];
    let state =
        |name: &str| Some(&states[name]).filter(|state| !state.is_null()).unwrap_or_else(|| panic!("no {name}"));
    for name in ["provision.Prepare", "provision.Prepare.plan"] {
        read::<Prepared>(name, state(name));
    }
    for layer in Layer::ALL {
        let name = layer.name();
        let name = format!("provision.{}{}", name[..1].to_uppercase(), &name[1..]);
        // How often it was tried is the state machine's own, and is not handed to a function.
        let mut output = state(&name).clone();
        output.as_object_mut().expect("an object").remove("attempts");
        read::<LayerOutput>(&name, &output);
    }
    for name in ["provision.Observe", "rollout.Look", "rollout.Ask"] {
        read::<Verification>(name, state(name));
    }
    read::<Dispatched>("Dispatch", state("provision.Dispatch"));
    read::<Conclusion>("Conclude", state("provision.Conclude"));
    read::<Decided>("Decide", state("rollout.Decide"));
    read::<Released>("Release", state("rollout.Release"));
    read::<Released>("RollBack", state("rollout.RollBack"));
    assert!(state("rollout.Decide")["rollout"].is_object(), "it has decided for a rollout");
}

#[test]
fn records_are_read() {
    let mut kinds = std::collections::BTreeSet::new();
    for (key, record) in earlier()["records"].as_object().expect("records") {
        let path: Vec<&str> = key.split('/').skip(2).collect();
        let kind = match path.as_slice() {
            ["applied.json"] => (read::<Applied>(key, record), "applied").1,
            ["outputs.json"] => (read::<Outputs>(key, record), "outputs").1,
            ["plans", _] => (read::<Preview>(key, record), "plan").1,
            ["drift", _] | ["runs", _, "plan", _] => (read::<LayerPlan>(key, record), "part").1,
            ["runs", _, "conclusion.json"] => (read::<Conclusion>(key, record), "conclusion").1,
            ["runs", _, _] => (read::<Journal>(key, record), "journal").1,
            ["services", _, "ledger", _] => (read::<Entry>(key, record), "entry").1,
            ["services", _, "record.json"] => (read::<Record>(key, record), "record").1,
            ["services", _, "tags.json"] => (read::<Tags>(key, record), "tags").1,
            _ => panic!("nobody reads {key}"),
        };
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}

#[test]
fn what_a_settlement_told_is_read_by_the_command() {
    let told = &earlier()["states"]["rollout.Settle"];
    let result = told.get("result").unwrap_or(told);
    read::<Verdict>("Settle", result);
}
