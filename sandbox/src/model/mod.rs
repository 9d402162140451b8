//! Checks each request against its service's own model, and refuses what AWS would refuse. The models are botocore's, of
//! the emulator's Python environment, where they are pinned by version and hash. Where a model is wrong, or stricter than its
//! service, `exceptions.json` says so with its source.

mod check;
mod decode;
mod shape;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::answer::Answer;
use crate::gateway::naming::{Name, Protocol};
use check::Check;
use shape::Service;

/// A service's model, or why it could not be read.
type Loaded = Arc<OnceCell<Result<Service, String>>>;

/// Models that were read, for all sandboxes of this process: reading all of them takes a second.
static READ: LazyLock<Mutex<HashMap<PathBuf, Loaded>>> = LazyLock::new(Mutex::default);

static EXCEPTIONS: LazyLock<Vec<Exception>> = LazyLock::new(|| {
    // A test reads them too, and says what is wrong with them.
    serde_json::from_str(include_str!("exceptions.json")).unwrap_or_default()
});

/// Services by the names that calls are signed for, where botocore's directories have others.
const DIRECTORIES: [(&str, &str); 4] = [
    ("elasticloadbalancing", "elbv2"),
    ("monitoring", "cloudwatch"),
    ("states", "stepfunctions"),
    ("tagging", "resourcegroupstaggingapi"),
];

/// A constraint of a model that its service does not have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    service: String,
    shape: String,
    constraint: String,
    /// Where AWS, or its behaviour, says otherwise.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and for the test that each has one"))]
    source: String,
}

/// How many requests were checked, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// How many.
    pub requests: u64,
    /// By service and action, such as `ecs CreateService`.
    pub actions: BTreeMap<String, u64>,
    /// Shapes whose pattern could not be checked, such as `ssm Policy`.
    pub unchecked: BTreeSet<String>,
    /// Services without a model.
    pub unknown: BTreeSet<String>,
    /// The requests that were refused: by whom, which, and why. Nothing of a sensitive value is told.
    pub refused: Vec<String>,
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests of {} actions checked against AWS's models, ", self.requests, self.actions.len())?;
        write!(f, "{} refused, {} patterns not checkable", self.refused.len(), self.unchecked.len())?;
        if !self.unknown.is_empty() {
            let unknown: Vec<_> = self.unknown.iter().map(String::as_str).collect();
            write!(f, ", no model of {}", unknown.join(", "))?;
        }
        Ok(())
    }
}

/// The check of all requests of one sandbox.
#[derive(Debug)]
pub(crate) struct Models {
    /// botocore's directory of models.
    data: PathBuf,
    checked: Mutex<Checked>,
}

impl Models {
    pub(crate) fn new(botocore: &Path) -> Self {
        Self { data: botocore.join("data"), checked: Mutex::default() }
    }

    pub(crate) fn checked(&self) -> MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The refusal of a request that its service's model does not admit.
    pub(crate) async fn refuse(&self, name: &Name, parts: &Parts, body: &Bytes) -> Option<Answer> {
        if name.access_key.is_empty() {
            // No call of AWS's API, such as a layer that is fetched by the address that ECR gave for it.
            return None;
        }
        let loaded = self.service(&name.service).await;
        let Some(Ok(service)) = loaded.get() else {
            self.checked().unknown.insert(name.service.clone());
            return None;
        };
        let (faults, unchecked) = faults(service, name, parts, body);
        let mut checked = self.checked();
        checked.requests += 1;
        *checked.actions.entry(format!("{} {}", name.service, name.action)).or_default() += 1;
        checked.unchecked.extend(unchecked.into_iter().map(|shape| format!("{} {shape}", name.service)));
        let first = faults.first()?;
        let errors = if faults.len() == 1 { "error" } else { "errors" };
        let text = format!("{} validation {errors} detected: {}", faults.len(), faults.join("; "));
        checked.refused.push(format!("{}: {} {}: {text}", name.caller, name.service, name.action));
        Some(Answer::error(name.protocol, StatusCode::BAD_REQUEST, code(name, first), &text))
    }

    async fn service(&self, service: &str) -> Loaded {
        let directory = DIRECTORIES.iter().find(|(signed, _)| *signed == service).map_or(service, |(_, own)| own);
        let directory = self.data.join(directory);
        let loaded = {
            let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(read.entry(directory.clone()).or_default())
        };
        let read = || async move {
            let read = tokio::task::spawn_blocking(move || {
                let file = newest(&directory).ok_or("no such service")?;
                Service::load(&file).map_err(|error| error.to_string())
            });
            read.await.unwrap_or_else(|error| Err(error.to_string()))
        };
        loaded.get_or_init(read).await;
        loaded
    }
}

/// The newest version of a service's model; versions are dates.
fn newest(directory: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(directory).ok()?.flatten();
    versions.map(|version| version.path().join("service-2.json.gz")).filter(|file| file.exists()).max()
}

/// What is wrong with a request, and the shapes whose patterns could not be checked.
fn faults(service: &Service, name: &Name, parts: &Parts, body: &[u8]) -> (Vec<String>, BTreeSet<String>) {
    let Some(operation) = service.operations.get(&name.action) else {
        return (vec![format!("the service has no operation {}", name.action)], BTreeSet::new());
    };
    let request = decode::decode(service, operation, name, parts, body);
    let by_location = name.protocol == Protocol::RestJson;
    let mut check = Check { service, by_location, faults: Vec::new(), unchecked: BTreeSet::new() };
    if let Some(input) = &operation.input {
        check.value("", input, &request.input);
    }
    let excepted = |fault: &check::Fault| {
        let is = |exception: &Exception| {
            exception.service == name.service
                && exception.shape == fault.shape
                && exception.constraint == fault.constraint
        };
        EXCEPTIONS.iter().any(is)
    };
    let found = check.faults.into_iter().filter(|fault| !excepted(fault)).map(|fault| fault.text);
    (request.faults.into_iter().chain(found).collect(), check.unchecked)
}

/// The code by which a service refuses what its model does not admit.
fn code(name: &Name, fault: &str) -> &'static str {
    match (name.protocol, &*name.service) {
        (Protocol::Ec2, _) if fault.contains("must not be null") => "MissingParameter",
        (Protocol::Ec2, _) if fault.contains("not recognized") => "UnknownParameter",
        (Protocol::Ec2, _) => "InvalidParameterValue",
        (Protocol::Query, _) => "ValidationError",
        (Protocol::S3, _) => "InvalidRequest",
        (_, "ecs" | "ecr" | "logs") => "InvalidParameterException",
        _ => "ValidationException",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exception_names_its_source() {
        let exceptions: Vec<Exception> = serde_json::from_str(include_str!("exceptions.json")).unwrap();
        for exception in &exceptions {
            assert!(exception.source.starts_with("http"), "{exception:?}");
            let known = ["length", "pattern", "range", "enum", "required", "unknown", "type", "union"];
            assert!(known.contains(&&*exception.constraint), "{exception:?}");
        }
    }
}
