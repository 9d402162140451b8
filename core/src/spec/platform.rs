//! The tables `[platform]`, `[network]`, `[registry]` and `[cluster]`.

use ipnet::Ipv4Net;

use super::format;
use super::limits;
use super::model::{Cluster, Instances, Network, Registry};
use super::problem::{Code, Problem};
use super::reader::{At, Section, or_blank};
use super::suggest::nearest;

/// The table `[platform]`.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: Option<At<String>>,
    pub(super) environment: Option<At<String>>,
    pub(super) region: Option<At<String>>,
    pub(super) tags: Vec<(At<String>, Option<At<String>>)>,
}

pub(super) fn head(section: &mut Section<'_>) -> Head {
    let head = Head {
        name: section.required_text("name", "`name`, such as \"skyfox\"", format::name),
        environment: section.required_text("environment", "`environment`, such as \"dev\"", format::name),
        region: section.required_text("region", "`region`, such as \"ap-south-1\"", format::region),
        tags: section.pairs("tags", format::tag_key, format::tag_value),
    };
    let most = limits::TEAM_TAGS;
    if let Some((extra, _)) = head.tags.get(most) {
        section.file().tell(
            Problem::new(Code::WrongCount, format!("`platform.tags` has {} tags", head.tags.len()))
                .at(extra.span.clone(), "one too many")
                .help(format!("use at most {most}: a resource takes {}, and some are skydeck's", limits::TAGS)),
        );
    }
    for (at, (key, _)) in head.tags.iter().enumerate() {
        // IAM does not tell keys apart by case.
        if let Some((first, _)) = head.tags[..at].iter().find(|(first, _)| first.value.eq_ignore_ascii_case(&key.value))
        {
            section.file().tell(
                Problem::new(
                    Code::DuplicateName,
                    format!("the tags `{}` and `{}` differ only in case", first.value, key.value),
                )
                .at(key.span.clone(), "the same key to IAM")
                .at(first.span.clone(), "first here")
                .help("keep one of them"),
            );
        }
    }
    head
}

/// The network, and where the zones that it names stand.
pub(super) struct NetworkDraft {
    pub(super) network: Network,
    pub(super) zone_names: Vec<At<String>>,
}

pub(super) fn network(section: &mut Section<'_>) -> NetworkDraft {
    let zones = section.number_or("zones", limits::ZONES, 2);
    let names = section.texts("zone-names", format::zone);
    let zones = if names.is_empty() { zones } else { named(section, zones.as_ref(), &names) };
    let text = section.text_or("cidr", "10.0.0.0/16", format::any);
    let cidr = text.and_then(|text| cidr(section, &text, zones.as_ref()));
    let mut zone_names: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
    zone_names.sort_unstable();
    let zones = u8::try_from(or_blank(zones)).unwrap_or_default();
    NetworkDraft { network: Network { cidr: cidr.unwrap_or_default(), zones, zone_names }, zone_names: names }
}

/// How many zones are named. Each stands there once, and the number is not said a second time.
fn named(section: &Section<'_>, zones: Option<&At<u32>>, names: &[At<String>]) -> Option<At<u32>> {
    let limits::Limit { least, most } = limits::ZONES;
    let value = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let place = names.last()?.span.clone();
    let tell = |problem: Problem| section.file().tell(problem);
    if let Some(zones) = zones.filter(|zones| zones.given) {
        let problem = Problem::new(Code::Contradiction, "`network.zones` counts zones that are named".to_owned());
        let problem = problem.at(zones.span.clone(), "a number").at(place.clone(), "and names");
        tell(problem.help("leave `zones` out: there is one subnet in each zone that is named"));
    }
    if !(least..=most).contains(&value) {
        let problem =
            Problem::new(Code::WrongCount, format!("`network.zone-names` names {value} of {least} to {most} zones"));
        tell(problem.at(place.clone(), "here").help("name as many, or leave it out"));
    }
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|first| first.value == name.value) {
            let problem = Problem::new(Code::DuplicateName, format!("zone `{}` is named twice", name.value));
            let problem = problem.at(name.span.clone(), "again").at(first.span.clone(), "first here");
            tell(problem.help("name each zone once: it has one subnet"));
        }
    }
    Some(At { value, span: place, given: true })
}

