//! What an acceptance run has seen: plain data, from which the points are judged.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skydeck_aws::Error;

/// How AWS answered a call whose answer is the point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It did it, and told this.
    Took(String),
    /// It refused.
    Refused {
        /// The error's code.
        code: String,
        /// Its message.
        message: String,
    },
}

impl Answer {
    /// The answer to a call.
    ///
    /// # Errors
    /// Where AWS did not come to answer.
    pub(super) fn of(result: skydeck_aws::Result<String>) -> skydeck_aws::Result<Self> {
        match result {
            Ok(told) => Ok(Answer::Took(told)),
            Err(error) if error.passes() => Err(error),
            Err(Error::Aws { code, message, .. }) => Ok(Answer::Refused { code, message }),
            Err(error) => Err(error),
        }
    }
}

/// What an instance has registered with its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The instance type.
    pub kind: String,
    /// CPU units.
    pub cpu: i32,
    /// MiB.
    pub memory: i32,
}

/// A route table that was associated once more with the subnet that it is associated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Associated {
    /// The association that was there.
    pub had: String,
    /// What AWS said to it: the association's id.
    pub again: Answer,
}

/// An image, as ECR tells it after its push, and after it got a tag more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pushed {
    /// `imagePushedAt` after the push, in seconds since 1970.
    pub first: f64,
    /// `imagePushedAt` after its rollout, in which skydeck gives it another tag.
    pub later: f64,
    /// How many tags it had then.
    pub tags: usize,
}

/// A task of an image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The digest of the index that was pushed.
    pub pushed: String,
    /// The digest of the image in it for ARM64.
    pub child: String,
    /// The digest that ECS tells.
    pub told: String,
    /// The keys of the task's tags.
    pub tags: Vec<String>,
}

/// The tasks of the image that served, before a bad one was pushed and after it was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Their ARNs before.
    pub before: Vec<String>,
    /// And after.
    pub after: Vec<String>,
}

/// Why a task has stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// ECS's code.
    pub code: String,
    /// ECS's words.
    pub reason: String,
}

/// An instance refresh and its group at one moment. The refresh was asked for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// AWS's word for how the refresh stands.
    pub status: String,
    /// How many instances the group had that do not end.
    pub instances: usize,
    /// How many it had of those that were there before, ending or not.
    pub old: usize,
    /// The group's largest size.
    pub largest: usize,
}

/// Everything that was seen. What is not there was not looked at, because the run did not come so far or a look failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// The pattern of the rule for pushes, as EventBridge keeps it.
    pub push_rule: Option<Value>,
    /// The first instance.
    pub instance: Option<Registered>,
    /// A route table and its subnet.
    pub association: Option<Associated>,
    /// Where an image's configuration was asked for as if it were a layer: that there is an address.
    pub configuration: Option<Answer>,
    /// The first image.
    pub image: Option<Pushed>,
    /// The same image under the same tag, put again.
    pub again: Option<Answer>,
    /// How many executions of the rollout machine that image's tag has started, minutes later.
    pub rollouts_of_image: Option<usize>,
    /// A task of the first image.
    pub task: Option<Task>,
    /// What became of an index whose entry names no platform.
    pub unsaid: Option<String>,
    /// The way back from a bad image.
    pub returned: Option<Returned>,
    /// A task of an instance that was terminated.
    pub lost: Option<Stopped>,
    /// An instance refresh from its start to its end.
    pub refresh: Vec<Sample>,
    /// The cluster's status after the platform was destroyed; `MISSING` where it is not told.
    pub cluster: Option<String>,
    /// Looks that failed, and why.
    pub trouble: Vec<String>,
}

impl Seen {
    /// What was looked for, where the look went well.
    pub(super) fn note<T>(&mut self, looked: skydeck_aws::Result<T>) -> Option<T> {
        looked.map_err(|error| self.trouble.push(error.to_string())).ok()
    }
}
