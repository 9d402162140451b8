//! What makes time pass: one loop that lets the scheduler work, carries its orders out, and sends the probes that are due.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use crate::agent::Agents;
use crate::alb::Alb;
use crate::asg::Place;
use crate::ecs::Order;
use crate::gateway::Shared;

/// The shortest and the longest pause: however fast the clock, this machine has other work; however little is due,
/// instances may have come or gone.
const PAUSE: (f64, f64) = (0.003, 0.5);

/// The running loop; everything that it started ends with it.
#[derive(Debug)]
pub(crate) struct Engine(JoinHandle<()>);

impl Engine {
    pub(crate) fn start(shared: &Arc<Shared>) -> Self {
        Self(tokio::spawn(run(Arc::clone(shared))))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        let mut next = f64::INFINITY;
        for place in shared.ecs.places() {
            next = next.min(pass(&shared, &place, &mut tasks).await);
        }
        // Whatever has ended is let go of.
        while tasks.try_join_next().is_some() {}
        let pause = (next - shared.clock.now()).clamp(PAUSE.0, PAUSE.1);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(pause)) => {}
            () = shared.pulse.notified() => {
                // Changes come in bursts: the others of this one are taken along.
                tokio::time::sleep(Duration::from_secs_f64(PAUSE.0)).await;
            }
        }
    }
}

/// One pass over a place; when the next is due.
async fn pass(shared: &Arc<Shared>, place: &Place, tasks: &mut JoinSet<()>) -> f64 {
    shared.alb.config(&shared.upstream, place).await;
    let now = shared.clock.now();
    let checks = shared.alb.with(place, |table| {
        table.set_clock(shared.clock);
        table.due(now)
    });
    for check in checks {
        tasks.spawn(Alb::probe(Arc::clone(shared), place.clone(), check));
    }
    let (orders, due) = shared.ecs.tick(shared, place);
    for order in orders {
        match order {
            Order::Start(launch) => Agents::start(shared, place, *launch, tasks),
            Order::Halt(task) => shared.agents.stop(&task),
            Order::Desire { group, desired } => {
                let (shared, place) = (Arc::clone(shared), place.clone());
                tasks.spawn(async move { shared.asg.desire(&shared, &place, &group, desired).await });
            }
            Order::Release(instance) => {
                if shared.asg.release(shared, place, &instance) {
                    let (shared, place) = (Arc::clone(shared), place.clone());
                    tasks.spawn(async move { shared.asg.terminate(&shared, &place, &[instance]).await });
                }
            }
        }
    }
    for group in shared.asg.to_refresh(shared, place) {
        let (shared, place) = (Arc::clone(shared), place.clone());
        tasks.spawn(async move { shared.asg.refresh(&shared, &place, &group).await });
    }
    let coming = shared.asg.next_change(place, now);
    due.min(coming).min(shared.alb.with(place, |table| table.next()))
}
