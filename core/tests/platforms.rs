//! The platform files that come with skydeck say what they should.

use std::collections::BTreeMap;

use skydeck_core::spec::{ContainerCheck, Health, ImagePolicy, Part, Platform, Rule, Scheme, Service, Template, parse};

const SKYFOX: &str = include_str!("../../platforms/skyfox.toml");
const MINIMAL: &str = include_str!("../../platforms/minimal.toml");

fn read(text: &str) -> Platform {
    parse("platform.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn text(text: &str) -> Template {
    Template(vec![Part::Text(text.into())])
}

fn variables<const N: usize>(pairs: [(&str, Template); N]) -> BTreeMap<String, Template> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn secrets<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, key)| (name.to_owned(), key.to_owned())).collect()
}

fn health(path: &str) -> Health {
    Health {
        path: path.into(),
        matcher: "200".into(),
        interval_seconds: 30,
        timeout_seconds: 5,
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    }
}

fn container_check(port: u16, path: &str) -> Option<ContainerCheck> {
    Some(ContainerCheck {
        command: vec!["CMD-SHELL".into(), format!("wget -qO- http://localhost:{port}{path} || exit 1")],
        interval_seconds: 30,
        timeout_seconds: 5,
        retries: 3,
        start_seconds: 60,
    })
}

/// Payment and movie, which differ in little.
fn internal_service(name: &str, port: u16, priority: u16, health_path: &str) -> Service {
    Service {
        repository: format!("{name}-service"),
        image: ImagePolicy::Newest,
        delete_with_images: true,
        keep_revisions: 5,
        port,
        cpu: 230,
        memory: 410,
        no_new_privileges: false,
        desired: 2,
        maximum_percent: 150,
        minimum_healthy_percent: 50,
        grace_seconds: 300,
        load_balancer: "internal".into(),
        rule: Some(Rule { path: format!("/{name}-service*"), priority }),
        deregistration_delay_seconds: 30,
        health: health(health_path),
        container_check: container_check(port, health_path),
        probe_path: Some(format!("/{name}-service{health_path}")),
        environment: variables([
            ("PORT", text(&port.to_string())),
            ("GIN_MODE", text("release")),
            ("LOG_LEVEL", text("info")),
            ("APP_VERSION", text("prod")),
        ]),
        secrets: BTreeMap::new(),
        buckets: Vec::new(),
    }
}

#[test]
fn skyfox_has_the_surroundings_of_its_reference() {
    let skyfox = read(SKYFOX);
    assert_eq!((skyfox.name.as_str(), skyfox.environment.as_str()), ("skyfox", "devprod"));
    assert_eq!(skyfox.region, "ap-south-1");
    assert_eq!((skyfox.network.cidr.to_string().as_str(), skyfox.network.zones), ("10.0.0.0/16", 3));
    assert_eq!((skyfox.registry.keep_images, skyfox.registry.expire_untagged_days), (4, 3));
    assert!(!skyfox.cluster.container_insights);
    assert_eq!(skyfox.cluster.log_retention_days, 7);
    let instances = &skyfox.cluster.instances;
    assert_eq!(instances.instance_type, "t4g.small");
    assert_eq!((instances.min, instances.desired, instances.max, instances.grace_seconds), (2, 2, 4, 300));
    let images = &skyfox.buckets["profile-images"];
    assert_eq!(images.cors_origins, ["https://skyfox.example"], "not everybody's");
    assert!(images.suffix.is_none() && !images.delete_with_objects);
    let parameters: Vec<_> = skyfox.secrets.values().map(|secret| secret.parameter.as_str()).collect();
    assert_eq!(
        parameters,
        [
            "/skyfox-backend/database-url",
            "/skyfox-backend/jwt-secret",
            "/skyfox-backend/movie-service-api-key",
            "/skyfox-backend/payment-gateway-api-key",
            "/skyfox-backend/s3-bucket",
        ]
    );
    let written: Vec<_> = skyfox.secrets.iter().filter(|(_, secret)| secret.value.is_some()).collect();
    assert_eq!(written.len(), 1, "skydeck writes one parameter, people the others");
    assert_eq!(written[0].0, "s3-bucket");
    assert_eq!(written[0].1.value, Some(Template(vec![Part::BucketName("profile-images".into())])));
    let (external, internal) = (&skyfox.load_balancers["external"], &skyfox.load_balancers["internal"]);
    assert_eq!((external.scheme, external.default_service.as_deref()), (Scheme::InternetFacing, Some("backend")));
    assert_eq!((internal.scheme, internal.default_service.as_deref()), (Scheme::Internal, None), "404 by default");
}

