//! The sandbox's clock: the machine's own time, and durations of AWS divided by the speed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time, and how long a duration of AWS takes here.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    speed: f64,
}

impl Clock {
    /// A clock on which AWS's own durations pass `speed` times as fast.
    pub fn new(speed: f64) -> Self {
        Self { speed: if speed.is_finite() && speed > 0.0 { speed } else { 1.0 } }
    }

    /// Seconds since 1970, by this machine.
    pub fn now(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
    }

    /// How many seconds here `seconds` of AWS take.
    pub fn scaled(&self, seconds: f64) -> f64 {
        seconds / self.speed
    }

    /// The speed.
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

/// A time as AWS's XML services write it.
pub(crate) fn iso(seconds: f64) -> String {
    // A time outside of jiff's range cannot come from this clock.
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or_default().to_string()
}
