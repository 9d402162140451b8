//! The load balancers as the reference describes them.

use std::collections::{BTreeMap, BTreeSet};

use skydeck_core::Scope;
use skydeck_core::layer::balancer::{
    Attributes, Balancer, Code, Configuration, Fixed, HealthCheck, Listener, Listening, LoadBalancer, Probe, Rule,
    Target, TargetGroup, World, target_group_name,
};
use skydeck_core::logs::LogGroup;
use skydeck_core::plan::Found;
use skydeck_core::spec::Scheme;

use crate::fixture::tags;

pub(crate) fn set<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.map(ToOwned::to_owned).into()
}

pub(crate) fn group_name(scope: &Scope, service: &str) -> String {
    target_group_name(scope, service, &scope.platform.services[service])
}

pub(crate) fn target_group(scope: &Scope, service: &str, path: &str) -> (String, Found<TargetGroup>) {
    let name = group_name(scope, service);
    let settings = TargetGroup {
        fixed: Fixed { protocol: "HTTP".into(), target_type: "instance".into(), vpc: "vpc-1".into() },
        health: HealthCheck {
            protocol: "HTTP".into(),
            port: "traffic-port".into(),
            path: path.into(),
            matcher: "200".into(),
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        },
        deregistration_delay_seconds: 30,
        tags: tags(&format!("target-group/{service}"), &name, Some(service)),
    };
    (name, Found { id: format!("arn:tg/{service}"), settings })
}

fn balancer(key: &str, scheme: Scheme, default: Target, service: Option<&str>) -> Balancer {
    let name = format!("skyfox-devprod-{key}");
    Balancer {
        arn: format!("arn:lb/{key}"),
        dns_name: format!("{key}-1.ap-south-1.elb.amazonaws.com"),
        settings: LoadBalancer {
            scheme,
            subnets: set(["subnet-a", "subnet-b"]),
            groups: BTreeSet::from([format!("sg-{key}")]),
            attributes: Attributes { http2: true, drop_invalid_headers: true },
            tags: tags(&format!("load-balancer/{key}"), &name, None),
        },
        listeners: BTreeMap::from([(
            80,
            Listening {
                arn: format!("arn:listener/{key}"),
                settings: Listener {
                    default,
                    tls: None,
                    tags: tags(&format!("listener/{key}"), &format!("{name}-80"), service),
                },
                rules: Vec::new(),
            },
        )]),
    }
}

/// The world as the reference describes it.
pub(crate) fn standing(scope: &Scope) -> World {
    let backend = Target::Group(group_name(scope, "backend"));
    let mut internal = balancer("internal", Scheme::Internal, Target::NotFound, None);
    internal.listeners.get_mut(&80).unwrap().rules.push(Found {
        id: "arn:rule/movie".into(),
        settings: Rule {
            priority: 200,
            paths: set(["/movie-service*"]),
            target: Target::Group(group_name(scope, "movie")),
            tags: tags("rule/movie", "skyfox-devprod-movie", Some("movie")),
        },
    });
    let code = Code { sha256: "hash".into(), architecture: "arm64".into() };
    World {
        load_balancers: BTreeMap::from([
            ("skyfox-devprod-external".into(), balancer("external", Scheme::InternetFacing, backend, Some("backend"))),
            ("skyfox-devprod-internal".into(), internal),
        ]),
        target_groups: BTreeMap::from([
            target_group(scope, "backend", "/health"),
            target_group(scope, "movie", "/mshealth"),
        ]),
        targets: BTreeMap::new(),
        probe: Some(Found {
            id: "arn:function/probe".into(),
            settings: Probe {
                code: code.clone(),
                configuration: Configuration {
                    runtime: "provided.al2023".into(),
                    handler: "bootstrap".into(),
                    role: "arn:role/probe".into(),
                    memory_mib: 128,
                    timeout_seconds: 30,
                    subnets: set(["subnet-a", "subnet-b"]),
                    groups: set(["sg-probe"]),
                },
                tags: tags("function/probe", "skydeck-skyfox-devprod-probe", None),
            },
        }),
        probe_busy: false,
        probe_code: Some(code),
        probe_logs: Some(Found {
            id: "arn:log/probe".into(),
            settings: LogGroup {
                retention_days: Some(7),
                tags: tags("log-group/probe", "/aws/lambda/skydeck-skyfox-devprod-probe", None),
            },
        }),
    }
}
