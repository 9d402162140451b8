//! `skydeck policies`.

use crate::cli::Policies;
use crate::context::{Account, Context};
use crate::error::Ending;
use crate::install::{self, policy};

/// Prints what each role of an installation may do. Asks AWS nothing.
pub(super) fn run(context: &Context, options: &Policies) -> miette::Result<Ending> {
    let account = Account::of(&options.account, &options.region);
    let policies = install::policies(&account);
    if !context.terminal.json() {
        for (name, document) in &policies {
            context.terminal.say(format!("\n{name}"));
            for line in policy::lines(document) {
                context.terminal.say(format!("  {line}"));
            }
        }
    }
    context.terminal.document(&policies)?;
    Ok(Ending::Done)
}
