//! Names a call: which service, which action, on what, by whom. It reads the request only; it knows no AWS semantics.

use std::collections::{BTreeMap, HashSet};

use hyper::http::request::Parts;
use serde_json::Value;

use super::{lambda_naming, s3_naming};
use crate::guard::{Scope, is_root};

/// How a service writes its requests and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Ec2,
    Query,
    Json,
    RestJson,
    S3,
}

/// A named call.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) service: String,
    pub(crate) action: String,
    pub(crate) resource: Option<String>,
    pub(crate) caller: String,
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) protocol: Protocol,
}

impl Name {
    /// By the scope of a signature that holds; without one it is no call of AWS's API.
    pub(crate) fn of(parts: &Parts, body: &[u8], scope: Option<&Scope>, default_region: &str) -> Self {
        let (service, action, resource, protocol) = what(parts, body, scope.map(|scope| &*scope.service));
        let access_key = scope.map(|scope| scope.key.clone()).unwrap_or_default();
        let caller = application(parts).unwrap_or_else(|| access_key.clone());
        let region = scope.map_or(default_region, |scope| &scope.region).to_owned();
        Self { service, action, resource, caller, access_key, region, protocol }
    }

    /// Whether the action changes something, by its name.
    pub(crate) fn writes(&self) -> bool {
        const READS: [&str; 12] = [
            "Describe",
            "Get",
            "List",
            "Head",
            "BatchGet",
            "BatchCheck",
            "Lookup",
            "Simulate",
            "Validate",
            "Search",
            "Filter",
            "AssumeRole",
        ];
        !READS.iter().any(|prefix| self.action.starts_with(prefix))
    }

    /// The account that an access key stands for: an account's own number, or else the sandbox's.
    pub(crate) fn account(&self) -> &str {
        if is_root(&self.access_key) { &self.access_key } else { crate::ACCOUNT }
    }
}

/// How a call is answered that is refused: by what it says of its service, whether that holds or not.
pub(crate) fn protocol(parts: &Parts, body: &[u8]) -> Protocol {
    let query = parts.uri.query().unwrap_or_default();
    let mut presigned = url::form_urlencoded::parse(query.as_bytes());
    let presigned = presigned.find(|(key, _)| key.eq_ignore_ascii_case("X-Amz-Credential"));
    let signed = header(parts, "authorization").and_then(|value| value.split("Credential=").nth(1));
    let credential = signed.map(str::to_owned).or(presigned.map(|(_, value)| value.into_owned()));
    what(parts, body, credential.as_deref().and_then(|credential| credential.split('/').nth(3))).3
}

/// Service, action, resource and protocol.
fn what(parts: &Parts, body: &[u8], service: Option<&str>) -> (String, String, Option<String>, Protocol) {
    if let Some(target) = header(parts, "x-amz-target") {
        let action = target.rsplit('.').next().unwrap_or(target).to_owned();
        let service = service.map_or_else(|| service_of_target(target), str::to_owned);
        return (service, action, json_resource(body), Protocol::Json);
    }
    match service {
        Some("s3") | None => {
            let (action, resource) = s3_naming::name(parts);
            ("s3".to_owned(), action, resource, Protocol::S3)
        }
        Some("lambda") => {
            let (action, resource) = lambda_naming::name(&parts.method, parts.uri.path());
            ("lambda".to_owned(), action, resource, Protocol::RestJson)
        }
        Some(service) => query_or_rest(service, parts, body),
    }
}

fn query_or_rest(service: &str, parts: &Parts, body: &[u8]) -> (String, String, Option<String>, Protocol) {
    let form = form(parts, body);
    if let Some(action) = form.get("Action") {
        let protocol = if service == "ec2" { Protocol::Ec2 } else { Protocol::Query };
        return (service.to_owned(), action.clone(), form_resource(&form), protocol);
    }
    let path = parts.uri.path();
    if let Some((_, operation)) = path.rsplit_once("/operation/") {
        return (service.to_owned(), operation.to_owned(), None, Protocol::RestJson);
    }
    let (action, resource) = lambda_naming::other(service, &parts.method, path);
    (service.to_owned(), action, resource, Protocol::RestJson)
}

