//! What the functions may do and the list of what was seen has not, with the reason.

use super::{Pair, Pairs, allowed};

/// Functions, or all where there is none; actions; and why they may.
type Row = (&'static [&'static str], &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    // What AWS does or asks, and the emulator does not.
    (
        &[],
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        "Lambda writes a function's log with its role; the emulator writes it itself",
    ),
    (
        &[
            "approve", "balancer", "cluster", "conclude", "dispatch", "identity", "look", "network", "observe",
            "prepare", "registry", "release", "rollback", "secrets", "service", "storage",
        ],
        &["s3:ListBucket"],
        "S3 says that an object is missing only to who may list, and else that it is denied; the emulator says it to everybody",
    ),
    (
        &["balancer"],
        &[
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:GetSecurityGroupsForVpc",
            "iam:CreateServiceLinkedRole",
        ],
        "Elastic Load Balancing and Lambda ask for it beside their own calls (DEPENDENT in aws/src/function.rs)",
    ),
    (&["storage"], &["s3:TagResource"], "S3 asks for it beside CreateBucket with tags"),
    (
        &["balancer", "prepare"],
        &["lambda:ListTags"],
        "GetFunction tells the tags only to who may list them; the emulator tells everybody",
    ),
    // What a usual life has no need of.
    (&["observe"], &["s3:GetObject"], "of a run that names no version of its platform file"),
    (
        &["observe"],
        &["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities", "states:DescribeExecution"],
        "why a service that does not come up finds no instances, and whether its rollout goes on",
    ),
    (&["prepare"], &["states:DescribeExecution"], "whether a lock's holder still runs"),
    (
        &["prepare"],
        &[
            "autoscaling:DescribeInstanceRefreshes",
            "ecr:ListImages",
            "elasticloadbalancing:DescribeTargetHealth",
            "s3:ListBucketVersions",
        ],
        "it may read all that the layers read (the_pre_flight_may_read_what_every_layer_reads_and_writes_nothing)",
    ),
    (&["network"], &["ec2:AuthorizeSecurityGroupEgress", "ec2:ReplaceRoute"], "a person has changed what AWS made"),
    (&["registry"], &["ecr:ListImages"], "a repository with images is to go"),
    (
        &["storage"],
        &["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"],
        "a bucket with objects is to go",
    ),
    (&["balancer"], &["elasticloadbalancing:DeleteRule"], "a service is taken out of the platform file"),
    (&["service"], &["ecr:BatchGetImage"], "a tag's image is to be known by its content"),
    (&["dispatch"], &["states:StartExecution"], "a change of the platform file needs a rollout"),
    (&["decide"], &["states:StartExecution"], "a repository or a parameter is that of several services"),
    (&["decide"], &["s3:PutObject"], "it dates the tags of a service whose policy asks for the newest"),
    (
        &["release"],
        &["ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"],
        "it comes a second time, and looks for what the first has registered",
    ),
    (&["look"], &["ecr:BatchGetImage"], "a container ended as one does that is for another processor"),
    (
        &["rollback"],
        &["ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"],
        "the revision to return to was deregistered meanwhile",
    ),
    (
        &["settle"],
        &[
            "ecr:BatchDeleteImage",
            "ecr:ListImages",
            "ecs:DeleteTaskDefinitions",
            "ecs:DeregisterTaskDefinition",
            "s3:DeleteObject",
        ],
        "revisions, tags and entries of the ledger are more than are kept",
    ),
    (&["conclude", "sweep"], &["events:PutEvents"], "a person has to know: drift was found, or a rollout was given up"),
];

/// These, and rows that are about nothing that may be done.
#[must_use]
pub fn unseen() -> (Pairs, Vec<&'static str>) {
    let of = |(functions, actions, _): &Row, pair: &Pair| {
        (functions.is_empty() || functions.contains(&&*pair.0)) && actions.contains(&&*pair.1)
    };
    let all = allowed();
    let found = all.iter().filter(|pair| ROWS.iter().any(|row| of(row, pair))).cloned().collect();
    let idle = ROWS.iter().filter(|row| !all.iter().any(|pair| of(row, pair))).map(|(_, _, why)| *why);
    (found, idle.collect())
}
