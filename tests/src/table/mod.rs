//! The rollout table: labelled rollouts from end to end, through the real state machine and the real functions. Each case has
//! a service of its own, whatever else goes on beside it.

mod case;
mod cases;
mod field;
mod hands;
mod play;
mod report;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use futures::StreamExt;
use futures::stream;
use sha2::{Digest, Sha256};
use tokio::sync::Barrier;

use crate::matrix::alone;
use case::Step;
pub use case::{Case, Kind};
pub use cases::all;
use field::{Field, service};
use play::Play;
pub use report::{Outcome, Report, Rollout, Summary};

/// Cases that share a platform: more of them would wait for one another.
const SHARED: usize = 18;
/// Cases that go on at once on a platform.
const AT_ONCE: usize = 6;

/// Tries cases with so many workers, each with one platform after the other. `tell` is told of each as it ends.
///
/// # Panics
/// Where a worker panics, since a platform does not come to stand.
pub fn run(cases: Vec<Case>, workers: usize, mut tell: impl FnMut(Outcome)) {
    let waiting = Mutex::new(shared_out(cases));
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (waiting, sender) = (&waiting, sender.clone());
            scope.spawn(move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(cases) = next else { return };
                    alone(async || work(&cases, &sender).await);
                }
            });
        }
        drop(sender);
        for outcome in outcomes {
            tell(outcome);
        }
    });
}

/// So many of the cases that share a platform, by chance as the seed has it: of each kind as many as of every other.
#[must_use]
pub fn sample(cases: Vec<Case>, count: usize, seed: u64) -> Vec<Case> {
    let mut kinds: BTreeMap<Kind, Vec<(Vec<u8>, Case)>> = BTreeMap::new();
    for case in cases.into_iter().filter(|case| !case.kind.is_apart()) {
        let lot = Sha256::digest(format!("{seed} {}", case.name())).to_vec();
        kinds.entry(case.kind).or_default().push((lot, case));
    }
    let mut drawn: Vec<(usize, Vec<u8>, Case)> = Vec::new();
    for mut cases in kinds.into_values() {
        cases.sort_by(|one, other| one.0.cmp(&other.0));
        drawn.extend(cases.into_iter().enumerate().map(|(row, (lot, case))| (row, lot, case)));
    }
    drawn.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    drawn.into_iter().take(count).map(|(_, _, case)| case).collect()
}

/// Which cases share a platform: those that change something for all of them are among their like.
fn shared_out(cases: Vec<Case>) -> VecDeque<Vec<Case>> {
    let mut apart: BTreeMap<Kind, Vec<Case>> = BTreeMap::new();
    let mut beside = Vec::new();
    for case in cases {
        if case.kind.is_apart() { apart.entry(case.kind).or_default().push(case) } else { beside.push(case) }
    }
    let count = beside.len().div_ceil(SHARED);
    let mut shared = vec![Vec::new(); count];
    for (number, case) in beside.into_iter().enumerate() {
        shared[number % count].push(case);
    }
    shared.into_iter().chain(apart.into_values()).collect()
}

async fn work(cases: &[Case], outcomes: &mpsc::Sender<Outcome>) {
    let field = Field::standing(cases).await;
    let is_apart = cases.iter().any(|case| case.kind.is_apart());
    // Somebody does to all of them what has to be done.
    let together = Barrier::new(cases.len() + 1);
    let plays =
        cases.iter().enumerate().map(|(number, case)| Play::new(&field, case, service(number), &together).run());
    let at_once = if is_apart { cases.len() } else { AT_ONCE };
    let play = stream::iter(plays).buffer_unordered(at_once).for_each(async |outcome| drop(outcomes.send(outcome)));
    let acts = async { if is_apart { act(&field, &cases[0], &together).await } else { Ok(()) } };
    let ((), done) = field.watching(async { futures::join!(play, acts) }).await;
    if let Err(error) = done {
        let Some(case) = cases.first() else { return };
        let wrong = vec![error];
        let _ = outcomes.send(Outcome { case: case.name(), kind: case.kind, rollouts: Vec::new(), wrong });
    }
}

/// Waits until all cases have come to a step that is about all of them, and takes it.
async fn act(field: &Field, case: &Case, together: &Barrier) -> Result<(), String> {
    for step in &case.steps {
        match step {
            Step::Apply => {
                together.wait().await;
                field.act(step).await?;
            }
            Step::Forbid | Step::Allow => {
                together.wait().await;
                field.act(step).await?;
                together.wait().await;
            }
            _ => {}
        }
    }
    Ok(())
}
