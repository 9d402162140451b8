//! The page docs/cost.md, by its figures.

use std::fmt::Write;

use super::usage::{LOG_GB, MEMORY_GB, SECONDS, Usage};
use super::{Measured, Prices};

/// Hours of a month, as AWS's own calculator has them.
const HOURS: f64 = 730.0;
/// Sweeps of a month of 30 days, one each 15 minutes.
const SWEEPS: u32 = 2880;

/// What SkyFox itself consists of when nobody uses it: how many units of a price, and why.
const PLATFORM: [(&str, f64, &str); 4] = [
    ("instance-hour", 2.0 * HOURS, "2 instances"),
    ("volume-gb-month", 2.0 * 30.0, "their volumes, of 30 GB each by the image for ECS"),
    ("balancer-hour", 2.0 * HOURS, "2 load balancers, without the capacity units that requests take"),
    (
        "address-hour",
        5.0 * HOURS,
        "5 public addresses: one for each instance, and one in each zone for the public load balancer",
    ),
];

/// The whole page.
#[must_use]
pub fn page(measured: &Measured, prices: &Prices) -> String {
    let month = measured.sweep * SWEEPS;
    let mut text = format!(
        "# What it costs\n\n\
         The figures are written by a program, which lets skydeck work on SkyFox in the local AWS, counts what it uses, and multiplies that by \
         AWS's list prices of {}, read on {}:\n\n\
         ```sh\ncargo run --workspace --bin cost -- --markdown > docs/cost.md\n```\n\n\
         They are no bill: nothing of it was verified on AWS, the free tier and taxes are left out, and other regions, SkyFox's own \
         ap-south-1 among them, have other prices.\n\n\
         ## An idle month\n\n\
         | what | US dollars |\n| --- | --- |\n",
        prices.region, prices.read
    );
    let mut platform = 0.0;
    for (what, units, says) in PLATFORM {
        let cost = prices.of(what, units);
        platform += cost;
        line(&mut text, &format!("| {says} | {cost:.2} |"));
    }
    line(&mut text, &format!("| **the platform itself** | **{platform:.2}** |"));
    let cost = month.cost(prices);
    line(
        &mut text,
        &format!("| **skydeck**: {SWEEPS} sweeps, each with a plan that looks for drift | **{cost:.2}** |"),
    );
    line(
        &mut text,
        "\nThere is no NAT gateway, and Container Insights is off ([why](adr/0008-container-insights-is-off.md)). Traffic, images, the \
         containers' logs and the objects of buckets are a team's own. Skydeck's bucket holds the code of its functions and some reports; that is not counted either.\n\n\
         ## What skydeck does\n\n\
         | | transitions | invocations | S3 writes and lists | S3 reads | events | US dollars |\n\
         | --- | --- | --- | --- | --- | --- | --- |",
    );
    let rows = [
        ("the first apply", measured.first_apply),
        ("an apply that changes nothing", measured.idle_apply),
        ("a rollout", measured.rollout),
        ("a sweep, with its plan", measured.sweep),
        ("all sweeps of a month", month),
    ];
    for (says, used) in rows {
        let Usage { transitions, invocations, puts, gets, events } = used;
        let cost = used.cost(prices);
        line(
            &mut text,
            &format!("| {says} | {transitions} | {invocations} | {puts} | {gets} | {events} | {cost:.4} |"),
        );
    }
    let (memory, log) = (MEMORY_GB * 1024.0, LOG_GB * 1e6);
    let _ = writeln!(
        text,
        "\nA transition is a state that is entered, or tried again. How often a run looks until everything serves depends on how \
         long tasks take to come up and others to go; here that is what the local AWS takes. Assumed: an invocation takes {SECONDS} s with {memory} MB of memory, and logs \
         {log} kB. Calls of ECS, ECR, EC2, IAM, Elastic Load Balancing, Auto Scaling and standard parameters are free, and so are the \
         events that AWS's own services send.\n\n\
         ## Prices\n\n\
         They stand in `bootstrap/src/prices.json`. Most are those that the golden files of Infracost have from AWS's price list; that of \
         the instance was quoted elsewhere from AWS's Price List API of 2026-10-02, and the link leads to AWS's own page.\n\n\
         | price | US dollars | region | read | source |\n| --- | --- | --- | --- | --- |"
    );
    for price in rows_of(prices) {
        line(&mut text, &price);
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// A line of the table for each price.
fn rows_of(prices: &Prices) -> Vec<String> {
    let Prices { region, read, prices } = prices;
    let row = |price: &super::Price| {
        format!("| {} | {} | {region} | {read} | [source]({}) |", price.says, price.usd, price.source)
    };
    prices.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn the_page_has_the_prices_of_the_list() {
        let (prices, page) = (Prices::list(), std::fs::read_to_string(root().join("docs/cost.md")).unwrap());
        for row in rows_of(&prices) {
            assert!(page.contains(&row), "docs/cost.md lacks {row}: the program `cost` writes it anew");
        }
        for price in &prices.prices {
            assert!(price.source.starts_with("https://") && price.usd > 0.0 && price.per >= 1.0, "{price:?}");
        }
        assert!(prices.read.len() == "2026-11-28".len() && page.contains(&prices.read));
    }

    #[test]
    fn what_is_used_costs_what_the_list_says() {
        let used = Usage { transitions: 1000, invocations: 1_000_000, puts: 1000, gets: 1000, events: 1_000_000 };
        // 0.025 + 0.20 + 0.5 GB s each + 2 GB of logs + 0.005 + 0.0004 + 1
        let expected = 0.025 + 0.20 + 6.6667 + 1.0 + 0.005 + 0.0004 + 1.0;
        assert!((used.cost(&Prices::list()) - expected).abs() < 1e-6, "{}", used.cost(&Prices::list()));
        assert_eq!((used * 3).puts, 3000);
    }
}
