//! What instance types register with ECS.

/// CPU units and memory that an instance's agent registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    /// `arm64` or `x86_64`.
    pub(crate) architecture: &'static str,
}

/// Type family: architecture, and whether its `medium` has one CPU instead of two.
const FAMILIES: [(&str, &str, bool); 14] = [
    ("t2", "x86_64", false),
    ("t3", "x86_64", false),
    ("t3a", "x86_64", false),
    ("t4g", "arm64", false),
    ("m5", "x86_64", false),
    ("m6g", "arm64", true),
    ("m6i", "x86_64", false),
    ("m7g", "arm64", true),
    ("c5", "x86_64", false),
    ("c6g", "arm64", true),
    ("c7g", "arm64", true),
    ("r5", "x86_64", false),
    ("r6g", "arm64", true),
    ("r7g", "arm64", true),
];

/// Of the memory that a type is sold with, the kernel keeps some: a `t4g.small` registers 1846 of 2048 MiB. The same share
/// is assumed of the others.
const REGISTERED: f64 = 1846.0 / 2048.0;

impl Machine {
    /// The machine of a type such as `t4g.small`; an unknown one counts as a `t4g.small`.
    pub(crate) fn of(kind: &str) -> Self {
        let small = Self { cpu: 2048, memory: 1846, architecture: "arm64" };
        let Some((family, size)) = kind.split_once('.') else { return small };
        let Some((_, architecture, single)) = FAMILIES.iter().find(|(name, ..)| *name == family) else { return small };
        let burstable = family.starts_with('t');
        let Some((cpus, t_memory, factor)) = size_of(size, *single) else { return small };
        let sold = if burstable { t_memory } else { factor * per_cpu(family) };
        Self { cpu: cpus * 1024, memory: (sold as f64 * REGISTERED) as i64, architecture }
    }
}

/// CPUs, memory in MiB of a burstable type, and the number of CPUs whose memory another type of that size has.
fn size_of(size: &str, single: bool) -> Option<(i64, i64, i64)> {
    Some(match size {
        "nano" => (2, 512, 1),
        "micro" => (2, 1024, 1),
        "small" => (2, 2048, 1),
        "medium" => (if single { 1 } else { 2 }, 4096, 1),
        "large" => (2, 8192, 2),
        "xlarge" => (4, 16_384, 4),
        "2xlarge" => (8, 32_768, 8),
        "4xlarge" => (16, 65_536, 16),
        _ => return None,
    })
}

/// Memory in MiB per CPU: compute, general and memory types.
fn per_cpu(family: &str) -> i64 {
    match family.as_bytes().first() {
        Some(b'c') => 2048,
        Some(b'r') => 8192,
        _ => 4096,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_register_what_they_have() {
        assert_eq!(Machine::of("t4g.small"), Machine { cpu: 2048, memory: 1846, architecture: "arm64" });
        assert_eq!(Machine::of("t3.medium").memory, 3692);
        assert_eq!(Machine::of("c7g.large"), Machine { cpu: 2048, memory: 3692, architecture: "arm64" });
        assert_eq!(Machine::of("m6g.medium").cpu, 1024);
    }
}
