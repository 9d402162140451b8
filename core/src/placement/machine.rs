//! What an instance type registers with ECS.

use super::Room;

/// Of the memory that a type is sold with, kernel and agent keep some: a t4g.small registers some 1846 of 2048 MiB. That
/// share is assumed of the other types; larger ones register more of theirs, so the guess errs on the safe side.
const REGISTERED: (u32, u32) = (1846, 2048);

/// An instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// What a container instance of this type offers.
    pub room: Room,
}

impl Machine {
    /// The machine of an ARM64 type such as `t4g.small`; `None` for a family or size that is not known here
    /// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html>).
    #[must_use]
    pub fn of(instance_type: &str) -> Option<Machine> {
        let (family, size) = instance_type.split_once('.')?;
        let (cpus, memory) = match family {
            "t4g" => burstable(size)?,
            family if family.starts_with(['c', 'm', 'r']) && family.contains('g') => {
                let cpus = cpus(size)?;
                let per_cpu = match family.as_bytes().first()? {
                    b'c' => 2048,
                    b'm' => 4096,
                    _ => 8192,
                };
                (cpus, cpus * per_cpu)
            }
            _ => return None,
        };
        let registered = memory / REGISTERED.1 * REGISTERED.0 + memory % REGISTERED.1 * REGISTERED.0 / REGISTERED.1;
        Some(Machine { room: Room { cpu: cpus * 1024, memory: registered } })
    }
}

/// vCPUs and memory in MiB.
fn burstable(size: &str) -> Option<(u32, u32)> {
    Some(match size {
        "nano" => (2, 512),
        "micro" => (2, 1024),
        "small" => (2, 2048),
        "medium" => (2, 4096),
        "large" => (2, 8192),
        "xlarge" => (4, 16_384),
        "2xlarge" => (8, 32_768),
        _ => return None,
    })
}

fn cpus(size: &str) -> Option<u32> {
    Some(match size {
        "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        "2xlarge" => 8,
        "4xlarge" => 16,
        "8xlarge" => 32,
        "12xlarge" => 48,
        "16xlarge" => 64,
        "24xlarge" => 96,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Machine, Room};

    #[test]
    fn types_offer_their_cpus_and_nine_tenths_of_their_memory() {
        let room = |kind| Machine::of(kind).map(|machine| machine.room);
        assert_eq!(room("t4g.small"), Some(Room { cpu: 2048, memory: 1846 }));
        assert_eq!(room("c7g.medium"), Some(Room { cpu: 1024, memory: 1846 }));
        assert_eq!(room("m6gd.large"), Some(Room { cpu: 2048, memory: 7384 }));
        assert_eq!(room("t4g.micro"), Some(Room { cpu: 2048, memory: 923 }));
        assert_eq!(room("x8g.large"), None);
        assert_eq!(room("t4g"), None);
    }
}
