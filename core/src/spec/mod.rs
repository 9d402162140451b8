//! The platform file: its model, how it is read, and what is checked.
//!
//! [`parse`] reads in three passes: every table by itself (`platform`, `storage`, `service`); then what has to
//! fit together (`names`, `compare`); then references (`template`, `variables`). A pass tells what is wrong and
//! goes on, so that all problems of a file are told at once.

mod check;
mod compare;
mod format;
mod image;
mod limits;
pub mod model;
mod names;
mod pattern;
mod platform;
mod problem;
mod reader;
mod service;
mod size;
mod storage;
mod suggest;
mod template;
mod variables;

use std::collections::BTreeMap;

use toml::de::DeTable;

pub use model::*;
pub use pattern::Pattern;
pub use problem::{Code, Label, Problem, Problems};

use platform::{Head, NetworkDraft};
use reader::{At, File, Section, or_blank};
use service::{BalancerDraft, ServiceDraft};
use storage::{BucketDraft, SecretDraft};
use template::{Draft, Names, Piece, Target};
use variables::Resolved;

/// Reads a platform file. `file` is the name under which its problems are told.
///
/// # Errors
///
/// Everything that is wrong with the file.
pub fn parse(file: &str, text: &str) -> Result<Platform, Problems> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(Problems::new(file, text, errors.iter().map(|error| syntax(text, error)).collect()));
    }
    let reading = File::new(text);
    let platform = Drafts::read(&mut Section::root(&reading, table.get_ref())).finish(&reading);
    match reading.into_problems() {
        problems if problems.is_empty() => Ok(platform),
        problems => Err(Problems::new(file, text, problems)),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().lines().next().unwrap_or_default().trim_end_matches(',').to_owned();
    let twice = message.contains("duplicate key");
    let help = if twice { "say it once" } else { "write it as TOML has it: https://toml.io/en/v1.0.0" };
    Problem::new(Code::Syntax, message).at(span.start.min(text.len())..span.end.min(text.len()), "here").help(help)
}

/// All tables of a file, each read by itself.
struct Drafts {
    head: Head,
    network: NetworkDraft,
    registry: Registry,
    cluster: Cluster,
    buckets: Vec<BucketDraft>,
    secrets: Vec<SecretDraft>,
    balancers: Vec<BalancerDraft>,
    services: Vec<ServiceDraft>,
}

impl Drafts {
    fn read(root: &mut Section<'_>) -> Self {
        let head = root.table("platform", platform::head);
        let network = root.table("network", platform::network);
        let registry = root.table("registry", platform::registry);
        let cluster = root.table("cluster", platform::cluster);
        let (buckets, secrets) = (storage::buckets(root), storage::secrets(root));
        let balancers = service::load_balancers(root);
        let only = match balancers.as_slice() {
            [only] => Some(only.key.value.as_str()),
            _ => None,
        };
        let services = service::services(root, only);
        root.finish();
        Drafts { head, network, registry, cluster, buckets, secrets, balancers, services }
    }

