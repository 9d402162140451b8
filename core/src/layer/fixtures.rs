//! A small platform for the planners' tests: two services, one of them with secrets and a bucket.

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::plan::{Describe, Plan, StepId};
use crate::scope::Scope;
use crate::spec::{
    Bucket, Cluster, Health, Instances, LoadBalancer, Network, Part, Platform, Registry, Scheme, Secret, Service,
    Template,
};

/// The platform in an account.
pub(crate) fn scope() -> Scope {
    Scope {
        platform: platform(),
        account: "123456789012".into(),
        partition: "aws".into(),
        home: "skydeck-123456789012-ap-south-1".into(),
        facts: Facts::default(),
    }
}

/// The changes of a plan as lines.
pub(crate) fn lines<C: Describe>(plan: &Plan<C>) -> Vec<String> {
    plan.describe().iter().map(ToString::to_string).collect()
}

/// The changes of a plan in the most unlikely order that their dependencies allow: the last one that may be done comes
/// first. A dependency that the planner forgot shows.
pub(crate) fn last_first<C: Clone>(plan: &Plan<C>) -> Vec<C> {
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let mut done: Vec<StepId> = Vec::new();
    let ready = |done: &[StepId], index: usize| plan.steps[index].after.iter().all(|id| done.contains(id));
    while let Some(position) = waiting.iter().rposition(|&index| ready(&done, index)) {
        done.push(StepId(waiting.remove(position)));
    }
    assert!(waiting.is_empty(), "a step waits for one that never comes");
    done.iter().map(|id| plan.steps[id.0].change.clone()).collect()
}

fn platform() -> Platform {
    let secret = |name: &str, value: Option<Part>| Secret {
        parameter: format!("/skyfox-backend/{name}"),
        value: value.map(|part| Template(vec![part])),
    };
    Platform {
        name: "skyfox".into(),
        environment: "devprod".into(),
        region: "ap-south-1".into(),
        tags: BTreeMap::new(),
        network: Network { cidr: "10.0.0.0/16".parse().unwrap(), zones: 3 },
        registry: Registry { keep_images: 10, expire_untagged_days: 7 },
        cluster: Cluster {
            container_insights: true,
            log_retention_days: 7,
            instances: Instances { instance_type: "t4g.small".into(), min: 2, desired: 2, max: 4, grace_seconds: 300 },
        },
        buckets: [(
            "profile-images".into(),
            Bucket { suffix: None, cors_origins: vec!["https://skyfox.example".into()], delete_with_objects: false },
        )]
        .into(),
        secrets: [
            ("jwt-secret".into(), secret("jwt-secret", None)),
            ("movie-key".into(), secret("movie-key", None)),
            ("s3-bucket".into(), secret("s3-bucket", Some(Part::BucketName("profile-images".into())))),
        ]
        .into(),
        load_balancers: [
            (
                "external".into(),
                LoadBalancer {
                    scheme: Scheme::InternetFacing,
                    certificate: None,
                    host: None,
                    default_service: Some("backend".into()),
                },
            ),
            (
                "internal".into(),
                LoadBalancer { scheme: Scheme::Internal, certificate: None, host: None, default_service: None },
            ),
        ]
        .into(),
        services: [
            ("backend".into(), service("backend", "external", &["jwt-secret", "s3-bucket"], &["profile-images"])),
            ("movie".into(), service("movie-service", "internal", &["movie-key"], &[])),
        ]
        .into(),
    }
}

fn service(repository: &str, load_balancer: &str, secrets: &[&str], buckets: &[&str]) -> Service {
    Service {
        repository: repository.into(),
        port: 8080,
        cpu: 256,
        memory: 410,
        desired: 2,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        grace_seconds: 300,
        load_balancer: load_balancer.into(),
        rule: None,
        deregistration_delay_seconds: 30,
        health: Health {
            path: "/health".into(),
            matcher: "200".into(),
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            start_seconds: 60,
        },
        probe_path: None,
        environment: BTreeMap::new(),
        secrets: secrets.iter().map(|key| (key.to_uppercase(), (*key).to_owned())).collect(),
        buckets: buckets.iter().map(|key| (*key).to_owned()).collect(),
    }
}
