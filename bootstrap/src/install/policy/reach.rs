//! The statements by which a function may do its actions, as far as the table says.

use serde_json::{Map, Value, json};
use skydeck_aws::function::Function;
use skydeck_core::layer::identity::{LINKED_SERVICES, MANAGED};
use skydeck_core::scope::TAG_INSTALLATION;

use super::table::{On, Reach, When, rows, tags};
use crate::context::Account;

/// Why an action may be done to anything, where it may.
pub(super) fn why(action: &str) -> Option<&'static str> {
    rows(action).into_iter().flat_map(|reach| reach.on).find_map(|on| match on {
        On::All(why) => Some(*why),
        _ => None,
    })
}

/// The service that a function hands roles to.
fn passed_to(function: &str) -> &'static str {
    match function {
        "balancer" => "lambda.amazonaws.com",
        "cluster" | "identity" => "ec2.amazonaws.com",
        _ => "ecs-tasks.amazonaws.com",
    }
}

/// The statements that let a function do its actions: one for all actions that reach equally far.
pub(super) fn statements(account: &Account, function: &Function) -> Vec<Value> {
    let mut reached: Vec<(&'static Reach, Vec<&str>)> = Vec::new();
    let mut actions = function.actions.to_vec();
    actions.sort_unstable();
    actions.dedup();
    let made = made(&actions);
    for action in actions.into_iter().filter(|action| *action != PASS) {
        // A test says that every action is in the table: what is not may not be done.
        for reach in rows(action) {
            match reached.iter_mut().find(|(known, _)| same(known, reach)) {
                Some((_, actions)) => actions.push(action),
                None => reached.push((reach, vec![action])),
            }
        }
    }
    let statement = |(reach, which): &(&Reach, Vec<&str>)| {
        let is_made = |on: &&On| !which.iter().all(|action| tags(action)) || made.contains(on);
        let on: Vec<On> = reach.on.iter().filter(is_made).copied().collect();
        allow(account, which, &on, reach.when)
    };
    let mut statements: Vec<Value> = reached.iter().map(statement).collect();
    if function.actions.contains(&PASS) {
        let mut pass = allow(account, &[PASS], &[On::OfPlatforms("role")], &[]);
        // EC2's principal has another name in China.
        let service = passed_to(function.name);
        let china = service.replace("amazonaws.com", "amazonaws.com.cn");
        let services = if service.starts_with("ec2") { json!([service, china]) } else { json!(service) };
        pass["Condition"] = json!({ "StringEqualsIfExists": { "iam:PassedToService": services } });
        statements.push(pass);
    }
    statements
}

const PASS: &str = "iam:PassRole";

/// What a function makes, and so gives its tags.
fn made(actions: &[&str]) -> Vec<On> {
    let makings = actions.iter().filter(|action| !tags(action)).flat_map(|action| rows(action));
    makings.filter(|reach| reach.when.contains(&When::New)).flat_map(|reach| reach.on).copied().collect()
}

/// Whatever the reason is why it is all.
fn same(one: &Reach, other: &Reach) -> bool {
    one.when == other.when && (one.on == other.on || matches!((one.on, other.on), ([On::All(_)], [On::All(_)])))
}

fn allow(account: &Account, actions: &[&str], on: &[On], when: &[When]) -> Value {
    let arns: Vec<String> = on.iter().map(|on| arn(account, on)).collect();
    let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": arns });
    if !when.is_empty() {
        statement["Condition"] = conditions(account, actions, when);
    }
    statement
}

/// Whether a group names the version of its launch template
/// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>).
const NUMBERED: &str = "autoscaling:LaunchTemplateVersionSpecified";

/// All of these conditions at once: by operator, key and values, as policies have them.
fn conditions(account: &Account, actions: &[&str], when: &[When]) -> Value {
    let mut all = Map::new();
    for one in when {
        let (operator, key, values) = condition(account, actions, *one);
        let keys = all.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
    }
    Value::Object(all)
}

fn condition(account: &Account, actions: &[&str], when: When) -> (&'static str, String, Value) {
    let (requested, has) =
        (format!("aws:RequestTag/{TAG_INSTALLATION}"), format!("aws:ResourceTag/{TAG_INSTALLATION}"));
    let region = || json!(account.region);
    match when {
        When::Bounded => ("StringEquals", "iam:PermissionsBoundary".into(), json!(account.boundary())),
        When::Attaching => {
            let policies = MANAGED.map(|name| format!("arn:{}:iam::aws:policy/{name}", account.partition));
            ("ArnEquals", "iam:PolicyARN".into(), json!(policies))
        }
        When::Linked => ("StringEquals", "iam:AWSServiceName".into(), json!(LINKED_SERVICES)),
        When::New => ("StringEquals", requested, region()),
        When::Ours => ("StringEquals", has, region()),
        When::TagKept => ("StringEqualsIfExists", requested, region()),
        When::NotOthers => ("StringEqualsIfExists", has, region()),
        When::Making(by) => {
            let service = actions.first().and_then(|action| action.split_once(':')).unwrap_or_default().0;
            ("StringEquals", format!("{service}:CreateAction"), json!(by))
        }
        When::NotOverwriting => ("StringEqualsIfExists", "ssm:Overwrite".into(), json!("false")),
        When::Numbered => ("Bool", NUMBERED.into(), json!("true")),
        When::NumberedStill => ("BoolIfExists", NUMBERED.into(), json!("true")),
        When::ByTemplate => ("Null", "autoscaling:LaunchConfigurationName".into(), json!("true")),
        When::NoSubnets => ("Null", "ecs:subnet".into(), json!("true")),
        // It holds where the key is missing as well.
        When::Unprivileged => ("StringNotEquals", "ecs:privileged".into(), json!("true")),
    }
}

fn arn(account: &Account, on: &On) -> String {
    let Account { partition, region, id } = account;
    match on {
        On::Here(service, resource) => account.arn(service, resource),
        On::Iam(resource) => format!("arn:{partition}:iam::{id}:{resource}"),
        On::OfPlatforms(kind) => format!("arn:{partition}:iam::{id}:{kind}/skydeck/{region}/*"),
        On::Public(service, resource) => format!("arn:{partition}:{service}:{region}::{resource}"),
        On::S3(path) => account.s3(path),
        On::Own(path) => account.s3(&format!("{}/{path}", account.bucket())),
        On::All(_) => "*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use skydeck_aws::function::FUNCTIONS;

    use super::super::daily::DAILY;
    use super::super::table::REACHES;
    use super::*;

    fn every_action() -> BTreeSet<&'static str> {
        FUNCTIONS.iter().chain(&DAILY).flat_map(|function| function.actions).copied().collect()
    }

    #[test]
    fn every_action_of_everybody_has_its_reach_and_every_row_is_needed() {
        let actions = every_action();
        let lost: Vec<_> = actions.iter().filter(|action| **action != PASS && rows(action).is_empty()).collect();
        assert_eq!(lost, Vec::<&&str>::new());
        for reach in REACHES {
            let used = actions.iter().flat_map(|action| rows(action)).any(|found| std::ptr::eq(found, reach));
            assert!(used, "{:?}", reach.actions);
            let named = reach.actions.iter().filter(|pattern| !pattern.ends_with('*'));
            for name in named {
                assert!(actions.contains(name), "nobody does {name}");
            }
        }
    }

    #[test]
    fn what_may_be_done_to_anything_only_looks_but_for_one_action() {
        let writes: Vec<&str> =
            every_action().into_iter().filter(|action| why(action).is_some() && !looks(action)).collect();
        assert_eq!(writes, ["ecs:DeregisterTaskDefinition"]);
    }

    /// Each way to change something asks for the tag of the installation, but where the name is the fence, or nothing is.
    #[test]
    fn what_changes_something_is_fenced_by_tag_name_or_boundary() {
        let fenced = |reach: &&Reach| {
            reach.when.iter().any(|when| matches!(when, When::New | When::Ours | When::Bounded | When::Linked))
        };
        let named: BTreeSet<&str> =
            every_action().into_iter().filter(|action| !looks(action) && !rows(action).iter().all(fenced)).collect();
        let without = [
            // Their path in IAM.
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:TagRole",
            // Beside a resource of ours in the same call.
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RunInstances",
            // AWS knows no condition for it: the order of rules.
            "elasticloadbalancing:SetRulePriorities",
            // Skydeck's names.
            "events:PutEvents",
            "states:StartExecution",
            // AWS knows none.
            "ecs:DeregisterTaskDefinition",
        ];
        let unfenced: Vec<&str> = named
            .into_iter()
            .filter(|action| !without.contains(action) && !action.starts_with("s3:") && *action != PASS)
            .collect();
        assert_eq!(unfenced, Vec::<&str>::new());
    }

    fn looks(action: &str) -> bool {
        let (_, name) = action.split_once(':').unwrap_or_default();
        ["BatchGet", "Describe", "Get", "List"].iter().any(|verb| name.starts_with(verb))
    }
}
