//! Scaling activities: the only place where Auto Scaling says why an instance was not started.

use super::group::{Group, list};
use super::{Asg, Context, Refusal};
use crate::clock::iso;
use crate::xml::escape;

/// How many a group remembers; AWS keeps six weeks of them.
const KEPT: usize = 100;

/// What became of one launch.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    id: String,
    at: f64,
    description: String,
    /// Why it failed, in AWS's words.
    failure: Option<String>,
}

impl Group {
    /// Remembers an instance that was started.
    pub(super) fn remember_launch(&mut self, at: f64, instance: &str) {
        self.remember(at, format!("Launching a new EC2 instance: {instance}"), None);
    }

    /// Remembers that none could be started.
    pub(super) fn remember_failure(&mut self, at: f64, why: &str) {
        let why = format!("{why} Launching EC2 instance failed.");
        self.remember(at, "Launching a new EC2 instance".to_owned(), Some(why));
    }

    fn remember(&mut self, at: f64, description: String, failure: Option<String>) {
        self.activities.insert(0, Activity { id: crate::ids::uuid(), at, description, failure });
        self.activities.truncate(KEPT);
    }
}

impl Asg {
    /// From now on no instance can be started, and why, in AWS's words; or they can again.
    pub(crate) fn fail_launches(&self, why: Option<&str>) {
        *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = why.map(str::to_owned);
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Context<'_> {
    /// The newest first.
    pub(super) fn describe_activities(&self) -> Result<String, Refusal> {
        let most = self.number("MaxRecords")?.unwrap_or(100) as usize;
        let name = self.group_name()?;
        let activities = self.group(&name, |group| group.activities.clone())?;
        Ok(list("Activities", activities.iter().take(most).map(|activity| activity.xml(&name))))
    }
}

impl Activity {
    fn xml(&self, group: &str) -> String {
        let code = if self.failure.is_some() { "Failed" } else { "Successful" };
        let message = self.failure.as_ref().map(|why| format!("<StatusMessage>{}</StatusMessage>", escape(why)));
        format!(
            "<ActivityId>{}</ActivityId><AutoScalingGroupName>{}</AutoScalingGroupName><Description>{}</Description>\
             <Cause>An instance was started in response to a difference between desired and actual capacity.</Cause>\
             <StartTime>{at}</StartTime><EndTime>{at}</EndTime><StatusCode>{code}</StatusCode>{}<Progress>100</Progress>",
            self.id,
            escape(group),
            escape(&self.description),
            message.unwrap_or_default(),
            at = iso(self.at),
        )
    }
}
