//! The fault matrix: every call of a whole provision and destroy, by number, and everything that can happen to it. After
//! each the same command again, unhampered, and then the account is compared with a clean run's.

mod case;
mod ground;
mod machine;
mod names;
mod picture;
mod real;
mod report;
mod rollout;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use skydeck_core::run::{Layer, Mode};

pub use case::{At, Blow, Case, State, sample};
pub use picture::{Difference, Picture};
pub use real::{Death, Real, kill_function};
pub use report::{Outcome, Report, Summary};
pub use rollout::{Moment, rollout_cases, run_rollouts, run_sample};

use ground::{Ground, Survey};

/// The SDKs' calls are deep where nothing is optimised.
const STACK: usize = 64 << 20;

/// Where cases are tried: at a layer, or with the whole platform standing.
type Place = Option<Layer>;

/// All places, in the order in which a platform comes to stand.
fn places() -> impl Iterator<Item = Place> {
    Layer::ALL.into_iter().map(Some).chain([None])
}

/// What clean runs do and leave, everywhere.
#[derive(Debug)]
pub struct Surveys(BTreeMap<Place, Survey>);

impl Surveys {
    /// Makes clean runs and looks.
    ///
    /// # Panics
    /// Where a clean run fails.
    #[must_use]
    pub fn make() -> Self {
        alone(async || {
            let mut ground = Ground::new().await;
            let mut surveys = BTreeMap::new();
            for place in places() {
                ground.go(place).await;
                surveys.insert(place, ground.survey().await);
            }
            Surveys(surveys)
        })
    }

    /// Every call and everything that can happen to it.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        places().filter_map(|place| self.0.get(&place)).flat_map(|survey| survey.cases.clone()).collect()
    }
}

/// The cases that wait at each place, by mode: a worker takes one that begins with what its last one has left.
#[derive(Debug, Default)]
struct Waiting(BTreeMap<Place, [VecDeque<Case>; 2]>);

impl Waiting {
    fn of(cases: Vec<Case>) -> Self {
        let mut waiting = Waiting::default();
        for case in cases {
            let index = usize::from(case.at.mode == Mode::Destroy);
            waiting.0.entry(case.place()).or_default()[index].push_back(case);
        }
        waiting
    }

    fn take(&mut self, place: Place, standing: bool) -> Option<Case> {
        let [applies, destroys] = self.0.get_mut(&place)?;
        let (first, second) = if standing { (destroys, applies) } else { (applies, destroys) };
        first.pop_front().or_else(|| second.pop_front())
    }

    fn is_done(&self, place: Place) -> bool {
        self.0.get(&place).is_none_or(|queues| queues.iter().all(VecDeque::is_empty))
    }
}

/// Tries cases with so many workers, each with a sandbox of its own. `tell` is told of each as it ends.
///
/// # Panics
/// Where a worker panics, since the sandbox itself fails.
pub fn run(surveys: &Surveys, cases: Vec<Case>, workers: usize, mut tell: impl FnMut(Outcome)) {
    let waiting = Mutex::new(Waiting::of(cases));
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (waiting, sender) = (&waiting, sender.clone());
            scope.spawn(move || alone(async || work(surveys, waiting, &sender).await));
        }
        drop(sender);
        for outcome in outcomes {
            tell(outcome);
        }
    });
}

async fn work(surveys: &Surveys, waiting: &Mutex<Waiting>, sender: &mpsc::Sender<Outcome>) {
    let lock = || -> MutexGuard<'_, Waiting> { waiting.lock().unwrap_or_else(PoisonError::into_inner) };
    let mut ground = Ground::new().await;
    for place in places() {
        let Some(survey) = surveys.0.get(&place) else { continue };
        if lock().is_done(place) {
            continue;
        }
        ground.go(place).await;
        loop {
            let Some(case) = lock().take(place, ground.standing) else { break };
            let trial = ground.trial(&case, survey).await;
            let outcome = Outcome::of(&case, trial);
            let sound = outcome.is_sound();
            if sender.send(outcome).is_err() {
                return;
            }
            // What is not as it should be would make every later case fail too.
            if !sound {
                ground = Ground::new().await;
                ground.go(place).await;
            }
        }
    }
}

/// Tries cases through the real machine, one after the other: every second killed run by stopping its execution, the
/// others by ending the function's process. None of them may lag.
pub fn run_real(cases: Vec<Case>, mut tell: impl FnMut(Outcome) + Send) {
    alone(async || {
        let mut real = Real::new().await;
        let mut waiting: [VecDeque<Case>; 2] = Default::default();
        for case in cases {
            waiting[usize::from(case.at.mode == Mode::Destroy)].push_back(case);
        }
        let mut killed = 0;
        loop {
            let next = usize::from(real.is_standing());
            let Some(case) = waiting[next].pop_front().or_else(|| waiting[1 - next].pop_front()) else { break };
            let death = if killed % 2 == 0 { Death::Stopped } else { Death::Crashed };
            killed += usize::from(case.blow.kills());
            let trial = real.trial(&case, death).await;
            let outcome = Outcome::of(&case, trial);
            let sound = outcome.is_sound();
            tell(outcome.dying(case.blow.kills().then_some(death)));
            if !sound {
                real = Real::new().await;
            }
        }
    });
}

/// Runs on a thread and a runtime of its own.
pub(crate) fn alone<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(work())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run);
        thread.expect("a thread can be started").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
