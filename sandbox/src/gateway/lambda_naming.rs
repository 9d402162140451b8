//! Names of the calls of Lambda and of the few other REST services, which stand in method and path.

use hyper::Method;
use percent_encoding::percent_decode_str;

/// Action and function name of a call to Lambda.
pub(crate) fn name(method: &Method, path: &str) -> (String, Option<String>) {
    let mut parts = path.trim_matches('/').split('/');
    let _version = parts.next();
    let rest: Vec<&str> = parts.collect();
    let decode = |text: &str| Some(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let (action, resource) = match rest.as_slice() {
        ["functions"] => (pick(method, "ListFunctions", "CreateFunction", "", ""), None),
        ["functions", name] => (pick(method, "GetFunction", "", "", "DeleteFunction"), decode(name)),
        ["functions", name, tail @ ..] => (function_action(method, tail), decode(name)),
        ["tags", arn] => (pick(method, "ListTags", "TagResource", "", "UntagResource"), decode(arn)),
        ["account-settings"] => ("GetAccountSettings", None),
        ["event-source-mappings"] => {
            (pick(method, "ListEventSourceMappings", "CreateEventSourceMapping", "", ""), None)
        }
        _ => ("", None),
    };
    if action.is_empty() { (format!("{method} {path}"), resource) } else { (action.to_owned(), resource) }
}

fn function_action(method: &Method, tail: &[&str]) -> &'static str {
    match tail {
        ["invocations"] => "Invoke",
        ["code"] => "UpdateFunctionCode",
        ["configuration"] => pick(method, "GetFunctionConfiguration", "", "UpdateFunctionConfiguration", ""),
        ["versions"] => pick(method, "ListVersionsByFunction", "PublishVersion", "", ""),
        ["aliases"] => pick(method, "ListAliases", "CreateAlias", "", ""),
        ["aliases", _] => pick(method, "GetAlias", "", "UpdateAlias", "DeleteAlias"),
        ["policy"] => pick(method, "GetPolicy", "AddPermission", "", ""),
        ["policy", _] => pick(method, "", "", "", "RemovePermission"),
        ["concurrency"] => {
            pick(method, "GetFunctionConcurrency", "", "PutFunctionConcurrency", "DeleteFunctionConcurrency")
        }
        ["event-invoke-config"] => pick(
            method,
            "GetFunctionEventInvokeConfig",
            "UpdateFunctionEventInvokeConfig",
            "PutFunctionEventInvokeConfig",
            "DeleteFunctionEventInvokeConfig",
        ),
        _ => "",
    }
}

fn pick(
    method: &Method,
    get: &'static str,
    post: &'static str,
    put: &'static str,
    delete: &'static str,
) -> &'static str {
    match *method {
        Method::GET => get,
        Method::POST => post,
        Method::PUT => put,
        Method::DELETE => delete,
        _ => "",
    }
}

/// Action and resource of a call to another REST service: EventBridge Scheduler by name, the rest by method and path.
pub(crate) fn other(service: &str, method: &Method, path: &str) -> (String, Option<String>) {
    let rest: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (action, resource) = match (service, rest.as_slice()) {
        ("scheduler", ["schedules"]) => (pick(method, "ListSchedules", "", "", ""), None),
        ("scheduler", ["schedules", name]) => {
            (pick(method, "GetSchedule", "CreateSchedule", "UpdateSchedule", "DeleteSchedule"), Some(*name))
        }
        ("scheduler", ["schedule-groups", name]) => {
            (pick(method, "GetScheduleGroup", "CreateScheduleGroup", "", "DeleteScheduleGroup"), Some(*name))
        }
        _ => ("", None),
    };
    let resource = resource.map(str::to_owned);
    if action.is_empty() { (format!("{method} {path}"), resource) } else { (action.to_owned(), resource) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named() {
        let named = |method: Method, path: &str| name(&method, path);
        assert_eq!(named(Method::POST, "/2015-03-31/functions"), ("CreateFunction".into(), None));
        let invoke = named(Method::POST, "/2015-03-31/functions/a%3Alive/invocations");
        assert_eq!(invoke, ("Invoke".into(), Some("a:live".into())));
        assert_eq!(named(Method::PUT, "/2015-03-31/functions/a/aliases/live").0, "UpdateAlias");
        assert_eq!(other("scheduler", &Method::POST, "/schedules/x").0, "CreateSchedule");
    }
}
