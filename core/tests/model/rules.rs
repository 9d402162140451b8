//! What can happen in a state, and what must hold in every one.

use stateright::{Model, Property};

use skydeck_core::rollout::trigger::Cause;

use crate::steps::advance;
use crate::world::{Execution, Read, Scenario, State, Step, Without, digest, name, number, service};

/// Executions of one service at once: what comes while as many run is started when one has ended.
const AT_ONCE: usize = 2;
/// More turns than any scenario needs: who comes there goes in circles.
const ENDLESS: u64 = 14;

/// What AWS may refuse.
const REFUSED: [Step; 4] = [Step::Take, Step::Update, Step::Verify, Step::UpdateBack];

#[derive(Debug, Clone)]
pub(crate) struct Rollouts {
    pub(crate) scenario: Scenario,
    pub(crate) without: Without,
}

pub(crate) const WANTED: &str = "what is wanted runs, or is rejected";
pub(crate) const REJECTED: &str = "what is rejected is not released";
pub(crate) const NEWER: &str = "nothing newer is undone";
pub(crate) const ONE_WRITER: &str = "one writes at a time";
pub(crate) const ONE_CLAIM: &str = "one rollout of a digest at a time";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Push,
    Apply,
    /// The service is deleted, and made again without an image.
    Remake,
    Deliver(u8),
    Double(u8),
    Lose(u8),
    Sweep,
    Step(usize, Step),
    /// The release's last answer is lost, and Step Functions runs it again.
    Repeat(usize),
    /// AWS refuses the call, and the execution rolls back.
    Refuse(usize),
    Abort(usize),
    /// No function works for an aborted execution any more.
    Gone(usize),
}

impl Model for Rollouts {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.scenario)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        if usize::from(state.pushed) < scenario.good.len() {
            actions.push(Action::Push);
        }
        let room = state.executions.len() < AT_ONCE;
        if state.applies > 0 && room {
            actions.push(Action::Apply);
        }
        if state.remakes > 0 {
            actions.push(Action::Remake);
        }
        let mut kinds = state.events.clone();
        kinds.dedup();
        for event in kinds {
            if room {
                actions.push(Action::Deliver(event));
            }
            if room && state.doubled > 0 {
                actions.push(Action::Double(event));
            }
            if state.lost > 0 {
                actions.push(Action::Lose(event));
            }
        }
        let quiet = state.is_quiet(scenario);
        if quiet && !state.settled || room && state.sweeps > 0 {
            actions.push(Action::Sweep);
        }
        for (index, execution) in state.executions.iter().enumerate() {
            if execution.step != Step::Dead {
                actions.push(Action::Step(index, execution.step));
            }
            if state.refused > 0 && !execution.aborted && REFUSED.contains(&execution.step) {
                actions.push(Action::Refuse(index));
            }
            if state.refused > 0 && !execution.aborted && execution.step == Step::Look {
                actions.push(Action::Repeat(index));
            }
            if execution.aborted {
                actions.push(Action::Gone(index));
            } else if state.crashes > 0 {
                actions.push(Action::Abort(index));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let scenario = &self.scenario;
        let mut state = last.clone();
        match action {
            Action::Push => {
                state.pushed += 1;
                state.events.push(state.pushed);
            }
            Action::Apply => {
                (state.applies, state.config) = (state.applies - 1, state.config + 1);
                start(&mut state, Cause::Configuration, None);
            }
            Action::Remake => {
                (state.remakes, state.life) = (state.remakes - 1, state.life + 1);
                // What was rejected, was rejected in the one that is gone.
                (state.service, state.tasks, state.rejected) = (None, false, [false; 4]);
            }
            Action::Deliver(event) | Action::Double(event) => {
                if action == Action::Double(event) {
                    state.doubled -= 1;
                } else {
                    remove(&mut state.events, event);
                }
                start(&mut state, Cause::Push, Some(event));
            }
            Action::Lose(event) => {
                state.lost -= 1;
                remove(&mut state.events, event);
            }
            Action::Sweep => {
                let quiet = last.is_quiet(scenario);
                state.sweeps -= u8::from(!quiet);
                start(&mut state, Cause::Sweep, None);
                state.settling = quiet;
            }
            Action::Step(index, _) => advance(&mut state, index, scenario, self.without),
            Action::Repeat(index) => {
                state.refused -= 1;
                state.executions[index].step = Step::Again;
            }
            Action::Refuse(index) => {
                state.refused -= 1;
                let step = &mut state.executions[index].step;
                match *step {
                    Step::UpdateBack if self.without == Without::FailedRollback => *step = Step::Free,
                    // It ends, says so and keeps the lease: the next sweep takes its place.
                    Step::UpdateBack => {
                        let ended = state.executions.remove(index);
                        let kept = state.record.unreturned(&name(ended.id));
                        state.record = kept.unwrap_or_else(|| state.record.clone());
                    }
                    _ => *step = Step::Back,
                }
            }
            Action::Abort(index) => {
                state.crashes -= 1;
                let execution = &mut state.executions[index];
                execution.aborted = true;
                if execution.step <= Step::Decide || execution.step == Step::Look {
                    // Its function reads, and changes nothing any more.
                    execution.step = Step::Dead;
                }
            }
            Action::Gone(index) => drop(state.executions.remove(index)),
        }
        tidy(&mut state);
        if state.executions.len() == 2 && state.executions[0].id > state.executions[1].id {
            state.executions.swap(0, 1);
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(WANTED, Rollouts::ends_well),
            Property::always(REJECTED, |_, state: &State| !state.broken.rejected),
            Property::always(NEWER, |_, state: &State| !state.broken.undone && !state.broken.older),
            Property::always(ONE_WRITER, |_, state: &State| writers(state) <= 1),
            Property::always(ONE_CLAIM, |_, state: &State| !is_claimed_twice(state)),
            Property::always("it comes to an end", |_, state: &State| state.record.turns < ENDLESS),
            Property::eventually("it settles", |_, state: &State| state.settled),
        ];
        if self.scenario.good.len() > 1 {
            properties.push(Property::sometimes("a rollout is taken over", |_, state: &State| {
                let relieved =
                    |execution: &Execution| execution.step == Step::Look && !state.record.holds(&name(execution.id));
                state.executions.iter().any(relieved)
            }));
        }
        properties
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.record.turns <= ENDLESS
    }
}