    /// What references can name.
    fn names(&self) -> Names {
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone()).unwrap_or_default();
        let wild = |path: &At<String>| path.value.strip_suffix('*').unwrap_or(&path.value).contains(['*', '?']);
        Names {
            platform: BTreeMap::from([
                ("name", text(&self.head.name)),
                ("environment", text(&self.head.environment)),
                ("region", text(&self.head.region)),
            ]),
            buckets: self.buckets.iter().map(|bucket| bucket.key.value.clone()).collect(),
            secrets: self.secrets.iter().map(|secret| secret.key.value.clone()).collect(),
            load_balancers: self.balancers.iter().map(|balancer| balancer.key.value.clone()).collect(),
            services: self
                .services
                .iter()
                .map(|service| {
                    let variables = service.environment.iter().map(|(name, _)| name.value.clone());
                    (service.name.value.clone(), variables.collect())
                })
                .collect(),
            without_url: self
                .services
                .iter()
                .filter(|service| service.path.as_ref().is_some_and(wild))
                .map(|service| service.name.value.clone())
                .collect(),
        }
    }

    /// Checks what has to fit together, resolves references, and puts the platform together.
    fn finish(self, file: &File<'_>) -> Platform {
        names::check(file, &self.head, &self.buckets, &self.balancers, &self.services);
        compare::zones(file, self.head.region.as_ref(), &self.network.zone_names);
        compare::load_balancers(file, self.head.region.as_ref(), &self.balancers);
        compare::services(file, &self.services);
        compare::secrets(file, &self.secrets);
        let balancers: Vec<&str> = self.balancers.iter().map(|balancer| balancer.key.value.as_str()).collect();
        let buckets: Vec<&str> = self.buckets.iter().map(|bucket| bucket.key.value.as_str()).collect();
        for service in &self.services {
            compare::mentions(file, service, &balancers, &buckets);
        }
        let names = self.names();
        let drafts = self.services.iter().flat_map(|service| {
            service
                .environment
                .iter()
                .filter_map(|(name, draft)| Some(((service.name.value.clone(), name.value.clone()), draft.clone()?)))
        });
        let resolved = variables::resolve(file, &names, drafts.collect());
        let places = size::places(&self.services);
        let platform = Platform {
            name: or_blank(self.head.name),
            environment: or_blank(self.head.environment),
            region: or_blank(self.head.region),
            tags: self.head.tags.into_iter().map(|(key, value)| (key.value, or_blank(value))).collect(),
            network: self.network.network,
            registry: self.registry,
            cluster: self.cluster,
            buckets: self.buckets.into_iter().map(|draft| (draft.key.value, draft.bucket)).collect(),
            secrets: self.secrets.into_iter().map(|draft| secret(file, &names, &resolved, draft)).collect(),
            load_balancers: balancers_of(self.balancers, &self.services),
            services: self
                .services
                .into_iter()
                .map(|draft| (draft.name.value.clone(), service_of(file, &names, &resolved, draft)))
                .collect(),
        };
        size::check(file, &platform, &places);
        platform
    }
}

fn secret(file: &File<'_>, names: &Names, resolved: &Resolved, draft: SecretDraft) -> (String, Secret) {
    let value = draft.value.and_then(|value| resolved.parameter(file, names, &value));
    (draft.key.value, Secret { parameter: or_blank(draft.parameter), value })
}

fn balancers_of(drafts: Vec<BalancerDraft>, services: &[ServiceDraft]) -> BTreeMap<String, LoadBalancer> {
    let default = |key: &str| {
        services
            .iter()
            .find(|service| {
                !service.has_path && service.load_balancer.as_ref().is_some_and(|balancer| balancer.value == key)
            })
            .map(|service| service.name.value.clone())
    };
    drafts
        .into_iter()
        .map(|draft| {
            let default_service = default(&draft.key.value);
            let (certificate, host) = (draft.certificate.map(|at| at.value), draft.host.map(|at| at.value));
            (draft.key.value, LoadBalancer { scheme: draft.scheme, certificate, host, default_service })
        })
        .collect()
}

fn service_of(file: &File<'_>, names: &Names, resolved: &Resolved, draft: ServiceDraft) -> Service {
    let environment = draft
        .environment
        .iter()
        .filter_map(|(name, _)| Some((name.value.clone(), resolved.get(&draft.name.value, &name.value)?.clone())));
    let secrets = draft
        .secrets
        .iter()
        .filter_map(|(name, value)| Some((name.value.clone(), secret_key(file, names, &name.value, value.as_ref()?)?)));
    Service {
        environment: environment.collect(),
        secrets: secrets.collect(),
        repository: or_blank(draft.repository),
        port: u16::try_from(or_blank(draft.port)).unwrap_or_default(),
        load_balancer: or_blank(draft.load_balancer),
        rule: draft.path.zip(draft.priority).map(|(path, priority)| Rule {
            path: path.value,
            priority: u16::try_from(priority.value).unwrap_or_default(),
        }),
        buckets: draft.buckets.into_iter().map(|bucket| bucket.value).collect(),
        ..draft.service
    }
}

/// The secret that a variable under `secrets` is filled from: its text must be one reference to a secret.
fn secret_key(file: &File<'_>, names: &Names, variable: &str, draft: &Draft) -> Option<String> {
    let target = match draft.pieces.as_slice() {
        [Piece::Reference(reference)] => Some(template::look_up(file, names, reference)?),
        _ => None,
    };
    if let Some(Target::Secret(key)) = target {
        return Some(key);
    }
    let example = names.secrets.first().map_or("NAME", String::as_str);
    file.tell(
        Problem::new(Code::MisplacedReference, format!("the secret `{variable}` is not filled from a secret"))
            .at(draft.span.clone(), "not a reference to a secret")
            .help(format!(
                "write \"${{secrets.{example}}}\" and give its value by `skydeck secret set {example}`; \
                 what is not secret belongs into `environment`"
            )),
    );
    None
}
