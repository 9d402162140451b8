//! Whether a platform's tasks find room on its instances, before anything is touched: the steady state, and the moment of
//! a rolling update in which tasks of the old and the new revision stand side by side.
//!
//! Tasks are spread, largest first, over as many instances as the Auto Scaling group may have, and those of an update come
//! on top: a running task does not move. ECS places with less foresight, so what is refused here does not fit there either
//! but for the tightest packings; what passes here may still wait for an instance, which managed scaling brings.

mod machine;

use crate::plan::Refusal;
use crate::spec::{Platform, Service};
pub use machine::Machine;

/// What a task takes, or an instance offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// CPU units.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
}

impl Room {
    /// Whether the task fits.
    #[must_use]
    pub fn holds(self, task: Room) -> bool {
        self.cpu >= task.cpu && self.memory >= task.memory
    }

    fn minus(self, task: Room) -> Room {
        Room { cpu: self.cpu.saturating_sub(task.cpu), memory: self.memory.saturating_sub(task.memory) }
    }
}

/// Refuses a platform whose tasks can never all run, or one of whose services can never be rolled out.
///
/// An instance type that skydeck does not know is not judged.
///
/// # Errors
/// [`Refusal::Impossible`] with the service, what it lacks and by how much.
pub fn check(platform: &Platform) -> Result<(), Refusal> {
    let instances = &platform.cluster.instances;
    let Some(machine) = Machine::of(&instances.instance_type) else { return Ok(()) };
    let count = instances.max as usize;
    let mut tasks: Vec<(&str, Room)> = platform
        .services
        .iter()
        .flat_map(|(name, service)| std::iter::repeat_n((name.as_str(), room(service)), service.desired as usize))
        .collect();
    tasks.sort_by_key(|(_, task)| std::cmp::Reverse((task.memory, task.cpu)));
    let mut free = vec![machine.room; count];
    for (name, task) in tasks {
        let why = "does not find room for all of its tasks";
        place(&mut free, task).map_err(|short| refuse(platform, machine, name, short, why))?;
    }
    for (name, service) in &platform.services {
        let mut left = free.clone();
        let why = "cannot be rolled out: a task of the new revision must start before one of the old stops";
        for _ in 0..side_by_side(service) {
            place(&mut left, room(service)).map_err(|short| refuse(platform, machine, name, short, why))?;
        }
    }
    Ok(())
}

fn room(service: &Service) -> Room {
    Room { cpu: service.cpu, memory: service.memory }
}

/// How many tasks more than desired a rolling update needs at the least. ECS rounds the minimum up and the maximum down
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>); where an old task may
/// stop first, none.
fn side_by_side(service: &Service) -> usize {
    let minimum = (service.desired * service.minimum_healthy_percent).div_ceil(100);
    usize::from(service.desired > 0 && minimum >= service.desired)
}

/// Places a task where most memory is left. Where none holds it, says what the instance nearest to it lacks.
fn place(free: &mut [Room], task: Room) -> Result<(), Room> {
    let best = free.iter_mut().filter(|room| room.holds(task)).max_by_key(|room| (room.memory, room.cpu));
    if let Some(room) = best {
        *room = room.minus(task);
        return Ok(());
    }
    let lacks = free.iter().map(|room| task.minus(*room));
    Err(lacks.min_by_key(|short| (short.memory, short.cpu)).unwrap_or(task))
}

fn refuse(platform: &Platform, machine: Machine, service: &str, short: Room, why: &str) -> Refusal {
    let instances = &platform.cluster.instances;
    let lacks: Vec<String> = [(short.memory, "MiB of memory"), (short.cpu, "CPU units")]
        .iter()
        .filter(|(amount, _)| *amount > 0)
        .map(|(amount, unit)| format!("{amount} {unit}"))
        .collect();
    let (kind, Room { cpu, memory }) = (&instances.instance_type, machine.room);
    Refusal::Impossible {
        what: format!(
            "service {service} {why}, and with {} instances of {kind} ({cpu} CPU units and some {memory} MiB each) the \
             one with most room lacks {}",
            instances.max,
            lacks.join(" and ")
        ),
        advice: format!(
            "Raise cluster.instances.max, take a larger type, or lower services.{service}.memory, .cpu or .desired"
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Room, check, place};
    use crate::spec::{self, Platform};

    fn skyfox() -> Platform {
        spec::parse("skyfox.toml", include_str!("../../../platforms/skyfox.toml")).unwrap()
    }

    fn refusal(platform: &Platform) -> String {
        check(platform).unwrap_err().to_string()
    }

    #[test]
    fn skyfox_fits_and_can_be_rolled_out_where_its_group_may_grow() {
        assert_eq!(check(&skyfox()), Ok(()));
    }

    #[test]
    fn the_references_two_instances_are_a_deadlock_for_the_backend_and_it_is_told_by_how_much() {
        let mut platform = skyfox();
        platform.cluster.instances.max = 2;
        let told = refusal(&platform);
        // Each holds 819 + 410 + 410 = 1639 of 1846 MiB.
        assert!(told.contains("service backend cannot be rolled out") && told.contains("lacks 612 MiB"), "{told}");
    }

    #[test]
    fn a_service_that_may_stop_an_old_task_first_needs_no_room_beside_it() {
        let mut platform = skyfox();
        platform.cluster.instances.max = 2;
        platform.services.get_mut("backend").unwrap().minimum_healthy_percent = 50;
        assert_eq!(check(&platform), Ok(()));
    }

    #[test]
    fn a_task_larger_than_an_instance_is_refused() {
        let mut platform = skyfox();
        platform.services.get_mut("movie").unwrap().memory = 3000;
        let told = refusal(&platform);
        assert!(told.contains("service movie does not find room") && told.contains("1154 MiB"), "{told}");
    }

    #[test]
    fn too_little_cpu_is_told_as_such() {
        let mut platform = skyfox();
        platform.services.get_mut("backend").unwrap().cpu = 2000;
        platform.cluster.instances.max = 2;
        let told = refusal(&platform);
        assert!(told.contains("CPU units") && !told.contains("lacks 0"), "{told}");
    }

    #[test]
    fn an_unknown_instance_type_is_not_judged() {
        let mut platform = skyfox();
        platform.cluster.instances.max = 2;
        platform.cluster.instances.instance_type = "z9g.small".into();
        assert_eq!(check(&platform), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_placed_never_takes_more_than_the_instances_have(
            tasks in proptest::collection::vec((1u32..2048, 1u32..1846), 0..20), count in 1usize..8,
        ) {
            let mut free = vec![Room { cpu: 2048, memory: 1846 }; count];
            let (mut cpu, mut memory) = (0, 0);
            for (task_cpu, task_memory) in tasks {
                if place(&mut free, Room { cpu: task_cpu, memory: task_memory }).is_ok() {
                    (cpu, memory) = (cpu + task_cpu, memory + task_memory);
                }
            }
            let left = |of: fn(&Room) -> u32| free.iter().map(of).sum::<u32>();
            prop_assert_eq!(left(|room| room.cpu) + cpu, 2048 * u32::try_from(count)?);
            prop_assert_eq!(left(|room| room.memory) + memory, 1846 * u32::try_from(count)?);
        }
    }
}
