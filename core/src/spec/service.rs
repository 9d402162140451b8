//! The tables `[load-balancers.…]` and `[services.…]`.

use std::collections::BTreeMap;

use super::check::check;
use super::format;
use super::image::image;
use super::limits;
use super::model::{Health, Rule, Scheme, Service};
use super::platform::choice;
use super::problem::{Code, Problem};
use super::reader::{At, Section, or_blank};
use super::template::{Draft, draft};

/// A load balancer.
#[derive(Debug)]
pub(super) struct BalancerDraft {
    pub(super) key: At<String>,
    pub(super) scheme: Scheme,
    pub(super) certificate: Option<At<String>>,
    pub(super) host: Option<At<String>>,
}

pub(super) fn load_balancers(root: &mut Section<'_>) -> Vec<BalancerDraft> {
    root.named("load-balancers", format::name, |key, section| {
        let example = "`scheme`: \"internet-facing\" for everybody, or \"internal\" for the platform itself";
        let scheme = section.required_text("scheme", example, format::any);
        let scheme = match scheme.as_ref().map(|scheme| (scheme, scheme.value.as_str())) {
            Some((_, "internet-facing")) => Scheme::InternetFacing,
            None | Some((_, "internal")) => Scheme::Internal,
            Some((found, _)) => {
                choice(section, "scheme", found, &["internet-facing", "internal"]);
                Scheme::Internal
            }
        };
        let certificate = section.text("certificate", format::certificate);
        let host = section.text("host", format::host);
        if section.has("certificate") && !section.has("host") {
            section.missing("host", "`host`, such as \"api.example.com\": a name that the certificate is for");
        }
        BalancerDraft { key, scheme, certificate, host }
    })
}

/// A service, with the places of what is compared between services, its references not yet looked up.
#[derive(Debug)]
pub(super) struct ServiceDraft {
    pub(super) name: At<String>,
    pub(super) port: Option<At<u32>>,
    pub(super) repository: Option<At<String>>,
    pub(super) load_balancer: Option<At<String>>,
    /// Whether the file gives it a path, be it a wrong one.
    pub(super) has_path: bool,
    pub(super) path: Option<At<String>>,
    pub(super) priority: Option<At<u32>>,
    pub(super) environment: Vec<(At<String>, Option<Draft>)>,
    pub(super) secrets: Vec<(At<String>, Option<Draft>)>,
    pub(super) buckets: Vec<At<String>>,
    /// Everything else; what stands above is blank in it.
    pub(super) service: Service,
}

/// Reads all services. `only_balancer` is the load balancer of a file that has just one.
pub(super) fn services(root: &mut Section<'_>, only_balancer: Option<&str>) -> Vec<ServiceDraft> {
    let place = root.span();
    let missing = !root.has("services");
    let services = root.named("services", format::name, |name, section| service(name, section, only_balancer));
    let limits::Limit { least, most } = limits::SERVICES;
    let count = u32::try_from(services.len()).unwrap_or(u32::MAX);
    if missing {
        root.missing("services", &format!("{least} to {most} services, each a table `[services.NAME]`"));
    } else if root.has_table("services") && !(least..=most).contains(&count) {
        let place = services.last().map_or(place, |last| last.name.span.clone());
        root.file().tell(
            Problem::new(Code::WrongCount, format!("the file has {count} services"))
                .at(place, if count < least { "none here" } else { "too many" })
                .help(format!("describe {least} to {most} services, each a table `[services.NAME]`")),
        );
    }
    services
}

