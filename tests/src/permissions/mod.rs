//! Which actions the functions' roles may do, which they were seen doing, and why they may do the others (docs/permissions.md).

mod life;
mod removal;
mod unseen;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use skydeck_bootstrap::{Account, install};
use skydeck_sandbox::{ACCOUNT, Asked, Sandbox};

use crate::canary::carried;
use crate::root;
pub use life::{SPEED, life};
pub use removal::{draw, removed};
pub use unseen::unseen;

/// What runs have shown so far, kept with the sources: function, action, and `life` where the usual life of a platform shows it.
const SEEN: &str = include_str!("seen.tsv");

/// A function and an action.
pub type Pair = (String, String);
/// Many of them.
pub type Pairs = BTreeSet<Pair>;

/// The account whose policies are compared.
fn account() -> Account {
    Account::of(ACCOUNT, "ap-south-1")
}

/// The function that a role belongs to, where it is an installation's.
fn function(role: &str) -> Option<&str> {
    role.strip_prefix("skydeck-")?.strip_suffix("-ap-south-1")
}

/// What the policies of the functions' roles allow.
#[must_use]
pub fn allowed() -> Pairs {
    let functions = skydeck_aws::function::FUNCTIONS;
    let policies = install::policies(&account());
    let of = |name: &'static str| {
        let document = policies.get(&account().role_name(name)).cloned().unwrap_or_default();
        actions(&document).into_iter().map(move |action| (name.to_owned(), action))
    };
    functions.iter().flat_map(|function| of(function.name)).collect()
}

/// The actions that a policy allows.
#[must_use]
pub fn actions(document: &Value) -> BTreeSet<String> {
    let statements = document["Statement"].as_array().into_iter().flatten();
    let allows = statements.filter(|statement| statement["Effect"] == "Allow");
    // IAM's "one or many".
    let listed = |statement: &Value| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        one => vec![one.clone()],
    };
    allows.flat_map(listed).filter_map(|action| Some(action.as_str()?.to_owned())).collect()
}

/// What the functions were seen doing.
#[must_use]
pub fn seen() -> Pairs {
    rows().map(|(pair, _)| pair).collect()
}

/// What the usual life of a platform shows.
#[must_use]
pub fn usual() -> Pairs {
    rows().filter(|(_, usual)| *usual).map(|(pair, _)| pair).collect()
}

fn rows() -> impl Iterator<Item = (Pair, bool)> {
    SEEN.lines().filter_map(|line| {
        let mut words = line.split('\t');
        Some(((words.next()?.to_owned(), words.next()?.to_owned()), words.next() == Some("life")))
    })
}

/// The list of what was seen as it is kept.
#[must_use]
pub fn list(seen: &Pairs, usual: &Pairs) -> String {
    let line = |pair: &Pair| {
        let word = if usual.contains(pair) { "\tlife" } else { "" };
        format!("{}\t{}{word}\n", pair.0, pair.1)
    };
    seen.iter().map(line).collect()
}

/// What the functions' roles were asked for in a sandbox, where it was allowed or where it was denied.
#[must_use]
pub fn asked(sandbox: &Sandbox, allowed: bool) -> Pairs {
    let of = |asked: Asked| Some((function(&asked.role)?.to_owned(), asked.action));
    sandbox.asked().into_iter().filter(|asked| asked.allowed == allowed).filter_map(of).collect()
}

/// Where runs write down what they have seen, for the program that makes the list.
fn notes() -> PathBuf {
    root().join("target/permissions")
}

/// What all runs on this machine have seen since the notes were deleted.
///
/// # Errors
/// Where a note cannot be read.
pub fn noted() -> std::io::Result<Pairs> {
    let mut all = Pairs::new();
    let Ok(entries) = fs::read_dir(notes()) else { return Ok(all) };
    for entry in entries {
        let text = fs::read_to_string(entry?.path())?;
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        all.extend(pairs.map(|(function, action)| (function.to_owned(), action.to_owned())));
    }
    Ok(all)
}

fn note(pairs: &Pairs) -> std::io::Result<()> {
    fs::create_dir_all(notes())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut file = File::create(notes().join(format!("{}-{}.tsv", std::process::id(), now.as_nanos())))?;
    pairs.iter().try_for_each(|(function, action)| writeln!(file, "{function}\t{action}"))
}

/// What is wrong with what has happened in a sandbox, as every test looks at it when its sandbox ends: a function that was denied
/// something, or a call that carries a secret. What the functions did is noted, for the program that compares it.
#[must_use]
pub fn wrong(sandbox: &Sandbox) -> Vec<String> {
    if let Err(error) = note(&asked(sandbox, true)) {
        return vec![format!("{}: {error}", notes().display())];
    }
    let denied = asked(sandbox, false).into_iter();
    let denied = denied.map(|(function, action)| format!("skydeck-{function} was denied {action}"));
    denied.chain(carried(sandbox)).collect()
}
