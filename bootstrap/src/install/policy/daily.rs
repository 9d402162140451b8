//! What those need who use skydeck daily: far less than an administrator, who installs it, and nothing of what the functions may do.

use serde_json::{Value, json};
use skydeck_aws::function::Function;
use skydeck_core::scope::TAG_INSTALLATION;

use super::{document, reach, records};
use crate::context::Account;

/// Who starts nothing: `status`, `follow`, `outputs`, `rollouts`, `wait`.
const VIEWER: &str = "viewer";
/// Who works with platforms: all but `bootstrap`.
const OPERATOR: &str = "operator";
/// What pushes images and waits for the verdict: `docker push`, `wait`.
const PIPELINE: &str = "pipeline";

/// The actions of each beside reading the records; what somebody writes of these stands beside what the functions write.
pub(super) const DAILY: [Function; 3] = [
    Function {
        name: OPERATOR,
        actions: &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ssm:DescribeParameters",
            "states:DescribeExecution",
            "states:GetExecutionHistory",
            "states:ListExecutions",
            "states:StartExecution",
        ],
    },
    // A push asks for all of them but the two that describe
    // (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>).
    Function {
        name: PIPELINE,
        actions: &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:GetAuthorizationToken",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
        ],
    },
    Function {
        name: VIEWER,
        actions: &[
            "ecr:BatchGetImage",
            "ecr:DescribeImages",
            "ecs:DescribeServices",
            "ecs:DescribeTaskDefinition",
            "ssm:DescribeParameters",
            "states:DescribeExecution",
            "states:GetExecutionHistory",
            "states:ListExecutions",
        ],
    },
];

/// The policy of one of them.
pub(super) fn policy(account: &Account, who: &Function) -> Value {
    let mut statements = records::statements(account, who.name);
    statements.extend(reach::statements(account, who));
    if who.name == OPERATOR {
        statements.extend(values(account));
    }
    document(&statements)
}

/// Gives parameters their values. Which names a person gives them is nobody's to know here. What is new has the installation's tag, and
/// no other tag is given. Of a value that is overwritten AWS's reference knows no tag, only that it is; where AWS looks at the tag
/// all the same, another installation's parameter stays as it is.
fn values(account: &Account) -> [Value; 3] {
    let requested = json!({ format!("aws:RequestTag/{TAG_INSTALLATION}"): account.region });
    let has = format!("aws:ResourceTag/{TAG_INSTALLATION}");
    let allow = |sid: &str, action: &str, condition: Value| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Action": [action],
            "Resource": [account.arn("ssm", "parameter/*")],
            "Condition": condition,
        })
    };
    [
        allow(
            "MakeParameters",
            "ssm:PutParameter",
            json!({ "StringEquals": requested, "StringEqualsIfExists": { "ssm:Overwrite": "false" } }),
        ),
        allow(
            "OverwriteParameters",
            "ssm:PutParameter",
            json!({ "StringEquals": { "ssm:Overwrite": "true" }, "StringEqualsIfExists": { &has: account.region } }),
        ),
        allow(
            "TagParameters",
            "ssm:AddTagsToResource",
            json!({
                "StringEquals": requested,
                "StringEqualsIfExists": { &has: account.region },
                "ForAllValues:StringEquals": { "aws:TagKeys": [TAG_INSTALLATION] },
            }),
        ),
    ]
}
