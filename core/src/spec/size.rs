//! What of a service goes into one object of AWS's whose size is limited: its task definition, and the policies of its roles.

use std::collections::{BTreeMap, BTreeSet};

use super::limits;
use super::model::{Part, Platform, Service, Template};
use super::problem::{Code, Problem, Span};
use super::reader::File;
use super::service::ServiceDraft;

/// Where a service's name stands, and each of its variables.
pub(super) struct Places {
    name: Span,
    variables: BTreeMap<String, Span>,
}

/// Where the names of all services and variables stand.
pub(super) fn places(services: &[ServiceDraft]) -> BTreeMap<String, Places> {
    let variables = |service: &ServiceDraft| {
        let all = service.environment.iter().chain(&service.secrets);
        all.map(|(name, _)| (name.value.clone(), name.span.clone())).collect()
    };
    let place = |service: &ServiceDraft| Places { name: service.name.span.clone(), variables: variables(service) };
    services.iter().map(|service| (service.name.value.clone(), place(service))).collect()
}

/// Tells services that are more than ECS or IAM takes.
pub(super) fn check(file: &File<'_>, platform: &Platform, places: &BTreeMap<String, Places>) {
    for (name, service) in &platform.services {
        let Some(place) = places.get(name) else { continue };
        task_definition(file, platform, (name, service), place);
        policies(file, platform, (name, service), place);
    }
}

fn task_definition(file: &File<'_>, platform: &Platform, (name, service): (&str, &Service), place: &Places) {
    if service.environment.len() + service.secrets.len() < place.variables.len() {
        // One that has no value was told already.
        return;
    }
    let plain = service.environment.iter().map(|(variable, value)| (variable, pair(variable) + longest(value)));
    let secret = service.secrets.iter().map(|(variable, key)| (variable, pair(variable) + parameter(platform, key)));
    let variables: Vec<(&String, usize)> = plain.chain(secret).collect();
    let check = service.container_check.as_ref().map_or(0, |check| check.command.iter().map(|word| json(word)).sum());
    let tags: usize = platform.tags.iter().map(|(key, value)| json(key) + json(value)).sum();
    let size = REST + check + tags + variables.iter().map(|(_, size)| size).sum::<usize>();
    let Some((largest, bytes)) = variables.iter().max_by_key(|(_, size)| *size) else { return };
    if size <= limits::TASK_DEFINITION {
        return;
    }
    let message =
        format!("the task definition of service `{name}` has {size} bytes, and ECS takes {}", limits::TASK_DEFINITION);
    let span = place.variables.get(*largest).unwrap_or(&place.name).clone();
    let problem = Problem::new(Code::WrongCount, message).at(span, format!("the largest variable, of {bytes} bytes"));
    file.tell(problem.help("let the service read so much from a bucket, or from a parameter by its own call"));
}

/// The policy of the execution role names each parameter, that of the task role each bucket twice.
fn policies(file: &File<'_>, platform: &Platform, (name, service): (&str, &Service), place: &Places) {
    let parameters: BTreeSet<&String> = service.secrets.values().collect();
    let buckets: BTreeSet<&String> = service.buckets.iter().collect();
    let read = parameters.iter().map(|key| parameter(platform, key)).sum();
    let objects = buckets.len() * 2 * (BUCKET_ARN + "/*".len() + QUOTES);
    for (what, size) in [("parameters", read), ("buckets", objects)] {
        if size + POLICY > limits::ROLE_POLICY {
            let message = format!(
                "the {what} of service `{name}` make a policy of {} characters, and IAM takes {} for a role",
                size + POLICY,
                limits::ROLE_POLICY
            );
            let problem = Problem::new(Code::WrongCount, message).at(place.name.clone(), format!("too many {what}"));
            file.tell(problem.help("use shorter names or fewer of them; one parameter may hold many values as JSON"));
        }
    }
}

/// Bytes of a task definition beside what a team chooses: names, ARNs of two roles, the image, the log's options, skydeck's tags.
const REST: usize = 3_072;
/// Characters of a policy beside its resources.
const POLICY: usize = 256;
/// Quotes and a comma.
const QUOTES: usize = 3;
/// The longest beginning of an ARN: partition, service, region and account.
const ARN: usize = "arn:aws-us-gov:ssm:ap-southeast-1:123456789012:parameter/".len();
const BUCKET_ARN: usize = "arn:aws-us-gov:s3:::".len() + limits::BUCKET_NAME;
/// The longest URL of a load balancer: its name, a number, and AWS's own name.
const URL: usize =
    "https://internal-".len() + limits::BALANCER_NAME + "-1234567890.ap-southeast-1.elb.amazonaws.com.cn:443".len();

/// Bytes of a variable in JSON without its value: `{"name":…,"valueFrom":…},`.
fn pair(variable: &str) -> usize {
    json(variable) + r#"{"name":,"valueFrom":"#.len() + QUOTES
}

/// Bytes of a text in JSON, with its escapes and a comma.
fn json(text: &str) -> usize {
    serde_json::to_string(text).map_or(text.len() + 2, |json| json.len()) + 1
}

fn parameter(platform: &Platform, key: &str) -> usize {
    platform.secrets.get(key).map_or(0, |secret| secret.parameter.len()) + ARN + QUOTES
}

/// Bytes of a value whose references are as long as they can be.
fn longest(value: &Template) -> usize {
    let part = |part: &Part| match part {
        Part::Text(text) => json(text),
        Part::BucketName(_) => limits::BUCKET_NAME,
        Part::BucketArn(_) => BUCKET_ARN,
        Part::LoadBalancerUrl(_) => URL,
        Part::ServiceUrl(_) => URL + limits::PATH_PATTERN,
    };
    value.0.iter().map(part).sum()
}