/// The parameters of a query-protocol request, from its address and its body.
pub(crate) fn form(parts: &Parts, body: &[u8]) -> BTreeMap<String, String> {
    let mut form = BTreeMap::new();
    for (key, value) in parameters(parts, body) {
        form.entry(key).or_insert(value);
    }
    form
}

fn parameters<'a>(parts: &'a Parts, body: &'a [u8]) -> impl Iterator<Item = (String, String)> + 'a {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).chain(url::form_urlencoded::parse(body));
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned()))
}

/// Whether what a form asks for depends on who reads it. The emulator looks whether the caller may do what the address
/// says, does what the body says, and knows the body of a form by its kind alone when it looks.
pub(crate) fn is_ambiguous(parts: &Parts, body: &[u8]) -> bool {
    let mut kinds = parts.headers.get_all("content-type").iter();
    let kind = kinds.next().filter(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let is_form = kind.is_some() && kinds.next().is_none() && !parts.headers.contains_key("content-encoding");
    let mut seen = HashSet::new();
    !body.is_empty() && !is_form || parameters(parts, body).any(|(key, _)| !seen.insert(key))
}

pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

/// The name that an AWS SDK's client gave itself, such as `skydeck-network`.
fn application(parts: &Parts) -> Option<String> {
    ["x-amz-user-agent", "user-agent"].iter().find_map(|name| {
        let agent = header(parts, name)?;
        let word = agent.split(' ').find_map(|word| word.strip_prefix("app/"))?;
        Some(word.to_owned())
    })
}

fn service_of_target(target: &str) -> String {
    target.split(['_', '.']).next().unwrap_or(target).to_lowercase()
}

/// The main name in a JSON request, best effort; the most specific comes first.
fn json_resource(body: &[u8]) -> Option<String> {
    const KEYS: [&str; 26] = [
        "service",
        "serviceName",
        "services",
        "family",
        "taskDefinition",
        "capacityProvider",
        "clusterName",
        "cluster",
        "clusters",
        "name",
        "Name",
        "Names",
        "logGroupName",
        "logGroupNamePrefix",
        "repositoryName",
        "repositoryNames",
        "executionArn",
        "stateMachineArn",
        "Rule",
        "ResourceId",
        "resourceArn",
        "SecretId",
        "tasks",
        "containerInstances",
        "KeyId",
        "stateMachineAliasArn",
    ];
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else { return None };
    KEYS.iter().find_map(|key| match body.get(*key)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.first()?.as_str().map(str::to_owned),
        _ => None,
    })
}

