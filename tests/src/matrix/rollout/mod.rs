//! Rollouts that are struck, through the real machine: every call of their functions, and everything that can happen to it.

mod case;
mod certain;
mod field;
mod play;
mod standing;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use case::Kind;
pub use case::Moment;
use play::Play;

use super::alone;
use super::case::{Case, sample};
use super::report::Outcome;

/// After so many rollouts every one finds something to let go.
const MANY: usize = 3;

/// Every call of clean rollouts and everything that can happen to it.
///
/// # Panics
/// Where a clean rollout fails.
#[must_use]
pub fn rollout_cases() -> Vec<Case<Moment>> {
    alone(async || {
        let mut play = Play::new(MANY).await;
        // The first sweep writes down where the tags of every service point; later ones only where one has moved.
        play.field.stage.sweep().await;
        let mut cases = Vec::new();
        for kind in Kind::ALL {
            cases.extend(case::of(kind, &play.clean(kind).await.expect("a clean rollout")));
        }
        cases
    })
}

/// So many cases at the calls that every rollout makes, by chance as the seed has it. They need no clean rollouts first.
///
/// # Panics
/// Where a worker panics, since a platform does not come to stand.
pub fn run_sample(count: usize, seed: u64, workers: usize, tell: impl FnMut(Outcome)) {
    run_after(1, sample(certain::certain(), count, seed), workers, tell);
}

/// Tries cases with so many workers, each with a platform of its own. `tell` is told of each as it ends.
///
/// # Panics
/// Where a worker panics, since a platform does not come to stand.
pub fn run_rollouts(cases: Vec<Case<Moment>>, workers: usize, tell: impl FnMut(Outcome)) {
    run_after(MANY, cases, workers, tell);
}

fn run_after(rollouts: usize, cases: Vec<Case<Moment>>, workers: usize, mut tell: impl FnMut(Outcome)) {
    let waiting = Mutex::new(VecDeque::from(cases));
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (waiting, sender) = (&waiting, sender.clone());
            scope.spawn(move || alone(async || work(rollouts, waiting, &sender).await));
        }
        drop(sender);
        for outcome in outcomes {
            tell(outcome);
        }
    });
}

async fn work(rollouts: usize, waiting: &Mutex<VecDeque<Case<Moment>>>, sender: &mpsc::Sender<Outcome>) {
    let mut play = Play::new(rollouts).await;
    while let Some(case) = next(waiting, play.can_go_back) {
        let trial = play.trial(&case).await;
        let outcome = Outcome::of(&case, trial);
        let sound = outcome.is_sound();
        if sender.send(outcome).is_err() {
            return;
        }
        // What is not as it should be would make every later case fail too, unless the next rollout puts it right.
        if !sound && play.clean(Kind::Push).await.is_err() {
            play = Play::new(rollouts).await;
        }
    }
}

/// The next case: one in which a person goes back where that can be done at once, and else another.
fn next(waiting: &Mutex<VecDeque<Case<Moment>>>, can_go_back: bool) -> Option<Case<Moment>> {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |case: &Case<Moment>| (case.at.kind == Kind::Rollback) == can_go_back;
    let place = waiting.iter().position(fits).unwrap_or(0);
    waiting.remove(place)
}
