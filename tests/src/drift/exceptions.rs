//! What is observed and not compared, or not changed here, each with the reason. A pattern is the way to the place, word by
//! word: `*` is any one word, `**` at the beginning any number of them.

use skydeck_core::run::Layer;

use super::spot::{Kind, Spot};

/// One exception.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    layer: Option<Layer>,
    kind: Option<Kind>,
    /// The way to the place.
    pub pattern: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn any(pattern: &'static str, reason: &'static str) -> Exception {
    Exception { layer: None, kind: None, pattern, reason }
}

const fn of(layer: Layer, pattern: &'static str, reason: &'static str) -> Exception {
    Exception { layer: Some(layer), kind: None, pattern, reason }
}

const fn extra(pattern: &'static str, reason: &'static str) -> Exception {
    Exception { layer: None, kind: Some(Kind::Extra), pattern, reason }
}

const fn gone(layer: Layer, pattern: &'static str, reason: &'static str) -> Exception {
    Exception { layer: Some(layer), kind: Some(Kind::Gone), pattern, reason }
}

const AWS_OWN: &str = "AWS's own name for it, which nobody can change";
const FIXED: &str = "AWS cannot change it";
const BOOTSTRAP: &str = "skydeck's own, which bootstrap uploads";
const KEPT: &str = "AWS keeps a revision that a service uses";
const CONTAINER: &str = "AWS takes only what the task definition has; the whole being gone stands for it";
const BEHIND: &str = "AWS takes no definition without the container and port that the service's load balancer sends to";
const MARK: &str = "the mark of ownership: without it the resource is somebody else's";

const FENCE: &str = "the fence: without it no function may change the resource, and a person gives it back";

/// All exceptions.
pub const EXCEPTIONS: &[Exception] = &[
    any("** id", AWS_OWN),
    any("** arn", AWS_OWN),
    any("** dns_name", AWS_OWN),
    any("uris *", AWS_OWN),
    any("** tags skydeck:platform", MARK),
    any("** tags skydeck:environment", MARK),
    any("** tags skydeck:installation", FENCE),
    extra("** tags", "tags that others add are theirs"),
    extra("*", "one more of the platform's own comes of a changed file or a lost answer, and is no drift"),
    of(Layer::Network, "zones *", "the region's"),
    of(Layer::Network, "vpcs * settings cidr", FIXED),
    of(Layer::Network, "subnets * settings cidr", FIXED),
    of(Layer::Network, "groups * settings description", FIXED),
    extra("profile settings roles", "an instance profile holds one role"),
    gone(Layer::Identity, "** settings trust", "every role has one"),
    gone(Layer::Identity, "** Statement", "every policy has one"),
    of(Layer::Registry, "repositories * settings encryption", FIXED),
    of(Layer::Balancer, "load_balancers * settings scheme", FIXED),
    of(Layer::Balancer, "target_groups * settings fixed *", FIXED),
    of(Layer::Balancer, "probe_code", BOOTSTRAP),
    of(Layer::Balancer, "probe_code *", BOOTSTRAP),
    of(Layer::Cluster, "recommended_ami", "AWS's own word"),
    of(Layer::Cluster, "template latest", "AWS's own count"),
    of(Layer::Cluster, "template settings ami", "pinned: the one in use stays"),
    of(Layer::Cluster, "group going", "what AWS is doing"),
    of(Layer::Cluster, "group template 0", "there is no other launch template; its version stands for it"),
    of(Layer::Cluster, "provider group", FIXED),
    extra("cluster capacity providers", "others that somebody attached stay"),
    extra("cluster capacity strategy", "only what is attached may stand in it"),
    extra("group propagated", "of a tag of somebody else's"),
    extra("group settings subnets", "there is no other subnet in the VPC; one less stands for it"),
    gone(Layer::Cluster, "cluster", "AWS deletes no cluster that has container instances"),
    of(Layer::Service, "definitions * image", "a rollout's to choose"),
    of(Layer::Service, "families * active", "AWS's own list"),
    of(Layer::Service, "families * active *", "AWS's own list"),
    of(Layer::Service, "families * tags *", "those of its newest revision, which are compared"),
    of(Layer::Service, "services * definition", "what it says is compared, not its number"),
    of(Layer::Service, "services * draining", "what AWS is doing"),
    of(Layer::Service, "services * placement load_balancers * container", CONTAINER),
    of(Layer::Service, "services * placement load_balancers * port", CONTAINER),
    extra("services * placement capacity", "only a provider of the cluster may stand in it"),
    of(Layer::Service, "definitions * settings container essential", "a task's only container is essential to it"),
    of(Layer::Service, "definitions * settings container name", BEHIND),
    of(Layer::Service, "definitions * settings container ports * 0", BEHIND),
    gone(Layer::Service, "families *", KEPT),
    gone(Layer::Service, "definitions *", KEPT),
    gone(Layer::Service, "definitions * settings container", "every task definition has one"),
    extra("load_balancers * settings subnets", "one subnet a zone, and all zones have one"),
    extra("route_tables * settings subnets", "another subnet of somebody else's"),
];

/// The exception that a spot falls under.
#[must_use]
pub fn exception(layer: Layer, spot: &Spot) -> Option<&'static Exception> {
    let words: Vec<String> = spot.path.iter().map(ToString::to_string).collect();
    EXCEPTIONS.iter().find(|exception| {
        exception.layer.is_none_or(|of| of == layer)
            && exception.kind.is_none_or(|kind| kind == spot.kind)
            && matches(exception.pattern, &words)
    })
}

fn matches(pattern: &str, words: &[String]) -> bool {
    let wanted: Vec<&str> = pattern.split(' ').collect();
    let (wanted, words) = match wanted.split_first() {
        Some((&"**", rest)) => (rest, &words[words.len().saturating_sub(rest.len())..]),
        _ => (wanted.as_slice(), words),
    };
    wanted.len() == words.len() && wanted.iter().zip(words).all(|(want, word)| *want == "*" || want == word)
}