/// Forgets what makes no difference any more, so that states are the same that behave the same.
fn tidy(state: &mut State) {
    let holders: Vec<String> = {
        let read = state.executions.iter().filter_map(|execution| execution.read.record.as_ref());
        let leases = std::iter::once(&state.record).chain(read).filter_map(|record| record.lease.as_ref());
        leases.map(|lease| lease.execution.clone()).collect()
    };
    state.executions.retain(|execution| execution.step != Step::Dead || holders.contains(&name(execution.id)));
    for execution in state.executions.iter_mut().filter(|execution| execution.step == Step::Dead) {
        (execution.read, execution.choice, execution.released) = (Read::default(), None, None);
    }
}

fn remove(events: &mut Vec<u8>, event: u8) {
    let found = events.iter().position(|other| *other == event);
    found.map(|index| events.remove(index));
}

/// Executions, or functions that aborted ones have left, that write next.
fn writers(state: &State) -> usize {
    let writes = |execution: &&Execution| execution.step.writes() && execution.life == state.life;
    state.executions.iter().filter(writes).count()
}

fn is_claimed_twice(state: &State) -> bool {
    // Who never had the lease, or gave it up to decide again, claims nothing.
    let at_it = |execution: &&Execution| {
        let of_this_service = execution.life == state.life;
        of_this_service && !execution.aborted && !execution.cause.keeps_image() && execution.turn > 0
    };
    let mut chosen = state.executions.iter().filter(at_it).filter_map(|execution| execution.choice);
    matches!((chosen.next(), chosen.next()), (Some(one), Some(other)) if one == other)
}

fn start(state: &mut State, cause: Cause, image: Option<u8>) {
    (state.settling, state.settled) = (false, false);
    let used = |id: &u8| {
        let leased = state.record.lease.as_ref().is_some_and(|lease| lease.execution == name(*id));
        let read = |execution: &Execution| {
            let lease = execution.read.record.as_ref().and_then(|record| record.lease.as_ref());
            lease.is_some_and(|lease| lease.execution == name(*id))
        };
        leased || state.executions.iter().any(|execution| execution.id == *id || read(execution))
    };
    let id = (0..).find(|id| !used(id)).unwrap();
    let (step, read) = (Step::ReadService, Read::default());
    let execution = Execution {
        id,
        cause,
        image,
        aborted: false,
        step,
        life: state.life,
        read,
        choice: None,
        turn: 0,
        released: None,
        at_fault: false,
    };
    state.executions.push(execution);
}

impl Rollouts {
    fn ends_well(&self, state: &State) -> bool {
        if !state.settled {
            return true;
        }
        let wanted = state.pushed;
        let good = wanted == 0 || self.scenario.good[usize::from(wanted) - 1];
        let runs = state.service.as_ref().filter(|_| state.tasks);
        let record = state.record.clone().of(Some(&service(state.life)));
        let last = record.verified.first();
        let is_last = runs.map(|runs| runs.verified()).as_ref() == last;
        let is_done =
            if good { runs.is_some_and(|runs| runs.image == wanted) } else { state.rejected[usize::from(wanted)] };
        let falsely = state
            .rejected
            .iter()
            .zip(0u8..)
            .any(|(rejected, image)| *rejected && (image == 0 || self.scenario.good[usize::from(image) - 1]));
        let verified = last.is_none_or(|last| {
            last.digest == digest(0) || { self.scenario.good[usize::from(number(&last.digest)) - 1] }
        });
        record.lease.is_none() && is_done && is_last && verified && !falsely
    }
}
