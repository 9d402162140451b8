//! What those need who use skydeck daily: far less than an administrator, who installs it, and nothing of what the functions may do.

use serde_json::{Value, json};
use skydeck_aws::function::Function;

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
        // The functions make only what is new. Which names a person gives parameters is nobody's to know here.
        statements.push(json!({
            "Sid": "GiveValues",
            "Effect": "Allow",
            "Action": ["ssm:PutParameter"],
            "Resource": [account.arn("ssm", "parameter/*")],
        }));
    }
    document(&statements)
}
