//! The value of all secrets in the tests: another one in each run, which few calls may carry.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use skydeck_sandbox::{Call, Sandbox};

/// The value of a secret.
pub fn canary() -> &'static str {
    static CANARY: OnceLock<String> = OnceLock::new();
    CANARY.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let hash = Sha256::digest(format!("{} {}", std::process::id(), now.as_nanos()));
        let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        format!("canary-{hex}")
    })
}

/// The calls that carry it and must not. It is given by whoever gives a parameter its value; who compares a value that the platform file
/// itself gives reads it.
pub(crate) fn carried(sandbox: &Sandbox) -> Vec<String> {
    let must = |call: &Call| match (&*call.service, &*call.action) {
        ("ssm", "PutParameter") => !is_function(&call.caller),
        ("ssm", "GetParameters") => ["prepare", "secrets"].contains(&&*call.caller),
        _ => false,
    };
    let calls = sandbox.calls().into_iter().filter(|call| call.carries && !must(call));
    let told = |call: Call| {
        let resource = call.resource.unwrap_or_default();
        format!("call {} of {} carries a secret: {}:{} {resource}", call.seq, call.caller, call.service, call.action)
    };
    calls.map(told).collect()
}

fn is_function(caller: &str) -> bool {
    skydeck_aws::function::FUNCTIONS.iter().any(|function| function.name == caller)
}
