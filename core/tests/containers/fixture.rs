//! A small SkyFox: one service behind an internet-facing load balancer, one behind an internal one.

use std::collections::BTreeMap;

use skydeck_core::Scope;
use skydeck_core::facts::{
    BalancerFacts, ClusterFacts, Facts, IdentityFacts, LoadBalancerFacts, NetworkFacts, RegistryFacts,
};
use skydeck_core::plan::{Describe, Plan};
use skydeck_core::scope::Tags;
use skydeck_core::spec::{
    Bucket, Cluster, ContainerCheck, Health, ImagePolicy, Instances, LoadBalancer, Network, Part, Platform, Registry,
    Rule, Scheme, Secret, Service, Template,
};

pub(crate) fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn text(text: &str) -> Template {
    Template(vec![Part::Text(text.into())])
}

pub(crate) fn service(port: u16, health: &str, load_balancer: &str) -> Service {
    Service {
        repository: "backend".into(),
        port,
        cpu: 475,
        memory: 819,
        no_new_privileges: false,
        desired: 2,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        grace_seconds: 300,
        load_balancer: load_balancer.into(),
        rule: None,
        deregistration_delay_seconds: 30,
        health: Health {
            path: health.into(),
            matcher: "200".into(),
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        },
        container_check: Some(ContainerCheck {
            command: vec!["CMD-SHELL".into(), format!("wget -qO- http://localhost:{port}{health} || exit 1")],
            interval_seconds: 30,
            timeout_seconds: 5,
            retries: 3,
            start_seconds: 60,
        }),
        image: ImagePolicy::Newest,
        delete_with_images: false,
        keep_revisions: 5,
        probe_path: None,
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        buckets: Vec::new(),
    }
}

fn platform() -> Platform {
    let mut backend = service(8080, "/health", "external");
    backend.environment = BTreeMap::from([
        ("PORT".into(), text("8080")),
        ("S3_BUCKET".into(), Template(vec![Part::BucketName("images".into())])),
        ("MOVIE_SERVICE_URL".into(), Template(vec![Part::ServiceUrl("movie".into())])),
    ]);
    backend.secrets = map([("JWT_SECRET_KEY", "jwt")]);
    let movie = Service {
        rule: Some(Rule { path: "/movie-service*".into(), priority: 200 }),
        ..service(4567, "/mshealth", "internal")
    };
    let balancer = |scheme, default: Option<&str>| LoadBalancer {
        scheme,
        certificate: None,
        host: None,
        default_service: default.map(Into::into),
    };
    Platform {
        name: "skyfox".into(),
        environment: "devprod".into(),
        region: "ap-south-1".into(),
        tags: BTreeMap::new(),
        network: Network { cidr: "10.0.0.0/16".parse().unwrap(), zones: 2, zone_names: Vec::new() },
        registry: Registry { keep_images: 10, expire_untagged_days: 7 },
        cluster: Cluster {
            container_insights: true,
            log_retention_days: 7,
            instances: Instances { instance_type: "t4g.small".into(), min: 2, desired: 3, max: 4, grace_seconds: 300 },
        },
        buckets: BTreeMap::from([(
            "images".into(),
            Bucket { suffix: None, cors_origins: Vec::new(), delete_with_objects: false },
        )]),
        secrets: BTreeMap::from([(
            "jwt".into(),
            Secret { parameter: "/skyfox-backend/jwt-secret".into(), value: None },
        )]),
        load_balancers: BTreeMap::from([
            ("external".into(), balancer(Scheme::InternetFacing, Some("backend"))),
            ("internal".into(), balancer(Scheme::Internal, None)),
        ]),
        services: BTreeMap::from([("backend".into(), backend), ("movie".into(), movie)]),
    }
}

fn balancer(name: &str) -> LoadBalancerFacts {
    let dns_name = format!("{name}.elb.amazonaws.com");
    LoadBalancerFacts { arn: format!("arn:lb/{name}"), url: format!("http://{dns_name}"), dns_name }
}