/// The VPC's block: canonical, of a size that AWS takes, with room for a subnet in every zone.
fn cidr(section: &Section<'_>, text: &At<String>, zones: Option<&At<u32>>) -> Option<Ipv4Net> {
    let refuse = |message: String, label: &str, help: String| {
        section.file().tell(Problem::new(Code::InvalidCidr, message).at(text.span.clone(), label).help(help));
        None
    };
    let Ok(block) = text.value.parse::<Ipv4Net>() else {
        let help = "write an IPv4 address and a prefix length, such as `10.0.0.0/16`".into();
        return refuse(format!("`network.cidr` is `{}`", text.value), "not a block of IPv4 addresses", help);
    };
    if block != block.trunc() {
        let message = format!("`network.cidr` is `{block}`, which has bits set behind its prefix");
        return refuse(message, "this address lies inside the block", format!("write `{}`", block.trunc()));
    }
    let limits::Limit { least, most } = limits::VPC_PREFIX;
    let prefix = u32::from(block.prefix_len());
    if !(least..=most).contains(&prefix) {
        let help = format!("AWS takes /{least}, the largest, to /{most}, the smallest");
        return refuse(format!("`network.cidr` is a /{prefix}"), "not a size that a VPC can have", help);
    }
    let docker = limits::DOCKER_BLOCK;
    if docker.parse::<Ipv4Net>().is_ok_and(|docker| docker.contains(&block) || block.contains(&docker)) {
        let message = format!("`network.cidr` overlaps `{docker}`, which Docker has on every container instance");
        let help = "use another private block, such as `10.0.0.0/16`".into();
        return refuse(message, "containers could not reach addresses in it", help);
    }
    let zones = zones?;
    let needed = limits::ALB_SUBNET_PREFIX - zones.value.next_power_of_two().trailing_zeros();
    if prefix > needed {
        let mut problem = Problem::new(
            Code::CidrTooSmall,
            format!(
                "`network.cidr` is a /{prefix}, too small for a subnet of /{} in each of {} zones",
                limits::ALB_SUBNET_PREFIX,
                zones.value
            ),
        )
        .at(text.span.clone(), format!("{} addresses", block.hosts().count() + 2));
        if zones.given {
            problem = problem.at(zones.span.clone(), "this many subnets");
        }
        let help = format!(
            "use a /{needed} or larger: an Application Load Balancer wants a subnet of /{} in every zone",
            limits::ALB_SUBNET_PREFIX
        );
        section.file().tell(problem.help(help));
        return None;
    }
    Some(block)
}

pub(super) fn registry(section: &mut Section<'_>) -> Registry {
    Registry {
        keep_images: or_blank(section.number_or("keep-images", limits::KEEP_IMAGES, 10)),
        expire_untagged_days: or_blank(section.number_or("expire-untagged-days", limits::EXPIRE_UNTAGGED_DAYS, 7)),
    }
}

pub(super) fn cluster(section: &mut Section<'_>) -> Cluster {
    Cluster {
        container_insights: section.flag_or("container-insights", false),
        log_retention_days: retention(section),
        instances: section.table("instances", instances),
    }
}

fn retention(section: &mut Section<'_>) -> i32 {
    let any = limits::Limit { least: 1, most: limits::RETENTION_DAYS[limits::RETENTION_DAYS.len() - 1] };
    let Some(days) = section.number_or("log-retention-days", any, 7) else { return 0 };
    if !limits::RETENTION_DAYS.contains(&days.value) {
        let longer = limits::RETENTION_DAYS.iter().find(|known| **known > days.value).copied().unwrap_or_default();
        let all: Vec<String> = limits::RETENTION_DAYS.iter().map(u32::to_string).collect();
        section.file().tell(
            Problem::new(Code::WrongChoice, format!("`{}` is {}", section.name_of("log-retention-days"), days.value))
                .at(days.span, "CloudWatch Logs does not take this number")
                .help(format!("use {longer}, or another of {}", all.join(", "))),
        );
    }
    i32::try_from(days.value).unwrap_or_default()
}

fn instances(section: &mut Section<'_>) -> Instances {
    let instance_type = section.text_or("type", "t4g.small", format::instance_type);
    let min = section.number_or("min", limits::INSTANCES, 1);
    let desired = section.number_or("desired", limits::INSTANCES, min.as_ref().map_or(1, |min| min.value));
    let twice = desired.as_ref().map_or(1, |desired| (desired.value * 2).min(limits::INSTANCES.most));
    let max = section.number_or("max", limits::INSTANCES, twice);
    if let (Some(min), Some(desired), Some(max)) = (&min, &desired, &max) {
        ordered(section, ("min", min), ("desired", desired));
        ordered(section, ("desired", desired), ("max", max));
    }
    Instances {
        instance_type: or_blank(instance_type),
        min: or_blank(min),
        desired: or_blank(desired),
        max: or_blank(max),
        grace_seconds: or_blank(section.number_or("grace-seconds", limits::INSTANCE_GRACE_SECONDS, 300)),
    }
}

/// Tells a smaller number that is larger.
fn ordered(section: &Section<'_>, small: (&str, &At<u32>), large: (&str, &At<u32>)) {
    if small.1.value > large.1.value {
        let (small_name, large_name) = (section.name_of(small.0), section.name_of(large.0));
        let mut problem = Problem::new(
            Code::Contradiction,
            format!("`{small_name}` is {}, and `{large_name}` is {}", small.1.value, large.1.value),
        );
        for (name, at) in [(small_name, small.1), (large_name, large.1)] {
            let label = if at.given { format!("`{name}`") } else { format!("`{name}` is {} by default", at.value) };
            problem = problem.at(at.span.clone(), label);
        }
        section.file().tell(problem.help(format!("set `{}` to {} or more", large.0, small.1.value)));
    }
}

/// Tells a text that is none of the possible ones.
pub(super) fn choice(section: &Section<'_>, key: &str, found: &At<String>, known: &[&str]) {
    let all: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    let help = match nearest(&found.value, known) {
        Some(known) => format!("did you mean `{known}`? Possible: {}", all.join(", ")),
        None => format!("possible: {}", all.join(", ")),
    };
    section.file().tell(
        Problem::new(Code::WrongChoice, format!("`{}` is `{}`", section.name_of(key), found.value))
            .at(found.span.clone(), "not one of the possible values")
            .help(help),
    );
}
