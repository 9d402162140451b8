//! What an acceptance run makes, what it costs at most, and the platform that it makes.

use std::time::Duration;

use crate::context::Account;
use crate::prices::Prices;

/// The platform: name, environment, and both together, with which all its names begin.
const NAME: &str = "acceptance";
const ENVIRONMENT: &str = "run";
pub(super) const PREFIX: &str = "acceptance-run";
/// Its only service, and the repository of that.
pub(super) const SERVICE: &str = "web";
pub(super) const REPOSITORY: &str = "acceptance-run-web";
/// Tag of everything that the run makes beside what skydeck makes, and of every resource of the platform. Its value on instances
/// is what the run changes so that they are replaced.
pub(super) const TAG: &str = "skydeck-acceptance";

/// After so long a run is ended and cleaned up, whatever it waits for.
pub(super) const LONGEST: Duration = Duration::from_secs(3 * 60 * 60);
/// So long is counted for the way back.
const CLEANING_HOURS: f64 = 1.0;
/// Other regions have other prices than those of the list: none that we know of has twice as high ones.
const DEAREST: f64 = 2.0;

/// The platform file. `change` is the value of [`TAG`].
#[must_use]
pub fn file(region: &str, change: u32) -> String {
    format!(
        r#"# The platform of an acceptance run. One instance at most, so that an instance refresh has to go above that.

[platform]
name = "{NAME}"
environment = "{ENVIRONMENT}"
region = "{region}"

[platform.tags]
{TAG} = "{change}"

[cluster]
log-retention-days = 1

[cluster.instances]
type = "t4g.small"
min = 1
max = 1

[load-balancers.public]
scheme = "internet-facing"

[services.{SERVICE}]
port = 8080
cpu = 128
memory = 128
delete-with-images = true
deregistration-delay-seconds = 5

[services.{SERVICE}.health]
path = "/health"
interval-seconds = 10
"#
    )
}

/// What the run makes that costs something while it stands: how many units of a price in an hour, and what they are.
const HOURLY: [(&str, f64, &str); 4] = [
    ("instance-hour", 3.0, "instances of t4g.small: one, and its replacements while they are exchanged"),
    ("volume-gb-month", 3.0 * 30.0 / 730.0, "their volumes, of 30 GB each"),
    ("balancer-hour", 1.0, "an Application Load Balancer"),
    ("address-hour", 5.0, "public addresses: of the instances, and in two zones of the load balancer"),
];

/// What it uses once: how many units of a price. Counted in the local AWS and rounded up to a multiple.
const ONCE: [(&str, f64); 5] =
    [("transition", 10_000.0), ("invocation", 5_000.0), ("gb-second", 5_000.0), ("put", 10_000.0), ("get", 50_000.0)];

/// What a run costs at most, in US dollars, rounded up to a tenth.
#[must_use]
pub fn highest_cost(prices: &Prices) -> f64 {
    let hours = LONGEST.as_secs_f64() / 3600.0 + CLEANING_HOURS;
    let standing: f64 = HOURLY.iter().map(|(what, units, _)| prices.of(what, units * hours)).sum();
    let once: f64 = ONCE.iter().map(|(what, units)| prices.of(what, *units)).sum();
    ((standing + once) * DEAREST * 10.0).ceil() / 10.0
}

/// What is said before anything is made.
pub(super) fn lines(account: &Account) -> Vec<String> {
    let prices = Prices::list();
    let mut lines = vec![
        format!("account {}, region {}", account.id, account.region),
        String::new(),
        format!("This installs skydeck there, brings up the platform {PREFIX}, pushes images that are good and bad,"),
        "breaks and changes it, destroys it, removes skydeck, and looks whether anything is left. It makes:".to_owned(),
        format!(
            "  skydeck itself: bucket {}, roles, functions, state machines, rules, a queue, log groups",
            account.bucket()
        ),
        format!("  a VPC with two subnets, roles, repository {REPOSITORY}, an ECS cluster with a service, and"),
    ];
    lines.extend(HOURLY.iter().map(|(_, _, says)| format!("  {says}")));
    lines.push(String::new());
    lines.push(format!(
        "It costs at most {:.2} US dollars: {} hours, with an hour more to clean up, at twice the list prices of {} of {}.",
        highest_cost(&prices),
        LONGEST.as_secs() / 3600,
        prices.region,
        prices.read
    ));
    lines.push(
        "It usually takes less than an hour. Everything is tagged, and is taken away at the end and on Ctrl-C."
            .to_owned(),
    );
    lines
}

#[cfg(test)]
mod tests {
    use skydeck_core::placement;
    use skydeck_core::spec;

    use super::*;

    #[test]
    fn the_platform_is_one_and_has_its_names() {
        for change in [1, 2] {
            let platform = spec::parse("acceptance.toml", &file("eu-central-1", change)).unwrap();
            assert_eq!(format!("{}-{}", platform.name, platform.environment), PREFIX);
            assert_eq!(format!("{PREFIX}-{SERVICE}"), REPOSITORY);
            placement::check(&platform).unwrap();
        }
    }

    #[test]
    fn the_cost_is_said_and_small() {
        let cost = highest_cost(&Prices::list());
        assert!((0.5..3.0).contains(&cost), "{cost}");
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/acceptance.md")).unwrap();
        assert!(
            page.contains(&format!("At most {cost:.2} US dollars")),
            "docs/acceptance.md says another one than {cost:.2}"
        );
        let text = lines(&Account::of("111122223333", "eu-central-1")).join("\n");
        assert!(text.contains(&format!("at most {cost:.2} US dollars")) && text.contains("111122223333"), "{text}");
    }
}
