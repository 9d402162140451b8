//! What an execution does, call by call, with the product's own functions.

use skydeck_core::rollout::decide::{Asked, Decision, Running, Situation, choose, decide};
use skydeck_core::rollout::ledger::{Entry, Rejection};
use skydeck_core::rollout::record::{Liveness, Phase, Record};
use skydeck_core::rollout::release::way_back;
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::spec::ImagePolicy;

use crate::world::{Execution, Read, Revision, Scenario, State, Step, Without, digest, name, number, service};

/// What follows a step: the next one, or the execution's end.
type Next = Option<Step>;

/// Does an execution's next step. `image` says whether what was released serves.
pub(crate) fn advance(state: &mut State, index: usize, scenario: &Scenario, without: Without) {
    let mut me = state.executions[index].clone();
    let next = match me.step {
        Step::ReadService | Step::ReadRecord | Step::ReadServiceAgain | Step::ReadLiveness | Step::ReadLedger => {
            Some(read(state, &mut me, without))
        }
        Step::Decide => decided(state, &mut me, without),
        Step::Take => take(state, &mut me, without),
        Step::Again => Some(again(state, &mut me, without)),
        // Of the service that it was decided for nothing is left: it is decided again, and taken back nothing.
        Step::Update if me.life != state.life && without != Without::SameService => {
            (me.read, me.choice, me.turn) = (Read::default(), None, 0);
            Some(Step::ReadService)
        }
        Step::UpdateBack if me.life != state.life => Some(Step::Free),
        Step::Update => Some(update(state, &mut me)),
        Step::Verify => moved(state, &me, Phase::Verifying, Step::Look),
        Step::Look => Some(look(state, &mut me, scenario)),
        Step::TakeBack => Some(adopt(state, &mut me, without)),
        Step::Back | Step::MoveBack => back(state, &me, without),
        Step::Reject => Some(reject(state, &me, without)),
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

/// A read of a decision. What is read together in the product comes here in the order that is worst for it.
fn read(state: &State, me: &mut Execution, without: Without) -> Step {
    let early = without == Without::RecordFirst;
    let leased = |record: &Record| record.lease.as_ref().is_some_and(|lease| lease.execution != name(me.id));
    let record = me.read.record.clone().unwrap_or_default();
    match me.step {
        Step::ReadService => {
            me.read.service = Some((state.service.clone(), state.tasks));
            me.life = state.life;
            if early { Step::ReadLedger } else { Step::ReadRecord }
        }
        Step::ReadRecord => {
            let (raw, life) = (state.record.clone(), service(me.life));
            let says = if without == Without::Life { raw.clone() } else { raw.clone().of(Some(&life)) };
            (me.read.raw, me.read.record) = (Some(raw), Some(says.clone()));
            if leased(&says) && without != Without::LivenessFirst {
                Step::ReadLiveness
            } else {
                after_liveness(me, without)
            }
        }
        Step::ReadLiveness => {
            me.read.holder = Some(state.holder(&record));
            if me.read.rejected.is_some() { Step::Decide } else { after_liveness(me, without) }
        }
        Step::ReadServiceAgain => {
            me.read.service = Some((state.service.clone(), state.tasks));
            if early { Step::Decide } else { Step::ReadLedger }
        }
        _ => {
            let (asked, images, running) = (asked(me), state.images(), running(state, me));
            let execution = name(me.id);
            let now = situation(&execution, &images, &record, &running, Liveness::Gone);
            let choice = choose(&asked.asked(), &now);
            me.read.rejected = Some(choice.is_ok_and(|choice| state.rejected[usize::from(number(&choice.digest))]));
            if early {
                Step::ReadRecord
            } else if without == Without::LivenessFirst && leased(&record) {
                Step::ReadLiveness
            } else {
                Step::Decide
            }
        }
    }
}

/// What was read of the service before the record is read again where the record does not say the same.
fn after_liveness(me: &Execution, without: Without) -> Step {
    let runs = me.read.service.iter().flat_map(|(service, _)| service).map(|runs| runs.verified().definition).next();
    let stands = me.read.record.as_ref().and_then(|record| record.stands());
    match without {
        Without::Standing => Step::ReadLedger,
        _ if runs.is_none() || runs.as_deref() != stands => Step::ReadServiceAgain,
        Without::RecordFirst => Step::Decide,
        _ => Step::ReadLedger,
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

/// What the service runs, as it was read; the platform file is as it is.
fn running(state: &State, me: &Execution) -> Running {
    let (service, tasks) = me.read.service.clone().unwrap_or_default();
    let same_settings = service.as_ref().is_some_and(|revision| revision.config == state.config);
    let digest = service.map(|revision| digest(revision.image));
    Running { digest, desired: u32::from(tasks), same_settings, registered: 0 }
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

/// The images are read last, at the moment of the decision.
fn decided(state: &mut State, me: &mut Execution, without: Without) -> Next {
    let record = me.read.record.clone().unwrap_or_default();
    let mut holder = me.read.holder.unwrap_or(Liveness::Gone);
    if without == Without::SafeTime && holder == Liveness::EndedLately {
        holder = Liveness::Gone;
    }
    let (execution, running) = (name(me.id), running(state, me));
    let mut images = state.images();
    if let (Without::Policy, Some(image)) = (without, me.image) {
        images.retain(|pushed| number(&pushed.digest) <= image);
    }
    let wish = asked(me);
    let now = situation(&execution, &images, &record, &running, holder);
    let choice = choose(&wish.asked(), &now);
    let rejected = me.read.rejected == Some(true) && without != Without::Rejections;
    let entry = Entry { rejected: rejected.then(rejection), ..Entry::default() };
    let chosen = choice.as_ref().ok().map(|choice| number(&choice.digest));
    let decision = decide(&wish.asked(), &now, choice, &entry);
    match decision {
        Decision::Release(choice) => me.choice = Some(number(&choice.digest)),
        Decision::Return if without != Without::Return => me.choice = None,
        Decision::Wait(_) if without == Without::Waiting => me.choice = chosen,
        Decision::Ignore(skydeck_core::rollout::decide::Reason::Claimed { .. }) if without == Without::Claims => {
            me.choice = chosen;
        }
        Decision::Wait(_) => {
            me.read = Read::default();
            return Some(Step::ReadService);
        }
        Decision::Ignore(_) | Decision::Return => {
            state.settled = state.settling;
            return None;
        }
    }
    Some(if me.choice.is_some() { Step::Take } else { Step::TakeBack })
}

/// Writes the record if it is still what was read.
fn swap(state: &mut State, me: &Execution, next: Record, without: Without) -> bool {
    let seen =
        |record: &Record| Record { turns: if without == Without::Turns { 0 } else { record.turns }, ..record.clone() };
    let read = me.read.raw.clone().unwrap_or_default();
    let same = without == Without::Etag || seen(&state.record) == seen(&read);
    if same {
        state.record = next;
    }
    same
}

fn take(state: &mut State, me: &mut Execution, without: Without) -> Next {
    let read = me.read.record.clone().unwrap_or_default();
    let digest = me.choice.map(digest).unwrap_or_default();
    let serves = running(state, me).serves() || without == Without::Serving;
    let (service, _) = me.read.service.clone().unwrap_or_default();
    let running = service.filter(|_| serves).map(|revision| revision.verified());
    let taken = read.taken(&name(me.id), &digest, me.cause, running, None);
    let next = swap(state, me, taken.clone(), without);
    me.read = Read::default();
    if !next {
        return Some(Step::ReadService);
    }
    me.turn = taken.turns;
    Some(Step::Update)
}

/// Its release was done already; who runs it again writes again, and needs the lease's first phase for it.
fn again(state: &mut State, me: &mut Execution, without: Without) -> Step {
    if without == Without::Again {
        return Step::Update;
    }
    moved(state, me, Phase::Releasing, Step::Update).unwrap_or_else(|| {
        (me.choice, me.released, me.turn) = (None, None, 0);
        Step::ReadService
    })
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
    let released = released.filter(|_| matches!(phase, Phase::Verifying | Phase::RollingBack));
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

/// Takes the place of an execution that died, to take back what it has left.
fn adopt(state: &mut State, me: &mut Execution, without: Without) -> Step {
    let read = me.read.record.clone().unwrap_or_default();
    let adopted = read.adopted(&name(me.id)).unwrap_or_default();
    let done = swap(state, me, adopted, without);
    me.read = Read::default();
    if !done {
        return Step::Free;
    }
    me.turn = read.turns;
    Step::UpdateBack
}

/// The first step of a rollback: the lease's next phase, in which nobody takes over. Only then is anything written.
fn back(state: &mut State, me: &Execution, without: Without) -> Next {
    match (me.step, without) {
        (Step::Back, Without::RejectionUnderLease) => state.record.holds(&name(me.id)).then_some(Step::Reject),
        (Step::Back, Without::RollbackLease) => Some(Step::Reject),
        (Step::Back, _) => moved(state, me, Phase::RollingBack, Step::Reject),
        _ => moved(state, me, Phase::RollingBack, Step::UpdateBack),
    }
}

fn reject(state: &mut State, me: &Execution, without: Without) -> Step {
    let next = if without == Without::RejectionUnderLease { Step::MoveBack } else { Step::UpdateBack };
    let (Some(released), true) = (&me.released, me.at_fault && me.life == state.life) else { return next };
    let before = state.record.lease.as_ref().and_then(|lease| lease.before.as_ref());
    if before.is_none_or(|before| before.digest != digest(released.image)) {
        let entry = Entry::default().rejecting(&digest(released.image), rejection());
        state.rejected[usize::from(released.image)] |= entry.rejected.is_some();
    }
    next
}

fn update_back(state: &mut State, me: &Execution) -> Step {
    let released = state.record.lease.as_ref().and_then(|lease| lease.released.clone());
    let back = way_back(&state.record, released.as_deref(), &[]);
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
