//! Names that AWS gets: `<platform>-<environment>-<thing>`. What it would refuse is refused here.

use std::collections::BTreeMap;

use super::limits;
use super::platform::Head;
use super::problem::{Code, Problem, Span};
use super::reader::{At, File};
use super::service::{BalancerDraft, ServiceDraft};
use super::storage::BucketDraft;

/// Beginnings that AWS refuses, and of what.
const RESERVED: [(&str, &str); 7] = [
    // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html>
    ("aws", "capacity provider"),
    ("ecs", "capacity provider"),
    ("fargate", "capacity provider"),
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>
    ("internal-", "load balancer"),
    // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>
    ("sg-", "security group"),
    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    ("sthree-", "bucket"),
    ("amzn-s3-demo-", "bucket"),
];
/// An ending that S3 refuses (as above).
const RESERVED_BUCKET_END: &str = "-s3alias";

/// Tells every name that AWS would refuse.
pub(super) fn check(
    file: &File<'_>,
    head: &Head,
    buckets: &[BucketDraft],
    balancers: &[BalancerDraft],
    services: &[ServiceDraft],
) {
    let (Some(platform), Some(environment)) = (&head.name, &head.environment) else { return };
    let prefix = format!("{}-{}", platform.value, environment.value);
    reserved(file, platform, &prefix);
    let long = |kind: &str, name: &str, most: usize, at: &Span| too_long(file, kind, name, most, at);
    long("function", &format!("skydeck-{prefix}-probe"), limits::FUNCTION_NAME, &platform.span);
    for balancer in balancers {
        long("load balancer", &format!("{prefix}-{}", balancer.key.value), limits::BALANCER_NAME, &balancer.key.span);
    }
    let region = head.region.as_ref().map(|region| format!("-{}", region.value)).unwrap_or_default();
    for service in services {
        let role = format!("{prefix}-{}-execution{region}", service.name.value);
        long("role", &role, limits::ROLE_NAME, &service.name.span);
        if let Some(repository) = &service.repository {
            let name = format!("{prefix}-{}", repository.value);
            long("repository", &name, limits::REPOSITORY_NAME, &repository.span);
        }
    }
    let mut taken: BTreeMap<String, Span> = BTreeMap::new();
    for draft in buckets {
        let at = draft.suffix.clone().unwrap_or_else(|| draft.key.span.clone());
        let suffix = draft.bucket.suffix.as_ref().map(|suffix| format!("-{suffix}")).unwrap_or_default();
        let name = format!("{prefix}-{}{suffix}", draft.key.value);
        long("bucket", &name, limits::BUCKET_NAME, &at);
        if name.ends_with(RESERVED_BUCKET_END) {
            let message = format!("the bucket's name `{name}` ends with `{RESERVED_BUCKET_END}`, which S3 keeps");
            file.tell(Problem::new(Code::ReservedName, message).at(at.clone(), "here").help("choose another name"));
        }
        if let Some(first) = taken.get(&name) {
            file.tell(
                Problem::new(Code::DuplicateName, format!("two buckets would have the name `{name}`"))
                    .at(at.clone(), "again here")
                    .at(first.clone(), "first here")
                    .help("give one of them another name or suffix"),
            );
        }
        taken.entry(name).or_insert(at);
    }
}

fn reserved(file: &File<'_>, platform: &At<String>, prefix: &str) {
    for (beginning, kind) in RESERVED {
        if format!("{prefix}-").starts_with(beginning) {
            let message = format!("names of this platform begin with `{beginning}`, which AWS takes for no {kind}");
            file.tell(
                Problem::new(Code::ReservedName, message)
                    .at(platform.span.clone(), format!("makes `{prefix}-…`"))
                    .help("choose another name for the platform"),
            );
        }
    }
}

fn too_long(file: &File<'_>, kind: &str, name: &str, most: usize, at: &Span) {
    let length = name.len();
    if length > most {
        let over = length - most;
        file.tell(
            Problem::new(
                Code::NameTooLong,
                format!("the {kind}'s name `{name}` has {length} characters, and AWS takes {most}"),
            )
            .at(at.clone(), format!("{over} too many"))
            .help(format!(
                "shorten this name, or those of platform and environment, by {over} character{}",
                if over == 1 { "" } else { "s" }
            )),
        );
    }
}
