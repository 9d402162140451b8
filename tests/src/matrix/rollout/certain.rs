//! Calls that every rollout makes, whatever ran before it: a sample of them needs no clean rollouts first. That they come is
//! told by the sample itself, in which none may be missed.

use super::case::{Function, Kind, Moment};
use crate::matrix::case::{Blow, Case, Numbered, cases};

/// Of each action, how many.
type Calls = &'static [(&'static str, &'static str, u32)];

const CERTAIN: &[(Kind, Function, Calls)] = &[
    (
        Kind::Push,
        Function::Decide,
        &[
            ("s3", "GetObject", 4),
            ("s3", "ListObjectsV2", 1),
            ("ecr", "DescribeImages", 1),
            ("ecs", "DescribeServices", 1),
            ("ecs", "DescribeTaskDefinition", 1),
            ("ssm", "DescribeParameters", 1),
        ],
    ),
    (
        Kind::Push,
        Function::Release,
        &[
            ("s3", "GetObject", 1),
            ("s3", "PutObject", 2),
            ("ecs", "RegisterTaskDefinition", 1),
            ("ecs", "UpdateService", 1),
            ("events", "PutEvents", 1),
        ],
    ),
    (
        Kind::Push,
        Function::Look,
        &[
            ("s3", "GetObject", 2),
            ("ecs", "DescribeServices", 1),
            ("ecs", "ListTasks", 2),
            ("elasticloadbalancing", "DescribeTargetHealth", 1),
        ],
    ),
    (
        Kind::Push,
        Function::Settle,
        &[("s3", "GetObject", 4), ("s3", "PutObject", 3), ("ecr", "PutImage", 1), ("events", "PutEvents", 1)],
    ),
    (
        Kind::BadPush,
        Function::RollBack,
        &[("s3", "GetObject", 4), ("s3", "PutObject", 3), ("ecs", "DescribeServices", 1), ("ecs", "UpdateService", 1)],
    ),
    (Kind::BadPush, Function::LookBack, &[("ecs", "DescribeServices", 1), ("ecs", "ListTasks", 2)]),
    (Kind::BadPush, Function::Settle, &[("s3", "PutObject", 3), ("events", "PutEvents", 1)]),
    (
        Kind::Death,
        Function::Sweep,
        &[("s3", "GetObject", 3), ("states", "DescribeExecution", 1), ("states", "StartExecution", 2)],
    ),
    (Kind::Death, Function::Decide, &[("states", "DescribeExecution", 1)]),
];

/// Everything that can happen to them.
pub(super) fn certain() -> Vec<Case<Moment>> {
    let of = |(kind, function, calls): &(Kind, Function, Calls)| {
        let of = |(service, action, count): &(&str, &str, u32)| {
            let write = ["Describe", "Get", "List"].iter().all(|verb| !action.starts_with(verb));
            let (service, action) = ((*service).to_owned(), (*action).to_owned());
            (1..=*count).map(move |number| Numbered { service: service.clone(), action: action.clone(), number, write })
        };
        let calls: Vec<Numbered> = calls.iter().flat_map(of).collect();
        cases(&Moment { kind: *kind, function: *function }, &calls, &Blow::OF_ROLLOUTS)
    };
    CERTAIN.iter().flat_map(of).filter(Case::tells_more).collect()
}
