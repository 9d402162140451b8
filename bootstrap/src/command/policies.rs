//! `skydeck policies`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::Policies;
use crate::context::{Account, Context};
use crate::error::Ending;
use crate::install::{self, policy};

/// Prints what each role of an installation may do, and what those need who use skydeck daily. Asks AWS nothing.
pub(super) fn run(context: &Context, options: &Policies) -> miette::Result<Ending> {
    let account = Account::of(&options.account, &options.region);
    if !context.terminal.json() {
        told(&account).into_iter().for_each(|line| context.terminal.say(line));
    }
    let all: BTreeMap<_, _> =
        install::policies(&account).into_iter().chain(install::daily_policies(&account)).collect();
    context.terminal.document(&all)?;
    Ok(Ending::Done)
}

/// What is installed, and after it what is not.
fn told(account: &Account) -> Vec<String> {
    [install::policies(account), install::daily_policies(account)].iter().flat_map(lines).collect()
}

fn lines(policies: &BTreeMap<String, Value>) -> Vec<String> {
    let of = |(name, document): (&String, &Value)| {
        let told = policy::lines(document).into_iter().map(|line| format!("  {line}"));
        [name.clone()].into_iter().chain(told).chain([String::new()]).collect::<Vec<_>>()
    };
    policies.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page for people who have to sign the policies off.
    #[test]
    fn the_page_of_permissions_says_what_is_installed() {
        let page = include_str!("../../../docs/permissions.md");
        let (_, told) = page.split_once("```text\n").unwrap();
        let (told, _) = told.split_once("```").unwrap();
        let wanted = super::told(&Account::of("111122223333", "eu-central-1")).join("\n");
        let renew =
            "the page is old: put what `skydeck policies --region eu-central-1` prints into docs/permissions.md";
        assert!(told.trim() == wanted.trim(), "{renew}");
    }
}
