//! Instances in zones that a group has left.

use super::{Context, Refusal, launch};

impl Context<'_> {
    /// Lets the instances go whose subnets are the group's no longer; `reconcile` starts others.
    pub(super) async fn leave_zones(&self, name: &str) -> Result<(), Refusal> {
        let ended = self.group(name, |group| {
            let stays = |subnet: &str| group.subnets.iter().any(|(other, _)| other == subnet);
            let leaving = group.instances.iter().filter(|instance| !instance.is_ending() && !stays(&instance.subnet));
            let mut ended: Vec<String> = leaving.map(|instance| instance.id.clone()).collect();
            ended.retain(|id| group.send_off(id, self.clock));
            ended
        })?;
        launch::terminate(self.upstream, &self.place, &ended).await;
        Ok(())
    }
}
