//! The words in which Elastic Load Balancing tells a target's health.

use super::health::{Entry, Outcome, State};

/// Reason code and description of a failed probe.
pub(super) fn fault(outcome: Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Code(code) => {
            ("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{code}]"))
        }
        Outcome::Timeout => ("Target.Timeout", "Request timed out".to_owned()),
        Outcome::Failed => ("Target.FailedHealthChecks", "Health checks failed".to_owned()),
    }
}

/// State, reason code and description of a target.
pub(super) fn health(entry: &Entry, used: bool) -> (&'static str, Option<(&'static str, String)>) {
    let draining = matches!(entry.state, State::Draining(_));
    match entry.state {
        _ if !used && !draining => {
            let text = "Target group is not configured to receive traffic from the load balancer";
            ("unused", Some(("Target.NotInUse", text.to_owned())))
        }
        State::Healthy => ("healthy", None),
        State::Unhealthy => ("unhealthy", entry.fault.map(fault)),
        State::Draining(_) => {
            let text = "Target deregistration is in progress".to_owned();
            ("draining", Some(("Target.DeregistrationInProgress", text)))
        }
        State::Initial if entry.probed => {
            ("initial", Some(("Elb.InitialHealthChecking", "Initial health checks in progress".to_owned())))
        }
        State::Initial => {
            ("initial", Some(("Elb.RegistrationInProgress", "Target registration is in progress".to_owned())))
        }
    }
}