fn service(name: At<String>, section: &mut Section<'_>, only_balancer: Option<&str>) -> ServiceDraft {
    let port = section.required_number("port", "`port`, on which the container listens", limits::PORT);
    let repository = section.text_or("repository", &name.value, format::name);
    let load_balancer = balancer(section, only_balancer);
    let has_path = section.has("path") || section.has("priority");
    let (path, priority) = rule(section);
    let environment = section.pairs("environment", format::variable, format::value);
    let secrets = section.pairs("secrets", format::variable, format::any);
    twice(section, &environment, &secrets);
    let drafts = |pairs: Vec<(At<String>, Option<At<String>>)>| {
        pairs.into_iter().map(|(name, value)| (name, value.and_then(|value| draft(section.file(), &value)))).collect()
    };
    let (environment, secrets) = (drafts(environment), drafts(secrets));
    let buckets = section.texts("buckets", format::any);
    ServiceDraft {
        service: settings(section, port.as_ref().map(|port| port.value)),
        name,
        port,
        repository,
        load_balancer,
        has_path,
        path,
        priority,
        environment,
        secrets,
        buckets,
    }
}

fn balancer(section: &mut Section<'_>, only: Option<&str>) -> Option<At<String>> {
    match only {
        Some(only) => section.text_or("load-balancer", only, format::any),
        None => section.required_text(
            "load-balancer",
            "`load-balancer`, the name of one that the file describes",
            format::any,
        ),
    }
}

/// Path and priority of the listener rule: both, or none.
fn rule(section: &mut Section<'_>) -> (Option<At<String>>, Option<At<u32>>) {
    let (has_path, has_priority) = (section.has("path"), section.has("priority"));
    let path = section.text("path", format::path_pattern);
    let priority = section.number("priority", limits::PRIORITY);
    if has_path && !has_priority {
        section.missing("priority", "`priority`, such as 100: the rule with the lowest number is asked first");
    }
    if has_priority && !has_path {
        section.missing(
            "path",
            "`path`, such as \"/api*\"; or leave out `priority` for the service that takes everything",
        );
    }
    (path, priority)
}

/// Tells variables that stand both in `environment` and in `secrets`.
fn twice<T>(section: &Section<'_>, environment: &[(At<String>, T)], secrets: &[(At<String>, T)]) {
    for (secret, _) in secrets {
        if let Some((plain, _)) = environment.iter().find(|(plain, _)| plain.value == secret.value) {
            let place = section.name_of("environment");
            section.file().tell(
                Problem::new(Code::DuplicateName, format!("`{}` is a variable and a secret", secret.value))
                    .at(secret.span.clone(), "a secret here")
                    .at(plain.span.clone(), format!("in `{place}` here"))
                    .help("keep one of them: a container gets a variable once"),
            );
        }
    }
}

/// What needs no comparing with other services.
fn settings(section: &mut Section<'_>, port: Option<u32>) -> Service {
    section.text("strategy", format::strategy);
    let says_image = section.has_table("image");
    let desired = section.number_or("desired", limits::DESIRED, 1);
    let maximum = section.number_or("maximum-percent", limits::MAXIMUM_PERCENT, 200);
    let minimum = section.number_or("minimum-healthy-percent", limits::MINIMUM_HEALTHY_PERCENT, 100);
    if let (Some(desired), Some(maximum), Some(minimum)) = (&desired, &maximum, &minimum) {
        can_move(section, desired, maximum, minimum);
    }
    let health = section.table("health", health);
    let container_check = check(section, port, &health);
    Service {
        repository: String::new(),
        delete_with_images: section.flag_or("delete-with-images", false),
        image: section.table("image", |section| image(section, says_image)),
        keep_revisions: or_blank(section.number_or("keep-revisions", limits::KEEP_REVISIONS, 5)),
        port: 0,
        cpu: or_blank(section.number_or("cpu", limits::CPU, 256)),
        memory: or_blank(section.number_or("memory", limits::MEMORY, 512)),
        no_new_privileges: section.flag_or("no-new-privileges", false),
        desired: or_blank(desired),
        maximum_percent: or_blank(maximum),
        minimum_healthy_percent: or_blank(minimum),
        grace_seconds: or_blank(section.number_or("grace-seconds", limits::SERVICE_GRACE_SECONDS, 300)),
        load_balancer: String::new(),
        rule: None::<Rule>,
        deregistration_delay_seconds: or_blank(section.number_or(
            "deregistration-delay-seconds",
            limits::DEREGISTRATION_DELAY_SECONDS,
            30,
        )),
        health,
        container_check,
        probe_path: section.has("probe").then(|| section.table("probe", probe)).flatten(),
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        buckets: Vec::new(),
    }
}

