//! Instances in zones that a group has left.

use super::{Context, Refusal, launch};

impl Context<'_> {
    /// Lets the instances go whose subnets are the group's no longer; `reconcile` starts others.
    pub(super) async fn leave_zones(&self, name: &str) -> Result<(), Refusal> {
        let ended = self.group(name, |group| {
            let (subnets, drains, now) = (group.subnets.clone(), group.drains, self.clock.now());
            let left = |subnet: &str| !subnets.iter().any(|(other, _)| other == subnet);
            let leaving = group.instances.iter_mut().filter(|instance| !instance.is_ending() && left(&instance.subnet));
            let mut ended = Vec::new();
            for instance in leaving {
                // With managed draining the scheduler says when it may end.
                if drains && instance.joined <= now {
                    instance.draining = true;
                } else {
                    instance.end(self.clock);
                    ended.push(instance.id.clone());
                }
            }
            ended
        })?;
        launch::terminate(self.upstream, &self.place, &ended).await;
        Ok(())
    }
}
