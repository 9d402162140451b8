//! Random platform files: everything that a file can say in more than one way is said in one or another.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is random about a service.
#[derive(Debug, Clone)]
struct Service {
    port: u16,
    memory: u32,
    path: String,
    internal: bool,
    percent: u32,
    renamed: bool,
    secret: bool,
    bucket: bool,
    calls: Index,
}

fn service() -> impl Strategy<Value = Service> {
    let numbers = (1024u16..60000, 64u32..512, select(vec![100u32, 150, 200]));
    let names = ("/[a-z]{1,8}", any::<Index>());
    (numbers, names, any::<[bool; 4]>()).prop_map(|((port, memory, percent), (path, calls), is)| {
        let [internal, renamed, secret, bucket] = is;
        Service { port, memory, path, internal, percent, renamed, secret, bucket, calls }
    })
}

/// The text of a platform file; the name is filled in later, so that each case has one of its own.
pub(crate) fn platform() -> impl Strategy<Value = String> {
    let cluster = (2u8..=3, any::<bool>(), select(vec![1u32, 7, 30]), 1u32..3);
    (cluster, vec(service(), 1..4), vec(any::<bool>(), 0..3)).prop_map(|(cluster, services, buckets)| {
        let (zones, insights, days, instances) = cluster;
        let mut text = format!(
            "[platform]\nname = \"NAME\"\nenvironment = \"prop\"\nregion = \"ap-south-1\"\n\n\
             [network]\ncidr = \"10.0.0.0/16\"\nzones = {zones}\n\n\
             [cluster]\ncontainer-insights = {insights}\nlog-retention-days = {days}\n\n\
             [cluster.instances]\nmin = {instances}\ndesired = {instances}\nmax = {}\n\n\
             [load-balancers.out]\nscheme = \"internet-facing\"\n\n",
            instances + 2
        );
        if services.iter().skip(1).any(|service| service.internal) {
            text += "[load-balancers.in]\nscheme = \"internal\"\n\n";
        }
        for (number, cors) in buckets.iter().enumerate() {
            let origins = if *cors { "cors-origins = [\"https://a.example\"]\n" } else { "" };
            text += &format!("[buckets.b{number}]\n{origins}\n");
        }
        text += "[secrets.given]\nparameter = \"/NAME/given\"\n\n";
        if !buckets.is_empty() {
            text += "[secrets.made]\nparameter = \"/NAME/made\"\nvalue = \"${buckets.b0.name}\"\n\n";
        }
        for (number, one) in services.iter().enumerate() {
            text += &told(number, one, services.len(), !buckets.is_empty());
        }
        text
    })
}

/// One service; the first one takes what no rule matches.
fn told(number: usize, one: &Service, all: usize, buckets: bool) -> String {
    let Service { port, memory, path, percent, .. } = one;
    let (behind, rule) = match (number, one.internal) {
        (0, _) => ("out", String::new()),
        (_, true) => ("in", format!("path = \"/s{number}*\"\npriority = {}\n", 100 * number)),
        (_, false) => ("out", format!("path = \"/s{number}*\"\npriority = {}\n", 7 * number)),
    };
    let repository = if one.renamed { format!("repository = \"r{number}\"\n") } else { String::new() };
    let bucket = if one.bucket && buckets { "buckets = [\"b0\"]\n" } else { "" };
    let secret = if one.secret {
        format!("\n[services.s{number}.secrets]\nKEY = \"${{secrets.given}}\"\n")
    } else {
        String::new()
    };
    format!(
        "[services.s{number}]\nload-balancer = \"{behind}\"\n{rule}{repository}{bucket}port = {port}\nmemory = {memory}\n\
         maximum-percent = 200\nminimum-healthy-percent = {}\nhealth = {{ path = \"{path}\" }}\n\n\
         [services.s{number}.environment]\nOTHER = \"${{services.s{}.url}}\"\n{secret}\n",
        percent / 2,
        one.calls.index(all)
    )
}
