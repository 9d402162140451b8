//! What the roles should be, by the platform file alone; and what they hand on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Policy, Role, World};
use crate::facts::{Facts, IdentityFacts};
use crate::scope::{Scope, TAG_INSTALLATION};
use crate::spec::{Scheme, Service};

/// Services that act through a service-linked role. AWS makes most of these itself at the first use from its console,
/// but not always for the first API call of a new account.
pub const LINKED_SERVICES: [&str; 3] =
    ["autoscaling.amazonaws.com", "ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com"];

/// AWS's own policies that the platform's roles have.
pub const MANAGED: [&str; 4] = [AGENT, SESSIONS, PROBE, EXECUTION];
const AGENT: &str = "service-role/AmazonEC2ContainerServiceforEC2Role";
/// Session Manager is the way onto an instance: there is no SSH.
const SESSIONS: &str = "AmazonSSMManagedInstanceCore";
const PROBE: &str = "service-role/AWSLambdaVPCAccessExecutionRole";
const EXECUTION: &str = "service-role/AmazonECSTaskExecutionRolePolicy";

/// Name of the instance profile, and of the role in it.
#[must_use]
pub fn profile_name(scope: &Scope) -> String {
    scope.global_name("instance")
}

/// ARN of the role by which ECS starts a service's tasks: it follows from the names, whatever is written down of it.
#[must_use]
pub fn execution_role_arn(scope: &Scope, service: &str) -> String {
    role_arn(scope, &execution_name(scope, service))
}

/// ARN of the role of a service's own code.
#[must_use]
pub fn task_role_arn(scope: &Scope, service: &str) -> String {
    role_arn(scope, &task_name(scope, service))
}

fn role_arn(scope: &Scope, name: &str) -> String {
    scope.iam_arn("role", &format!("{}{name}", path(scope).trim_start_matches('/')))
}

fn execution_name(scope: &Scope, service: &str) -> String {
    scope.global_name(&format!("{service}-execution"))
}

fn task_name(scope: &Scope, service: &str) -> String {
    scope.global_name(&format!("{service}-task"))
}

/// All roles, by name.
#[must_use]
pub fn roles(scope: &Scope) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    let mut instance = role(scope, "instance", trust(ec2_principal(&scope.partition), None), &[AGENT, SESSIONS]);
    // The second of these reads every parameter of the account
    // (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSSMManagedInstanceCore.html>).
    let read = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"];
    let never = json!({ "Effect": "Deny", "Action": read, "Resource": "*" });
    instance.inline.insert("no-parameters".into(), document(vec![never]));
    roles.insert(profile_name(scope), instance);
    if scope.platform.load_balancers.values().any(|balancer| balancer.scheme == Scheme::Internal) {
        roles.insert(scope.global_name("probe"), role(scope, "probe", trust("lambda.amazonaws.com", None), &[PROBE]));
    }
    for (name, service) in &scope.platform.services {
        roles.insert(execution_name(scope, name), execution_role(scope, name, service));
        roles.insert(task_name(scope, name), task_role(scope, name, service));
    }
    roles
}

/// The path of the platform's roles: by it they are found again, without reading those of others. It cannot be changed, and a role of
/// the right name under another path is as good. What skydeck may do to roles ends at `/skydeck/<region>/`.
#[must_use]
pub fn path(scope: &Scope) -> String {
    format!("/skydeck/{}/{}/", scope.platform.region, scope.prefix())
}

/// Whether a role, by its ARN, is one that skydeck made for a platform: no other may be passed by it.
#[must_use]
pub fn is_of_platforms(region: &str, arn: &str) -> bool {
    arn.split_once(":role").is_some_and(|(_, path)| path.starts_with(&format!("/skydeck/{region}/")))
}

fn role(scope: &Scope, thing: &str, trust: Policy, managed: &[&str]) -> Role {
    let arn = |policy: &&str| format!("arn:{}:iam::aws:policy/{policy}", scope.partition);
    Role {
        trust,
        managed: managed.iter().map(arn).collect(),
        inline: BTreeMap::new(),
        boundary: Some(scope.boundary()),
        tags: scope.tags(&format!("role/{thing}"), &scope.global_name(thing), None),
    }
}

