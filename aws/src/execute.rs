//! The one executor of all layers: carries out a plan without choices, as concurrently as its dependencies allow.

use std::collections::BTreeMap;

use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use skydeck_core::plan::{Plan, Ref, StepId};

use crate::error::{Error, Result};

/// How many calls are under way at once. EC2 lets an account burst some 50 writes, and other tools share that
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).
const AT_ONCE: usize = 24;

/// Ids and ARNs that finished steps have made.
#[derive(Debug, Clone, Default)]
pub struct Made(BTreeMap<StepId, String>);

impl Made {
    /// The id or ARN behind a reference.
    ///
    /// # Errors
    /// [`Error::Broken`] where the step made nothing: a fault of the planner.
    pub fn id<'a>(&'a self, reference: &'a Ref) -> Result<&'a str> {
        match reference {
            Ref::Known(id) => Ok(id),
            Ref::Made(step) => self
                .0
                .get(step)
                .map(String::as_str)
                .ok_or_else(|| Error::Broken(format!("step {} of the plan made no id", step.0))),
        }
    }
}

/// What came of a plan.
#[derive(Debug)]
pub struct Outcome {
    /// Steps that were carried out, in the order in which they finished.
    pub done: Vec<StepId>,
    /// What went wrong, if anything.
    pub error: Option<Error>,
}

/// Carries out a plan. `apply` does one change and returns the id or ARN that it made, if any.
///
/// Where a step fails, what depends on it is not tried; everything else still is, so that the next run has less to do.
pub async fn execute<C>(plan: &Plan<C>, apply: impl AsyncFn(&C, &Made) -> Result<Option<String>>) -> Outcome {
    let mut made = Made::default();
    let mut done = Vec::new();
    let mut errors = Vec::new();
    let mut waiting: Vec<usize> = (0..plan.steps.len()).collect();
    let mut running = FuturesUnordered::new();
    loop {
        waiting.retain(|&index| {
            let step = &plan.steps[index];
            let ready = running.len() < AT_ONCE && step.after.iter().all(|id| done.contains(id));
            if ready {
                let (made, apply) = (made.clone(), &apply);
                running.push(async move { (StepId(index), apply(&step.change, &made).await) });
            }
            !ready
        });
        match running.next().await {
            Some((id, Ok(result))) => {
                done.push(id);
                if let Some(result) = result {
                    made.0.insert(id, result);
                }
            }
            Some((id, Err(error))) => errors.push((id, error)),
            None => {
                // The plan's order, so that an attempt that waits for the same thing says the same.
                errors.sort_by_key(|(id, _)| *id);
                return Outcome { done, error: Error::join(errors.into_iter().map(|(_, error)| error).collect()) };
            }
        }
    }
}

/// How many reads of one kind are under way at once, for what has no bulk call.
const READS_AT_ONCE: usize = 8;

/// All of these reads, or the first failure.
pub(crate) async fn all<T>(reads: impl IntoIterator<Item = impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use skydeck_core::plan::{Plan, Ref};
    use tokio::task::yield_now;

    use super::execute;
    use crate::error::Error;

    fn broken(step: &str) -> Error {
        Error::Broken(step.to_owned())
    }

    #[tokio::test]
    async fn a_step_is_given_the_ids_that_the_steps_before_it_made() {
        let mut plan: Plan<(&str, Option<Ref>)> = Plan::default();
        let vpc = plan.add(("vpc", None), &[]);
        plan.add(("subnet", Some(vpc.clone())), &[&vpc]);
        let seen = RefCell::new(Vec::new());
        let outcome = execute(&plan, async |(name, needs), made| {
            let needed = needs.as_ref().map(|needed| made.id(needed).map(str::to_owned)).transpose()?;
            seen.borrow_mut().push((*name, needed));
            Ok(Some(format!("{name}-1")))
        })
        .await;
        assert_eq!(outcome.error, None);
        assert_eq!(*seen.borrow(), [("vpc", None), ("subnet", Some("vpc-1".to_owned()))]);
    }

    #[tokio::test]
    async fn steps_that_do_not_depend_on_each_other_are_under_way_at_once() {
        let mut plan: Plan<()> = Plan::default();
        for _ in 0..5 {
            plan.add((), &[]);
        }
        let (running, most) = (Cell::new(0), Cell::new(0));
        let outcome = execute(&plan, async |(), _| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            yield_now().await;
            running.set(running.get() - 1);
            Ok(None)
        })
        .await;
        assert_eq!((outcome.done.len(), most.get()), (5, 5));
    }

    #[tokio::test]
    async fn a_failure_stops_what_depends_on_it_and_nothing_else() {
        let mut plan: Plan<&str> = Plan::default();
        let first = plan.add("fails", &[]);
        plan.add("waits for it", &[&first]);
        let other = plan.add("independent", &[]);
        plan.add("after that", &[&other]);
        let tried = RefCell::new(Vec::new());
        let outcome = execute(&plan, async |step, _| {
            tried.borrow_mut().push(*step);
            if *step == "fails" { Err(broken(step)) } else { Ok(None) }
        })
        .await;
        assert_eq!(*tried.borrow(), ["fails", "independent", "after that"]);
        assert_eq!(outcome.error, Some(broken("fails")));
        assert_eq!(outcome.done.len(), 2);
    }

    #[tokio::test]
    async fn what_is_really_wrong_is_told_before_what_only_waits() {
        let mut plan: Plan<Result<(), Error>> = Plan::default();
        plan.add(Err(Error::NotYet("a drain".into())), &[]);
        plan.add(Err(broken("one")), &[]);
        plan.add(Err(broken("two")), &[]);
        let outcome = execute(&plan, async |step, _| step.clone().map(|()| None)).await;
        let error = outcome.error.unwrap();
        assert_eq!((error.error_type(), error.to_string().as_str()), ("Broken", "one (and 1 more: two)"));
    }
}
