//! The most that the platforms' roles may do, whatever their own policies say.
//!
//! It is a list of what is allowed, and no list of what is not: who may write a policy below it may write any, so that all that it
//! does not name has to stay out of reach.

use serde_json::{Value, json};

use super::document;
use crate::context::Account;

/// What the ECS agent and Docker do on an instance, and ECS for a task. AWS admits nothing narrower for most of it
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-iam-awsmanpol.html>).
const AGENT: [&str; 13] = [
    "ec2:DescribeTags",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecs:DeregisterContainerInstance",
    "ecs:DiscoverPollEndpoint",
    "ecs:ListTagsForResource",
    "ecs:Poll",
    "ecs:RegisterContainerInstance",
    "ecs:StartTelemetrySession",
    "ecs:Submit*",
    "ecs:UpdateContainerInstancesState",
];
/// What the agent of Systems Manager does, so that people reach an instance by Session Manager: `AmazonSSMManagedInstanceCore`
/// without its right to read every parameter.
const SESSION: [&str; 15] = [
    "ec2messages:*",
    "ssm:DescribeAssociation",
    "ssm:DescribeDocument",
    "ssm:GetDeployablePatchSnapshotForInstance",
    "ssm:GetDocument",
    "ssm:GetManifest",
    "ssm:ListAssociations",
    "ssm:ListInstanceAssociations",
    "ssm:PutComplianceItems",
    "ssm:PutConfigurePackageResult",
    "ssm:PutInventory",
    "ssm:UpdateAssociationStatus",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:*",
];
/// What Lambda does in a platform's VPC for the function there: `AWSLambdaVPCAccessExecutionRole`.
const PROBE: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];
/// What nothing that grants it elsewhere, such as a bucket's or a key's own policy, can bring back.
const NEVER: [&str; 5] = ["account:*", "iam:*", "lambda:*", "organizations:*", "sts:AssumeRole"];

/// The document of the boundary.
pub(in crate::install) fn boundary(account: &Account) -> Value {
    let own = account.s3(&account.bucket());
    document(&[
        allow("Agent", &AGENT, &json!("*")),
        json!({
            "Sid": "AgentTags",
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": "*",
            "Condition": { "StringEquals": { "ecs:CreateAction": "RegisterContainerInstance" } },
        }),
        allow("Session", &SESSION, &json!("*")),
        allow("Probe", &PROBE, &json!("*")),
        allow(
            "Logs",
            &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            &json!([
                account.arn("logs", "log-group:/ecs/*"),
                account.arn("logs", "log-group:/aws/lambda/skydeck-*-probe*"),
            ]),
        ),
        // Which ones stands in each role's own policy, by their names.
        allow("Parameters", &["ssm:GetParameters"], &json!(account.arn("ssm", "parameter/*"))),
        json!({
            "Sid": "ParametersKeys",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": account.arn("kms", "key/*"),
            "Condition": { "StringLike": { "kms:ViaService": "ssm.*" } },
        }),
        allow(
            "Buckets",
            &["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
            &json!([account.s3("*-*"), account.s3("*-*/*")]),
        ),
        json!({ "Sid": "Never", "Effect": "Deny", "Action": NEVER, "Resource": "*" }),
        json!({
            "Sid": "NeverSkydecksOwn",
            "Effect": "Deny",
            "Action": "s3:*",
            "Resource": [own, format!("{own}/*")],
        }),
    ])
}

fn allow(sid: &str, actions: &[&str], resource: &Value) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
}

#[cfg(test)]
mod tests {
    use super::super::tests::account;
    use super::*;

    /// Characters that IAM takes of a managed policy, white space not counted
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    const MANAGED: usize = 6144;

    #[test]
    fn the_boundary_fits_into_a_managed_policy_and_names_what_it_allows() {
        let document = boundary(&account());
        assert!(document.to_string().len() < MANAGED, "{}", document.to_string().len());
        insta::assert_json_snapshot!("boundary", document);
    }

    #[test]
    fn the_boundary_allows_nothing_that_makes_an_administrator() {
        let allowed: Vec<&str> = AGENT.iter().chain(&SESSION).chain(&PROBE).copied().collect();
        for action in allowed {
            let (service, _) = action.split_once(':').unwrap_or_default();
            assert!(
                !["iam", "sts", "lambda", "organizations", "account", "cloudformation"].contains(&service),
                "{action}"
            );
        }
    }
}