/// EC2 alone has a principal of its own in China
/// (<https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html>); all others have the same name everywhere.
fn ec2_principal(partition: &str) -> &'static str {
    if partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" }
}

fn trust(service: &str, condition: Option<Value>) -> Policy {
    let mut statement = json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    document(vec![statement])
}

fn document(statements: Vec<Value>) -> Policy {
    Policy::new(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// What ECS itself does for a task: pull the image, write logs, read the parameters that become variables.
///
/// The parameters are encrypted with the account's default key `aws/ssm`, whose own policy lets everyone in the account
/// decrypt through Systems Manager; so no `kms:Decrypt` is needed here
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html>). Who writes a platform file may name any
/// parameter; what others keep there is not read, since it lacks the installation's tag.
fn execution_role(scope: &Scope, name: &str, service: &Service) -> Role {
    // Without a condition on the account: AWS documents that for the task role only
    // (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>).
    let trust = trust("ecs-tasks.amazonaws.com", None);
    let thing = format!("{name}-execution");
    let mut role = role(scope, &thing, trust, &[EXECUTION]);
    role.tags.insert("Service".into(), name.into());
    let parameters: BTreeSet<String> = service
        .secrets
        .values()
        .filter_map(|key| scope.platform.secrets.get(key))
        // An ARN has one slash between `parameter` and the name, whether or not the name begins with one.
        .map(|secret| scope.arn("ssm", &format!("parameter/{}", secret.parameter.trim_start_matches('/'))))
        .collect();
    if !parameters.is_empty() {
        let marked = json!({ format!("aws:ResourceTag/{TAG_INSTALLATION}"): scope.platform.region });
        role.inline.insert(
            "parameters".into(),
            document(vec![json!({
                "Effect": "Allow",
                "Action": "ssm:GetParameters",
                "Resource": parameters,
                "Condition": { "StringEquals": marked },
            })]),
        );
    }
    role
}

/// What the service's own code may do: read and write its own buckets.
fn task_role(scope: &Scope, name: &str, service: &Service) -> Role {
    // ECS takes the role on for this account's tasks only, as AWS recommends against a confused deputy
    // (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>).
    let account = json!({ "StringEquals": { "aws:SourceAccount": scope.account } });
    let thing = format!("{name}-task");
    let mut role = role(scope, &thing, trust("ecs-tasks.amazonaws.com", Some(account)), &[]);
    role.tags.insert("Service".into(), name.into());
    let buckets: BTreeSet<String> =
        service.buckets.iter().map(|key| format!("arn:{}:s3:::{}", scope.partition, scope.bucket_name(key))).collect();
    if !buckets.is_empty() {
        let objects: Vec<String> = buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
        let write = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"];
        let statements = vec![
            json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": buckets }),
            json!({ "Effect": "Allow", "Action": write, "Resource": objects }),
        ];
        role.inline.insert("buckets".into(), document(statements));
    }
    role
}

/// ARNs of what was observed.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let arn = |name: &str| world.roles.get(name).map(|role| role.id.clone());
    let each = |role_name: fn(&Scope, &str) -> String| {
        let services = scope.platform.services.keys();
        services.filter_map(|service| Some((service.clone(), arn(&role_name(scope, service))?))).collect()
    };
    let (Some(instance_role_arn), Some(profile)) = (arn(&profile_name(scope)), &world.profile) else {
        return Facts::default();
    };
    Facts {
        identity: Some(IdentityFacts {
            instance_role_arn,
            instance_profile_arn: profile.id.clone(),
            probe_role_arn: arn(&scope.global_name("probe")).unwrap_or_default(),
            execution_role_arns: each(execution_name),
            task_role_arns: each(task_name),
        }),
        ..Facts::default()
    }
}
