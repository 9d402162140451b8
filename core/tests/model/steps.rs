//! What an execution does, call by call, with the product's own functions.

use skydeck_core::rollout::decide::{Asked, Decision, Running, Situation, choose, decide};
use skydeck_core::rollout::ledger::{Entry, Rejection};
use skydeck_core::rollout::record::{Liveness, Phase, Record};
use skydeck_core::rollout::release::way_back;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::spec::ImagePolicy;

use crate::world::{Execution, Read, Revision, Scenario, State, Step, Without, digest, name, number};

/// What follows a step: the next one, or the execution's end.
type Next = Option<Step>;

/// Does an execution's next step. `image` says whether what was released serves.
pub(crate) fn advance(state: &mut State, index: usize, scenario: &Scenario, without: Without) {
    let mut me = state.executions[index].clone();
    let next = match me.step {
        Step::ReadRecord | Step::ReadLiveness | Step::ReadLedger => Some(read(state, &mut me, without)),
        Step::Decide => decided(state, &mut me, without),
        Step::Take => take(state, &mut me, without),
        Step::Update => Some(update(state, &mut me)),
        Step::Verify => moved(state, &me, Phase::Verifying, Step::Look),
        Step::Look => Some(look(state, &mut me, scenario)),
        Step::TakeBack | Step::Back | Step::BackAfter => back(state, &mut me, without),
        Step::Reject => Some(reject(state, &me)),
        Step::UpdateBack => Some(update_back(state, &me)),
        Step::Return => moved(state, &me, Phase::Returning, Step::Free),
        Step::Succeed => succeed(state, &me),
        Step::Free => free(state, &me),
        Step::Dead => Some(Step::Dead),
    };
    match next {
        Some(step) => {
            let step = if me.aborted && step.begins() { Step::Dead } else { step };
            state.executions[index] = Execution { step, ..me };
        }
        None if me.aborted => state.executions[index] = Execution { step: Step::Dead, ..me },
        None => drop(state.executions.remove(index)),
    }
}

fn read(state: &State, me: &mut Execution, without: Without) -> Step {
    let late = without == Without::RecordFirst;
    let swapped = without == Without::LivenessFirst;
    match me.step {
        Step::ReadRecord => {
            me.read.record = Some(state.record.clone());
            let alone = state.record.lease.as_ref().is_none_or(|lease| lease.execution == name(me.id));
            if !alone && !swapped {
                Step::ReadLiveness
            } else if late {
                Step::Decide
            } else {
                Step::ReadLedger
            }
        }
        Step::ReadLiveness => {
            me.read.holder = me.read.record.as_ref().map(|record| state.holder(record));
            if late || swapped { Step::Decide } else { Step::ReadLedger }
        }
        _ => {
            let (asked, record) = (asked(me), me.read.record.clone().unwrap_or_default());
            let (images, running) = (state.images(), running(state));
            let execution = name(me.id);
            let now = situation(&execution, &images, &record, &running, Liveness::Gone);
            let choice = choose(&asked.asked(), &now);
            me.read.rejected = Some(choice.is_ok_and(|choice| state.rejected[usize::from(number(&choice.digest))]));
            if late {
                Step::ReadRecord
            } else if swapped && record.lease.is_some() {
                Step::ReadLiveness
            } else {
                Step::Decide
            }
        }
    }
}

/// What was asked for, with the texts that it borrows.
struct Wish {
    cause: Cause,
    image: Option<String>,
    tag: Option<String>,
}

impl Wish {
    fn asked(&self) -> Asked<'_> {
        Asked { cause: self.cause, image: self.image.as_deref(), tag: self.tag.as_deref(), since: None }
    }
}

fn asked(me: &Execution) -> Wish {
    Wish { cause: me.cause, image: me.image.map(digest), tag: me.image.map(|image| format!("v{image}")) }
}

fn running(state: &State) -> Running {
    let same_settings = state.service.as_ref().is_some_and(|revision| revision.config == state.config);
    let digest = state.service.as_ref().map(|revision| digest(revision.image));
    Running { digest, desired: u32::from(state.tasks), same_settings, registered: 0 }
}

fn situation<'a>(
    execution: &'a str,
    images: &'a [skydeck_core::rollout::image::Pushed],
    record: &'a Record,
    running: &'a Running,
    holder: Liveness,
) -> Situation<'a> {
    Situation { execution, policy: &ImagePolicy::Newest, images, record, running, holder, records_since: 0 }
}

fn rejection() -> Rejection {
    Rejection { at: 0, execution: String::new(), reason: String::new() }
}

/// The images and what runs are read last, at the moment of the decision.
fn decided(state: &mut State, me: &mut Execution, without: Without) -> Next {
    let record = me.read.record.clone().unwrap_or_default();
    let mut holder = me.read.holder.unwrap_or(Liveness::Gone);
    if without == Without::SafeTime && holder == Liveness::EndedLately {
        holder = Liveness::Gone;
    }
    let (execution, running) = (name(me.id), running(state));
    let mut images = state.images();
    if let (Without::Policy, Some(image)) = (without, me.image) {
        images.retain(|pushed| number(&pushed.digest) <= image);
    }
    let wish = asked(me);
    let now = situation(&execution, &images, &record, &running, holder);
    let choice = choose(&wish.asked(), &now);
    let rejection = rejection();
    let rejected = me.read.rejected == Some(true) && without != Without::Rejections;
    let chosen = choice.as_ref().ok().map(|choice| number(&choice.digest));
    let decision = decide(&wish.asked(), &now, choice, rejected.then_some(&rejection));
    match decision {
        Decision::Release(choice) => me.choice = Some(number(&choice.digest)),
        Decision::Return if without != Without::Return => me.choice = None,
        Decision::Wait(_) if without == Without::Waiting => me.choice = chosen,
        Decision::Ignore(skydeck_core::rollout::decide::Reason::Claimed { .. }) if without == Without::Claims => {
            me.choice = chosen;
        }
        Decision::Wait(_) => {
            me.read = Read::default();
            return Some(first(without));
        }
        Decision::Ignore(_) | Decision::Return => {
            state.settled = state.settling;
            return None;
        }
    }
    Some(if me.choice.is_some() { Step::Take } else { Step::TakeBack })
}

