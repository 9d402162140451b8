//! The SkyFox platform for tests that call layers one by one.

use std::collections::BTreeMap;

use skydeck_core::Scope;
use skydeck_core::facts::Facts;
use skydeck_core::spec::{
    Bucket, Cluster, Health, Instances, LoadBalancer, Network, Part, Platform, Registry, Rule, Scheme, Secret, Service,
    Template,
};

/// The platform in the emulators' account, under a name of the test's own, so that tests can share an emulator.
#[must_use]
pub fn scope(name: &str) -> Scope {
    Scope {
        platform: platform(name),
        account: "000000000000".into(),
        partition: "aws".into(),
        home: "skydeck-000000000000-ap-south-1".into(),
        facts: Facts::default(),
    }
}

fn platform(name: &str) -> Platform {
    Platform {
        name: name.into(),
        environment: "devprod".into(),
        region: "ap-south-1".into(),
        tags: BTreeMap::from([("Team".into(), "cinema".into())]),
        network: Network { cidr: "10.0.0.0/16".parse().expect("a block"), zones: 3 },
        registry: Registry { keep_images: 10, expire_untagged_days: 7 },
        cluster: Cluster {
            container_insights: true,
            log_retention_days: 7,
            instances: Instances { instance_type: "t4g.small".into(), min: 2, desired: 2, max: 4, grace_seconds: 300 },
        },
        buckets: BTreeMap::from([(
            "profile-images".into(),
            Bucket { suffix: None, cors_origins: vec!["https://skyfox.example".into()], delete_with_objects: false },
        )]),
        secrets: secrets(name),
        load_balancers: BTreeMap::from([
            ("external".into(), balancer(Scheme::InternetFacing, Some("backend"))),
            ("internal".into(), balancer(Scheme::Internal, None)),
        ]),
        services: BTreeMap::from([
            ("backend".into(), backend()),
            ("payment".into(), behind_internal("payment", 8082, "/pshealth", 100, "payment-gateway-api-key")),
            ("movie".into(), behind_internal("movie", 4567, "/mshealth", 200, "movie-service-api-key")),
        ]),
    }
}

fn secrets(name: &str) -> BTreeMap<String, Secret> {
    let secret = |key: &str, value| (key.into(), Secret { parameter: format!("/{name}-backend/{key}"), value });
    BTreeMap::from([
        secret("jwt-secret", None),
        secret("database-url", None),
        secret("movie-service-api-key", None),
        secret("payment-gateway-api-key", None),
        secret("s3-bucket", Some(Template(vec![Part::BucketName("profile-images".into())]))),
    ])
}

fn balancer(scheme: Scheme, default_service: Option<&str>) -> LoadBalancer {
    LoadBalancer { scheme, default_service: default_service.map(Into::into) }
}

fn backend() -> Service {
    let secrets = ["jwt-secret", "database-url", "movie-service-api-key", "payment-gateway-api-key"];
    Service {
        repository: "backend".into(),
        port: 8080,
        cpu: 475,
        memory: 819,
        desired: 2,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        grace_seconds: 300,
        load_balancer: "external".into(),
        rule: None,
        deregistration_delay_seconds: 30,
        health: health("/health"),
        probe_path: Some("/health".into()),
        environment: BTreeMap::from([("S3_BUCKET".into(), Template(vec![Part::BucketName("profile-images".into())]))]),
        secrets: secrets.iter().map(|key| (key.to_uppercase().replace('-', "_"), (*key).to_owned())).collect(),
        buckets: vec!["profile-images".into()],
    }
}

fn behind_internal(name: &str, port: u16, health_path: &str, priority: u16, secret: &str) -> Service {
    Service {
        repository: format!("{name}-service"),
        port,
        cpu: 230,
        memory: 410,
        maximum_percent: 150,
        minimum_healthy_percent: 50,
        load_balancer: "internal".into(),
        rule: Some(Rule { path: format!("/{name}-service*"), priority }),
        health: health(health_path),
        probe_path: Some(format!("/{name}-service{health_path}")),
        environment: BTreeMap::from([("LOG_LEVEL".into(), Template(vec![Part::Text("info".into())]))]),
        secrets: BTreeMap::from([("API_KEY".into(), secret.into())]),
        buckets: Vec::new(),
        ..backend()
    }
}

fn health(path: &str) -> Health {
    Health {
        path: path.into(),
        matcher: "200".into(),
        interval_seconds: 30,
        timeout_seconds: 5,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
        start_seconds: 60,
    }
}