/// Tells percentages with which ECS, rounding the maximum down and the minimum up, could neither start a new task nor
/// stop an old one
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>).
fn can_move(section: &Section<'_>, desired: &At<u32>, maximum: &At<u32>, minimum: &At<u32>) {
    let most = desired.value * maximum.value / 100;
    let least = (desired.value * minimum.value).div_ceil(100);
    if most > least {
        return;
    }
    let mut problem = Problem::new(
        Code::StuckDeployment,
        format!("a deployment of `{}` could never replace a task", section.name_of("").trim_end_matches('.')),
    );
    let places = [
        (maximum, format!("at most {most} of {} tasks, rounded down", desired.value)),
        (minimum, format!("at least {least} of {} tasks, rounded up", desired.value)),
        (desired, "tasks".into()),
    ];
    let labelled = places.iter().filter(|(at, _)| at.given).count();
    for (at, label) in &places {
        if at.given || labelled == 0 {
            problem = problem.at(at.span.clone(), label.clone());
        }
    }
    // One more task than wanted, or one fewer, in whole percent.
    let more = (100 * (desired.value + 1)).div_ceil(desired.value);
    let fewer = 100 * (desired.value - 1) / desired.value;
    section.file().tell(problem.help(format!(
        "set `maximum-percent` to {more} or more, so that one task can start first, \
         or `minimum-healthy-percent` to {fewer} or less, so that one can stop first"
    )));
}

fn health(section: &mut Section<'_>) -> Health {
    let interval = section.number_or("interval-seconds", limits::HEALTH_INTERVAL_SECONDS, 30);
    let timeout = section.number_or("timeout-seconds", limits::HEALTH_TIMEOUT_SECONDS, 5);
    if let (Some(interval), Some(timeout)) = (&interval, &timeout)
        && timeout.value >= interval.value
    {
        let (first, second) = if timeout.given { (timeout, interval) } else { (interval, timeout) };
        let names = if timeout.given { ["timeout", "interval"] } else { ["interval", "timeout"] };
        let mut problem = Problem::new(
            Code::Contradiction,
            format!(
                "`{}` is {}, not less than the interval of {} seconds",
                section.name_of("timeout-seconds"),
                timeout.value,
                interval.value
            ),
        )
        .at(first.span.clone(), format!("{} of {} seconds", names[0], first.value));
        if second.given {
            problem = problem.at(second.span.clone(), format!("{} of {} seconds", names[1], second.value));
        }
        section.file().tell(problem.help("an answer must be due before the next check: shorten the timeout"));
    }
    section.moved(
        "start-seconds",
        "leave it out, or write it under `container-check`, the check inside the container: `container-check = { command = \
         [\"CMD-SHELL\", \"wget -qO- http://localhost:8080/health || exit 1\"], start-seconds = 60 }`",
    );
    Health {
        path: or_blank(section.text_or("path", "/", format::url_path)),
        matcher: or_blank(section.text_or("matcher", "200", format::matcher)),
        interval_seconds: or_blank(interval),
        timeout_seconds: or_blank(timeout),
        healthy_threshold: or_blank(section.number_or("healthy-threshold", limits::HEALTH_THRESHOLD, 2)),
        unhealthy_threshold: or_blank(section.number_or("unhealthy-threshold", limits::HEALTH_THRESHOLD, 2)),
    }
}

fn probe(section: &mut Section<'_>) -> Option<String> {
    section.required_text("path", "`path`, such as \"/api/health\"", format::url_path).map(|path| path.value)
}