/// What a decision reads first.
pub(crate) const fn first(without: Without) -> Step {
    if matches!(without, Without::RecordFirst) { Step::ReadLedger } else { Step::ReadRecord }
}

/// Writes the record if it is still what was read.
fn swap(state: &mut State, me: &Execution, next: Record, without: Without) -> bool {
    let seen =
        |record: &Record| Record { turns: if without == Without::Turns { 0 } else { record.turns }, ..record.clone() };
    let read = me.read.record.clone().unwrap_or_default();
    let same = without == Without::Etag || seen(&state.record) == seen(&read);
    if same {
        state.record = next;
    }
    same
}

fn take(state: &mut State, me: &mut Execution, without: Without) -> Next {
    let read = me.read.record.clone().unwrap_or_default();
    let digest = me.choice.map(digest).unwrap_or_default();
    let serves = running(state).serves() || without == Without::Serving;
    let running = state.service.as_ref().filter(|_| serves).map(Revision::verified);
    let taken = read.taken(&name(me.id), &digest, me.cause, running, None);
    let next = swap(state, me, taken.clone(), without);
    me.read = Read::default();
    if !next {
        return Some(first(without));
    }
    me.turn = taken.turns;
    Some(Step::Update)
}

fn update(state: &mut State, me: &mut Execution) -> Step {
    let image = me.choice.unwrap_or_default();
    let new = Revision { image, turn: me.turn, config: state.config };
    if let Some(old) = &state.service {
        state.broken.undone |= old.turn > me.turn;
        state.broken.older |= old.image > image && !state.rejected[usize::from(old.image)] && state.tasks;
    }
    state.broken.rejected |= state.rejected[usize::from(image)];
    me.released = Some(new.clone());
    (state.service, state.tasks) = (Some(new), true);
    Step::Verify
}

/// Takes the lease's next phase; superseded where the lease is another's by now.
fn moved(state: &mut State, me: &Execution, phase: Phase, next: Step) -> Next {
    let released = me.released.as_ref().map(|revision| revision.verified().definition);
    let released = released.filter(|_| phase == Phase::Verifying);
    state.record = state.record.moved(&name(me.id), phase, released.as_deref())?;
    Some(next)
}

fn look(state: &State, me: &mut Execution, scenario: &Scenario) -> Step {
    let Some(released) = &me.released else { return Step::Free };
    if !state.record.holds(&name(me.id)) || state.service.as_ref() != Some(released) {
        return Step::Free;
    }
    let good = released.image == 0 || scenario.good[usize::from(released.image) - 1];
    me.at_fault = !good;
    if good { Step::Succeed } else { Step::Back }
}

/// The first step of a rollback: of its own release, or of what an execution that died has left.
fn back(state: &mut State, me: &mut Execution, without: Without) -> Next {
    if me.step == Step::TakeBack {
        let read = me.read.record.clone().unwrap_or_default();
        let left = read.lease.as_ref().map(|lease| lease.digest.clone()).unwrap_or_default();
        let taken = read.taken(&name(me.id), &left, me.cause, None, read.passed_over.clone());
        let taken = taken.moved(&name(me.id), Phase::RollingBack, None)?;
        let done = swap(state, me, taken.clone(), without);
        me.read = Read::default();
        if !done {
            return Some(first(without));
        }
        me.turn = taken.turns;
        return Some(Step::UpdateBack);
    }
    if without == Without::RejectionUnderLease && me.step == Step::Back {
        reject(state, me);
        return Some(Step::BackAfter);
    }
    if me.step == Step::BackAfter {
        return moved(state, me, Phase::RollingBack, Step::UpdateBack);
    }
    if without == Without::RollbackLease {
        return Some(Step::Reject);
    }
    moved(state, me, Phase::RollingBack, Step::Reject)
}

fn reject(state: &mut State, me: &Execution) -> Step {
    let (Some(released), true) = (&me.released, me.at_fault) else { return Step::UpdateBack };
    let definition = released.verified().definition;
    let back = way_back(&state.record, Some(&definition));
    if back.is_none_or(|back| back.digest != digest(released.image)) {
        let entry = Entry::default().rejecting(&digest(released.image), rejection());
        state.rejected[usize::from(released.image)] |= entry.rejected.is_some();
    }
    Step::UpdateBack
}

fn update_back(state: &mut State, me: &Execution) -> Step {
    let released = me.released.as_ref().map(|revision| revision.verified().definition);
    let back = way_back(&state.record, released.as_deref());
    if let Some(old) = &state.service {
        state.broken.undone |= old.turn > me.turn;
    }
    match back {
        Some(back) => (state.service, state.tasks) = (Some(Revision::of(&back)), true),
        None => state.tasks = false,
    }
    Step::Return
}

fn succeed(state: &mut State, me: &Execution) -> Next {
    let verified = me.released.as_ref()?.verified();
    state.record = state.record.succeeded(&name(me.id), verified)?;
    None
}

fn free(state: &mut State, me: &Execution) -> Next {
    state.record = state.record.freed(&name(me.id))?;
    None
}
