//! What happens to groups and instances without a call of Auto Scaling: managed scaling, and instances that are lost.

use std::collections::BTreeMap;

use super::{Asg, Context, Place, launch};
use crate::gateway::Shared;

impl Asg {
    /// Managed scaling sets a group's desired capacity.
    pub(crate) async fn desire(&self, shared: &Shared, place: &Place, name: &str, desired: u32) {
        let _turn = self.turn.lock().await;
        self.with(place, shared.clock.now(), |groups| {
            if let Some(group) = groups.get_mut(name) {
                group.desired = desired.clamp(group.min, group.max);
            }
        });
        self.refill(shared, place, name).await;
    }

    /// Starts and ends instances as the desired capacity says; `turn` is held.
    async fn refill(&self, shared: &Shared, place: &Place, name: &str) {
        let form = BTreeMap::new();
        let context =
            Context { asg: self, upstream: &shared.upstream, clock: shared.clock, place: place.clone(), form: &form };
        if let Err(refusal) = context.reconcile(name).await {
            tracing::warn!(group = name, code = refusal.code, message = refusal.message, "a group could not scale");
        }
        shared.pulse.notify_one();
    }

    /// A draining instance may end now; whether it was waiting for that.
    pub(crate) fn release(&self, shared: &Shared, place: &Place, id: &str) -> bool {
        self.with(place, shared.clock.now(), |groups| {
            let mut all = groups.values_mut().flat_map(|group| &mut group.instances);
            let waiting = all.find(|instance| instance.id == id && instance.draining && instance.gone.is_none());
            waiting.map(|instance| instance.end(shared.clock)).is_some()
        })
    }

    pub(crate) async fn terminate(&self, shared: &Shared, place: &Place, ids: &[String]) {
        launch::terminate(&shared.upstream, place, ids).await;
    }

    /// Instances that somebody ended in EC2: their groups replace them.
    pub(crate) async fn lose(&self, shared: &Shared, place: &Place, ids: Vec<String>) {
        let _turn = self.turn.lock().await;
        let names: Vec<String> = self.with(place, shared.clock.now(), |groups| {
            let mut names = Vec::new();
            for group in groups.values_mut() {
                let mut lost = group.instances.iter_mut().filter(|instance| ids.contains(&instance.id)).peekable();
                if lost.peek().is_some() {
                    names.push(group.name.clone());
                }
                lost.for_each(|instance| instance.end(shared.clock));
            }
            names
        });
        for name in names {
            self.refill(shared, place, &name).await;
        }
    }

    /// When the next instance joins or goes.
    pub(crate) fn next_change(&self, place: &Place, now: f64) -> f64 {
        let times = |instance: &super::Instance| [Some(instance.joined), instance.gone].into_iter().flatten();
        self.with(place, now, |groups| {
            let all = groups.values().flat_map(|group| &group.instances).flat_map(times);
            all.filter(|at| *at > now).fold(f64::INFINITY, f64::min)
        })
    }
}