fn form_resource(form: &BTreeMap<String, String>) -> Option<String> {
    const KEYS: [&str; 38] = [
        "RoleName",
        "InstanceProfileName",
        "PolicyArn",
        "PolicyName",
        "AutoScalingGroupName",
        "AutoScalingGroupNames.member.1",
        "AWSServiceName",
        "RuleArn",
        "RuleArns.member.1",
        "ListenerArn",
        "ListenerArns.member.1",
        "TargetGroupArn",
        "TargetGroupArns.member.1",
        "LoadBalancerArn",
        "LoadBalancerArns.member.1",
        "Names.member.1",
        "ResourceArns.member.1",
        "Name",
        "GroupName",
        "GroupId",
        "LaunchTemplateName",
        "LaunchTemplateId",
        "AssociationId",
        "RouteTableId",
        "SubnetId",
        "InternetGatewayId",
        "VpcId",
        "InstanceId.1",
        "ResourceId.1",
        "NetworkInterfaceId",
        "RoleArn",
        "CidrBlock",
        "GroupId.1",
        "VpcId.1",
        "SubnetId.1",
        "ImageId.1",
        "QueueUrl",
        "TopicArn",
    ];
    KEYS.iter().find_map(|key| form.get(*key).cloned())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (key, value)| request.header(*key, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn name(service: &str, headers: &[(&str, &str)], body: &str) -> Name {
        let [key, region, service] = ["AKID", "eu-west-1", service].map(str::to_owned);
        let scope = Scope { key, region, service };
        Name::of(&parts("POST", "/", headers), body.as_bytes(), Some(&scope), "ap-south-1")
    }

    #[test]
    fn json_calls_are_named_by_their_target() {
        let agent = "aws-sdk-rust/1.3.9 ua/2.1 api/ecs/1.157 os/linux lang/rust/1.95 app/skydeck-cluster";
        let headers =
            [("x-amz-target", "AmazonEC2ContainerServiceV20141113.CreateService"), ("x-amz-user-agent", agent)];
        let name = name("ecs", &headers, r#"{"cluster":"c","serviceName":"backend"}"#);
        assert_eq!((&*name.service, &*name.action), ("ecs", "CreateService"));
        assert_eq!((&*name.caller, name.resource.as_deref()), ("skydeck-cluster", Some("backend")));
        assert_eq!((&*name.region, name.writes()), ("eu-west-1", true));
    }

    #[test]
    fn query_calls_are_named_by_their_form() {
        let name = name("ec2", &[], "Action=DescribeVpcs&VpcId.1=vpc-1");
        assert_eq!((&*name.service, &*name.action, name.protocol), ("ec2", "DescribeVpcs", Protocol::Ec2));
        assert_eq!((&*name.caller, name.resource.as_deref(), name.writes()), ("AKID", Some("vpc-1"), false));
        assert_eq!(name.account(), crate::ACCOUNT);
    }

    /// A refusal is written as the service writes its errors that the call speaks of, well or badly.
    #[test]
    fn the_protocol_of_a_refusal_is_that_of_the_service_that_is_named() {
        let of = |uri: &str, authorization: &str| {
            protocol(&parts("GET", uri, &[("authorization", authorization)]), b"Action=ListRoles")
        };
        assert_eq!(of("/", "Credential=k/d/r/iam/aws4_request"), Protocol::Query);
        assert_eq!(of("/?x-amz-credential=k/d/r/ec2/aws4_request", ""), Protocol::Ec2);
        assert_eq!(of("/2015-03-31/functions", "x Credential=k/d/r/lambda"), Protocol::RestJson);
        assert_eq!(of("/bkt/key", "Bearer x"), Protocol::S3);
    }

    // fidelity: F-GUARD-9
    #[test]
    fn what_a_form_asks_for_is_clear() {
        let form_type = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let is_ambiguous = |uri: &str, headers: &[(&str, &str)], body: &str| {
            is_ambiguous(&parts("POST", uri, headers), body.as_bytes())
        };
        assert!(!is_ambiguous("/?Version=1", &[form_type], "Action=A"));
        assert!(!is_ambiguous("/?Action=A&Version=1", &[], ""));
        assert!(is_ambiguous("/?Action=A", &[form_type], "Action=B"));
        assert!(is_ambiguous("/?Action=A&A%63tion=B", &[], ""));
        assert!(is_ambiguous("/", &[form_type], "Action=A&GroupName=a&GroupName=b"));
        assert!(is_ambiguous("/", &[("content-type", "text/plain")], "Action=A"));
        assert!(is_ambiguous("/", &[form_type, ("content-type", "text/plain")], "Action=A"));
        assert!(is_ambiguous("/", &[form_type, ("content-encoding", "gzip")], "Action=A"));
        assert!(is_ambiguous("/", &[], "Action=A"));
        let both = form(&parts("POST", "/?Action=A", &[]), b"Action=B&C=D");
        assert_eq!((&*both["Action"], &*both["C"]), ("A", "D"));
    }
}
