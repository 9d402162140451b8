//! What services and load balancers may not have in common, and what may only be named if the file has it.

use std::collections::BTreeMap;

use super::problem::{Code, Problem, Span};
use super::reader::{At, File};
use super::service::{BalancerDraft, ServiceDraft};
use super::storage::SecretDraft;
use super::suggest::{did_you_mean, list};

/// Tells ports, repositories, priorities and paths that two services share, and second defaults.
pub(super) fn services(file: &File<'_>, services: &[ServiceDraft]) {
    let ports = services.iter().filter_map(|service| Some((service.port.as_ref()?, service)));
    shared(ports.map(|(port, service)| (port.value, port.span.clone(), service)), |port, service, first| {
        Problem::new(Code::DuplicatePort, format!("`{service}` and `{first}` both listen on port {port}"))
            .help("give each service a container port of its own, which tells services apart in rules and logs")
    })
    .for_each(|problem| file.tell(problem));

    let repositories = services.iter().filter_map(|service| Some((service.repository.as_ref()?, service)));
    let repositories = repositories.map(|(repository, service)| (&repository.value, repository.span.clone(), service));
    shared(repositories, |repository, service, first| {
        Problem::new(Code::DuplicateName, format!("`{service}` and `{first}` both use the repository `{repository}`"))
            .help("give each service a repository of its own: a push says by it which service to roll out")
    })
    .for_each(|problem| file.tell(problem));

    let behind = |service: &'_ ServiceDraft| service.load_balancer.as_ref().map(|balancer| balancer.value.clone());
    let priorities =
        services.iter().filter_map(|service| Some((service.priority.as_ref()?, behind(service)?, service)));
    let priorities = priorities.map(|(at, balancer, service)| ((balancer, at.value), at.span.clone(), service));
    shared(priorities, |(balancer, priority), service, first| {
        let message = format!("`{service}` and `{first}` both have priority {priority} on `{balancer}`");
        Problem::new(Code::DuplicatePriority, message)
            .help("give each rule of a load balancer a priority of its own; the lowest number is asked first")
    })
    .for_each(|problem| file.tell(problem));

    let paths = services.iter().filter_map(|service| Some((service.path.as_ref()?, behind(service)?, service)));
    let paths = paths.map(|(at, balancer, service)| ((balancer, &at.value), at.span.clone(), service));
    shared(paths, |(balancer, path), service, first| {
        Problem::new(Code::DuplicatePath, format!("`{service}` and `{first}` both take `{path}` on `{balancer}`"))
            .help("give each its own path: only the rule with the lower priority would ever get a request")
    })
    .for_each(|problem| file.tell(problem));

    let defaults = services.iter().filter(|service| !service.has_path);
    let defaults = defaults.filter_map(|service| Some((behind(service)?, service.name.span.clone(), service)));
    shared(defaults, |balancer, service, first| {
        Problem::new(Code::TwoDefaults, format!("`{service}` and `{first}` both take everything on `{balancer}`")).help(
            format!("give `{service}` a `path` and a `priority`; without a path a service takes what no rule matches"),
        )
    })
    .for_each(|problem| file.tell(problem));
}

/// A problem for each key that was there before, pointing at both.
fn shared<'s, K: Ord + Clone>(
    keys: impl Iterator<Item = (K, Span, &'s ServiceDraft)>,
    problem: impl Fn(K, &str, &str) -> Problem,
) -> impl Iterator<Item = Problem> {
    let mut seen: BTreeMap<K, (Span, &ServiceDraft)> = BTreeMap::new();
    keys.filter_map(move |(key, span, service)| {
        let Some((first_span, first)) = seen.get(&key) else {
            seen.insert(key, (span, service));
            return None;
        };
        let problem = problem(key.clone(), &service.name.value, &first.name.value);
        Some(problem.at(span, "again here").at(first_span.clone(), "first here"))
    })
}

/// Tells certificates of another region than the platform's, which its load balancers cannot use, and hosts that two
/// load balancers share.
pub(super) fn load_balancers(file: &File<'_>, region: Option<&At<String>>, balancers: &[BalancerDraft]) {
    for certificate in balancers.iter().filter_map(|balancer| balancer.certificate.as_ref()) {
        let of = certificate.value.split(':').nth(3).unwrap_or_default();
        if let Some(region) = region.filter(|region| region.value != of) {
            let start = certificate.value.find(of).unwrap_or_default();
            let message = format!("the certificate is of `{of}`, and the platform stands in `{}`", region.value);
            file.tell(
                Problem::new(Code::Contradiction, message)
                    .at(file.part_of(certificate, &(start..start + of.len())), "another region")
                    .at(region.span.clone(), "the platform's")
                    .help(format!("request or import a certificate in `{}`: they hold in one region", region.value)),
            );
        }
    }
    let mut seen: BTreeMap<&str, &At<String>> = BTreeMap::new();
    for host in balancers.iter().filter_map(|balancer| balancer.host.as_ref()) {
        if let Some(first) = seen.get(host.value.as_str()) {
            file.tell(
                Problem::new(Code::DuplicateName, format!("two load balancers have the host `{}`", host.value))
                    .at(host.span.clone(), "again here")
                    .at(first.span.clone(), "first here")
                    .help("give each a name of its own: a name leads to one of them"),
            );
        }
        seen.entry(&host.value).or_insert(host);
    }
}

/// Tells zones of another region.
pub(super) fn zones(file: &File<'_>, region: Option<&At<String>>, names: &[At<String>]) {
    let Some(region) = region else { return };
    for name in names.iter().filter(|name| !name.value.starts_with(region.value.as_str())) {
        let message = format!("zone `{}` is not of `{}`, where the platform stands", name.value, region.value);
        file.tell(
            Problem::new(Code::Contradiction, message)
                .at(name.span.clone(), "of another region")
                .at(region.span.clone(), "the platform's")
                .help(format!("name zones such as `{}a`", region.value)),
        );
    }
}

/// Tells parameters that two secrets share.
pub(super) fn secrets(file: &File<'_>, secrets: &[SecretDraft]) {
    let mut seen: BTreeMap<&str, &At<String>> = BTreeMap::new();
    for parameter in secrets.iter().filter_map(|secret| secret.parameter.as_ref()) {
        if let Some(first) = seen.get(parameter.value.as_str()) {
            file.tell(
                Problem::new(Code::DuplicateName, format!("two secrets are the parameter `{}`", parameter.value))
                    .at(parameter.span.clone(), "again here")
                    .at(first.span.clone(), "first here")
                    .help("keep one of them: several services may use it"),
            );
        }
        seen.entry(&parameter.value).or_insert(parameter);
    }
}

/// Tells load balancers and buckets that a service names and the file does not have.
pub(super) fn mentions(file: &File<'_>, service: &ServiceDraft, balancers: &[&str], buckets: &[&str]) {
    for (kind, mentioned, known) in [
        ("load balancer", service.load_balancer.as_slice(), balancers),
        ("bucket", service.buckets.as_slice(), buckets),
    ] {
        for at in mentioned {
            if !known.contains(&at.value.as_str()) {
                let others =
                    if known.is_empty() { "describe one first".into() } else { format!("it has {}", list(known)) };
                file.tell(
                    Problem::new(Code::UnknownReference, format!("the file has no {kind} `{}`", at.value))
                        .at(at.span.clone(), "refers to nothing")
                        .help(did_you_mean(&at.value, known).unwrap_or(others)),
                );
            }
        }
    }
}
