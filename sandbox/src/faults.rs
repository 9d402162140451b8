//! What goes wrong because a test asks for it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use crate::emulator::replace;
use crate::{Error, EventFault, Fault, Lag, Sandbox};

/// An error that invocations of a function by Step Functions end with.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionFault {
    /// The function's whole name, such as `skydeck-look`.
    pub function: String,
    /// The error's name, as Step Functions tells it, such as `Runtime.ExitError`.
    pub error: String,
    /// What it says.
    pub message: String,
    /// How many of the next invocations.
    pub times: u32,
    /// Whether the function has done its work by then, and only its answer is lost.
    pub after: bool,
}

/// All so far: the emulator counts how often each has struck.
#[derive(Debug, Default)]
pub(crate) struct FunctionFaults(Mutex<Vec<FunctionFault>>);

impl FunctionFaults {
    /// Writes one more down for the emulator, in its directory.
    fn add(&self, fault: FunctionFault, dir: &Path) -> Result<(), Error> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(fault);
        let numbered = faults.iter().enumerate().map(|(id, fault)| {
            let mut fault = json!(fault);
            fault["id"] = id.into();
            fault
        });
        replace(dir, "function-faults.json", &Value::from_iter(numbered).to_string())
    }
}

impl Sandbox {
    /// Lets a chosen call fail.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().arm(fault);
    }

    /// Lets the next invocations of a function by Step Functions fail, before or after its work.
    ///
    /// # Errors
    /// When it cannot be written down for the emulator.
    pub fn fail_function(&self, fault: FunctionFault) -> Result<(), Error> {
        self.function_faults.add(fault, self.run.path())
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// How many faults have struck.
    pub fn strikes(&self) -> u64 {
        *self.shared.strikes.borrow()
    }

    /// Waits until more faults have struck than these.
    pub async fn strike_after(&self, strikes: u64) {
        // The sender lives as long as this.
        let _ = self.shared.strikes.subscribe().wait_for(|count| *count > strikes).await;
    }

    /// Lets what is created from now on be seen late: by the calls that look for it, and by those that use a role.
    pub fn lag(&self, lag: Lag) {
        self.shared.consistency.arm(lag);
    }

    /// Everything is seen at once again.
    pub fn clear_lags(&self) {
        self.shared.consistency.clear();
    }

    /// Lets chosen events get lost, come twice, late or out of order.
    pub fn disturb(&self, fault: EventFault) {
        self.shared.events.arm(fault);
    }

    /// Takes all faults of events back; what a reordering still holds is delivered.
    pub fn clear_event_faults(&self) {
        self.shared.events.clear();
    }

    /// From now on a service says that it finds no room for tasks which wait for a capacity provider, or does not: AWS does either.
    pub fn tell_no_room(&self, tells: bool) {
        self.shared.ecs.tell_no_room(tells);
    }

    /// From now on Auto Scaling cannot start instances, for this reason in AWS's words; or it can again.
    pub fn fail_launches(&self, why: Option<&str>) {
        self.shared.asg.fail_launches(why);
    }
}
