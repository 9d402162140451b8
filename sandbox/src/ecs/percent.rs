//! The numbers by which ECS bounds a deployment.

/// How many healthy tasks a deployment keeps: the minimum healthy percent of the desired count, rounded up.
pub(crate) fn at_least(desired: i64, percent: i64) -> i64 {
    (desired * percent + 99) / 100
}

/// How many tasks a deployment may have at once: the maximum percent of the desired count, rounded down.
pub(crate) fn at_most(desired: i64, percent: i64) -> i64 {
    desired * percent / 100
}

/// How many tasks in a row may fail before the circuit breaker trips: half of the desired count, from 3 to 200.
pub(crate) fn breaker_threshold(desired: i64) -> i64 {
    ((desired + 1) / 2).clamp(3, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_rounded_as_ecs_rounds_them() {
        assert_eq!((at_least(3, 50), at_most(3, 150)), (2, 4));
        assert_eq!((at_least(2, 50), at_most(2, 150)), (1, 3));
        assert_eq!((at_least(1, 50), at_most(1, 150)), (1, 1));
        assert_eq!((at_least(2, 100), at_most(2, 200)), (2, 4));
        assert_eq!((at_least(0, 100), at_most(0, 200)), (0, 0));
    }

    #[test]
    fn the_circuit_breaker_waits_for_half_of_the_desired_count() {
        let seen: Vec<i64> = [1, 6, 7, 25, 400, 800].into_iter().map(breaker_threshold).collect();
        assert_eq!(seen, [3, 3, 4, 13, 200, 200]);
    }
}