#[test]
fn skyfox_has_the_services_of_its_reference() {
    let skyfox = read(SKYFOX);
    let movie = Service {
        secrets: secrets([("API_KEY", "movie-service-api-key")]),
        ..internal_service("movie", 4567, 200, "/mshealth")
    };
    let data = variables([("MOVIES_DATA_PATH", text("/app/data/movies.json"))]);
    let movie = Service { environment: movie.environment.clone().into_iter().chain(data).collect(), ..movie };
    assert_eq!(skyfox.services["movie"], movie);
    let payment = internal_service("payment", 8082, 100, "/pshealth");
    let payment = Service { secrets: secrets([("API_KEY", "payment-gateway-api-key")]), ..payment };
    assert_eq!(skyfox.services["payment"], payment);
    let backend = Service {
        repository: "backend".into(),
        image: ImagePolicy::Newest,
        delete_with_images: true,
        keep_revisions: 5,
        port: 8080,
        cpu: 475,
        memory: 819,
        no_new_privileges: false,
        desired: 2,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        grace_seconds: 300,
        load_balancer: "external".into(),
        rule: None,
        deregistration_delay_seconds: 30,
        health: health("/health"),
        container_check: container_check(8080, "/health"),
        probe_path: Some("/health".into()),
        environment: variables([
            ("PORT", text("8080")),
            ("GIN_MODE", text("release")),
            ("AWS_REGION", text("ap-south-1")),
            ("S3_BUCKET", Template(vec![Part::BucketName("profile-images".into())])),
            ("MOVIE_SERVICE_URL", Template(vec![Part::ServiceUrl("movie".into())])),
            ("PAYMENT_GATEWAY_URL", Template(vec![Part::ServiceUrl("payment".into())])),
        ]),
        secrets: secrets([
            ("JWT_SECRET_KEY", "jwt-secret"),
            ("DATABASE_URL", "database-url"),
            ("MOVIE_SERVICE_API_KEY", "movie-service-api-key"),
            ("PAYMENT_GATEWAY_API_KEY", "payment-gateway-api-key"),
        ]),
        buckets: vec!["profile-images".into()],
    };
    assert_eq!(skyfox.services["backend"], backend);
    assert_eq!(skyfox.services.len(), 3);
}

#[test]
fn the_minimal_platform_gets_its_other_settings_by_default() {
    let minimal = read(MINIMAL);
    assert_eq!((minimal.network.cidr.to_string().as_str(), minimal.network.zones), ("10.0.0.0/16", 2));
    assert_eq!((minimal.registry.keep_images, minimal.registry.expire_untagged_days), (10, 7));
    let instances = &minimal.cluster.instances;
    assert_eq!((instances.min, instances.desired, instances.max, instances.grace_seconds), (1, 1, 2, 300));
    assert_eq!(minimal.load_balancers["public"].default_service.as_deref(), Some("web"));
    let web = Service {
        repository: "web".into(),
        image: ImagePolicy::Newest,
        delete_with_images: false,
        keep_revisions: 5,
        port: 8080,
        cpu: 256,
        memory: 512,
        desired: 1,
        maximum_percent: 200,
        minimum_healthy_percent: 100,
        grace_seconds: 300,
        load_balancer: "public".into(),
        rule: None,
        deregistration_delay_seconds: 30,
        health: health("/health"),
        container_check: None,
        no_new_privileges: false,
        probe_path: None,
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        buckets: Vec::new(),
    };
    assert_eq!(minimal.services, BTreeMap::from([("web".to_owned(), web)]));
}

#[test]
fn references_become_parts_and_platform_names_become_text() {
    let platform = read(&format!(
        r#"{MINIMAL}
        [services.web.environment]
        BASE = "${{load-balancers.public.url}}/v1"
        LINK = "${{services.web.environment.BASE}}/${{platform.name}}-${{platform.environment}}"
        ARN = "${{buckets.files.arn}}"
        PLAIN = "costs $5, not $${{platform.name}}"
        [buckets.files]
        suffix = "123456789012"
        "#
    ));
    let url = || Part::LoadBalancerUrl("public".into());
    assert_eq!(
        platform.services["web"].environment,
        variables([
            ("BASE", Template(vec![url(), Part::Text("/v1".into())])),
            ("LINK", Template(vec![url(), Part::Text("/v1/hello-dev".into())])),
            ("ARN", Template(vec![Part::BucketArn("files".into())])),
            ("PLAIN", text("costs $5, not ${platform.name}")),
        ])
    );
}
