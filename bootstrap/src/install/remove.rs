//! Takes an installation away again, the other way round: first what starts runs, last the bucket.

use skydeck_aws::function::FUNCTIONS;
use skydeck_aws::{Clients, Result};

use super::definition::MACHINES;
use super::step::{Changes, Item, Step};
use super::{all, boundary, bucket, events, function, machine, policy, role};
use crate::context::Account;

/// What goes, in two parts.
#[derive(Debug)]
pub struct Removal<'a> {
    /// What starts runs by itself, and what it could not deliver.
    pub starters: Changes<'a>,
    /// All else, which may go once the starters have gone and no run goes on.
    pub rest: Changes<'a>,
}

impl Removal<'_> {
    /// Every thing that goes.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.starters.items().chain(self.rest.items())
    }
}

/// Looks at everything that bears a name and the tag of an installation. What a removal that ended half way has left is found
/// again; what lacks the tag is not skydeck's and stays.
///
/// # Errors
/// What AWS refuses to tell.
pub async fn look<'a>(clients: &'a Clients, account: &'a Account) -> Result<Removal<'a>> {
    let functions = || FUNCTIONS.iter().map(|function| function.name);
    let rules = all(&events::RULES, |rule| events::remove_rule(clients, rule)).await?;
    let queue = events::remove_queue(clients).await?;
    let machines = all(MACHINES, |(name, _)| machine::remove(clients, account, name)).await?;
    let groups = function::log_groups(clients).await?;
    let code = all(functions(), |name| function::remove(clients, name)).await?;
    let logs = all(functions(), |name| function::remove_log_group(clients, account, name, &groups)).await?;
    let roles = all(policy::roles(account), |wanted| role::remove(clients, wanted.name)).await?;
    let boundary = boundary::remove(clients, account).await?;
    let bucket = bucket::remove(clients, account).await?;
    let found = |steps: Vec<Option<Step<'a>>>| steps.into_iter().flatten().collect();
    let starters = Changes::default().then(found(rules)).then(found(vec![queue]));
    let rest = Changes::default()
        .then(found(machines))
        .then(found(code))
        // A function that still ran would write into its log group.
        .then(found(logs))
        .then(found(roles))
        .then(found(vec![boundary]))
        // Last: until then it says what there is.
        .then(found(vec![bucket]));
    Ok(Removal { starters, rest })
}
