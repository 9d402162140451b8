//! Names a call: which service, which action, on what, by whom. It reads the request only; it knows no AWS semantics.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use serde_json::Value;

use super::{lambda_naming, s3_naming};

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
    pub(crate) fn of(parts: &Parts, body: &[u8], default_region: &str) -> Self {
        let scope = Scope::of(parts);
        let (service, action, resource, protocol) = if let Some(target) = header(parts, "x-amz-target") {
            let action = target.rsplit('.').next().unwrap_or(target).to_owned();
            let service = scope.service.clone().unwrap_or_else(|| service_of_target(target));
            (service, action, json_resource(body), Protocol::Json)
        } else {
            match scope.service.as_deref() {
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
        };
        let caller = application(parts).unwrap_or_else(|| scope.access_key.clone());
        let region = scope.region.unwrap_or_else(|| default_region.to_owned());
        Self { service, action, resource, caller, access_key: scope.access_key, region, protocol }
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
        let key = &self.access_key;
        if key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()) { key } else { crate::ACCOUNT }
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

/// The parameters of a query-protocol request, from its body and its address.
pub(crate) fn form(parts: &Parts, body: &[u8]) -> BTreeMap<String, String> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).chain(url::form_urlencoded::parse(body));
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

struct Scope {
    access_key: String,
    region: Option<String>,
    service: Option<String>,
}

impl Scope {
    /// From the signature, in its header or in the address of a presigned request.
    fn of(parts: &Parts) -> Self {
        let signed = header(parts, "authorization").and_then(|value| value.split("Credential=").nth(1));
        let signed = signed.map(|rest| rest.split([',', ' ']).next().unwrap_or(rest).to_owned());
        let presigned = || {
            let query = parts.uri.query()?;
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key.eq_ignore_ascii_case("X-Amz-Credential")).map(|(_, value)| value.into_owned())
        };
        let credential = signed.or_else(presigned).unwrap_or_default();
        let mut fields = credential.split('/');
        let access_key = fields.next().unwrap_or_default().to_owned();
        let region = fields.nth(1).filter(|text| !text.is_empty()).map(str::to_owned);
        let service = fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
        Self { access_key, region, service }
    }
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

    fn name(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Name {
        let mut request = Request::builder().method(method).uri(uri);
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Name::of(&parts, body.as_bytes(), "ap-south-1")
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn json_calls_are_named_by_their_target() {
        let agent = "aws-sdk-rust/1.3.9 ua/2.1 api/ecs/1.157 os/linux lang/rust/1.95 app/skydeck-cluster";
        let headers = [
            ("authorization", &*signed("ecs")),
            ("x-amz-target", "AmazonEC2ContainerServiceV20141113.CreateService"),
            ("x-amz-user-agent", agent),
        ];
        let name = name("POST", "/", &headers, r#"{"cluster":"c","serviceName":"backend"}"#);
        assert_eq!((&*name.service, &*name.action), ("ecs", "CreateService"));
        assert_eq!((&*name.caller, name.resource.as_deref()), ("skydeck-cluster", Some("backend")));
        assert_eq!((&*name.region, name.writes()), ("eu-west-1", true));
    }

    #[test]
    fn query_calls_are_named_by_their_form() {
        let authorization = signed("ec2");
        let name = name("POST", "/", &[("authorization", &authorization)], "Action=DescribeVpcs&VpcId.1=vpc-1");
        assert_eq!((&*name.service, &*name.action, name.protocol), ("ec2", "DescribeVpcs", Protocol::Ec2));
        assert_eq!((&*name.caller, name.resource.as_deref(), name.writes()), ("AKID", Some("vpc-1"), false));
        assert_eq!(name.account(), crate::ACCOUNT);
    }
}