/// The platform in its account, all layers before the services' own having run.
pub(crate) fn scope() -> Scope {
    let facts = Facts {
        network: Some(NetworkFacts {
            vpc_id: "vpc-1".into(),
            subnet_ids: map([("ap-south-1a", "subnet-a"), ("ap-south-1b", "subnet-b")]),
            security_group_ids: map([
                ("instances", "sg-instances"),
                ("probe", "sg-probe"),
                ("alb-external", "sg-external"),
                ("alb-internal", "sg-internal"),
            ]),
            leaving_subnet_ids: [].into(),
        }),
        identity: Some(IdentityFacts {
            instance_role_arn: "arn:role/instances".into(),
            instance_profile_arn: "arn:profile/instances".into(),
            probe_role_arn: "arn:role/probe".into(),
            execution_role_arns: map([("backend", "arn:role/backend-exec"), ("movie", "arn:role/movie-exec")]),
            task_role_arns: map([("backend", "arn:role/backend-task"), ("movie", "arn:role/movie-task")]),
        }),
        registry: Some(RegistryFacts {
            repository_uris: map([("backend", "ecr/skyfox-devprod-backend"), ("movie", "ecr/skyfox-devprod-movie")]),
        }),
        balancer: Some(BalancerFacts {
            serving_on: [].into(),
            load_balancers: BTreeMap::from([
                ("external".into(), balancer("external")),
                ("internal".into(), balancer("internal")),
            ]),
            target_group_arns: map([("backend", "arn:tg/backend"), ("movie", "arn:tg/movie")]),
            probe_function: None,
        }),
        cluster: Some(ClusterFacts {
            cluster_name: "skyfox-devprod".into(),
            cluster_arn: "arn:cluster/skyfox-devprod".into(),
            capacity_provider: "skyfox-devprod-instances".into(),
            auto_scaling_group: "skyfox-devprod-instances".into(),
            log_group: "/ecs/skyfox-devprod".into(),
        }),
        ..Facts::default()
    };
    Scope {
        platform: platform(),
        account: "123456789012".into(),
        partition: "aws".into(),
        home: "skydeck-home".into(),
        facts,
        refresh_ami: false,
        done: Vec::new(),
    }
}

/// The tags that the reference asks for, with skydeck's own.
pub(crate) fn tags(resource: &str, name: &str, service: Option<&str>) -> Tags {
    let mut tags = map([
        ("Name", name),
        ("Project", "skyfox"),
        ("Environment", "devprod"),
        ("skydeck:platform", "skyfox"),
        ("skydeck:environment", "devprod"),
        ("skydeck:installation", "ap-south-1"),
        ("skydeck:resource", resource),
    ]);
    tags.extend(service.map(|service| ("Service".to_owned(), service.to_owned())));
    tags
}

/// Tags of somebody else.
pub(crate) fn foreign() -> Tags {
    map([("Name", "mine")])
}

/// A plan as lines, each with the numbers of the steps that it waits for.
pub(crate) fn lines<C: Describe>(plan: &Plan<C>) -> Vec<String> {
    let steps = plan.steps.iter().enumerate().map(|(number, step)| {
        let after: Vec<String> = step.after.iter().map(|id| id.0.to_string()).collect();
        let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(" ")) };
        format!("{number} {}{after}", step.change.describe())
    });
    steps.collect()
}

/// The attributes that a plan changes, as `kind name: attribute`.
pub(crate) fn changed<C: Describe>(plan: &Plan<C>) -> Vec<String> {
    let attributes = plan.describe().into_iter().flat_map(|found| {
        let head = format!("{} {}", found.kind, found.name);
        found.attributes.into_iter().map(move |attribute| format!("{head}: {}", attribute.name)).collect::<Vec<_>>()
    });
    attributes.collect()
}
