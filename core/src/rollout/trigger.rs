//! What starts a rollout: the input of its state machine, be it an event as EventBridge sends it or an order.

use std::fmt;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::image::is_own;
use super::manifest::Listed;

/// Why a rollout runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An image was pushed.
    Push,
    /// A person asked for an image.
    Person,
    /// A person asked for what served before.
    Rollback,
    /// The platform file changed what the service's tasks are.
    Configuration,
    /// A parameter that the service reads was changed.
    Secret,
    /// The sweep found an image whose event never came, or a rollout that died.
    Sweep,
}

impl Cause {
    /// Whether a person decided: what was rejected or suspended is rolled out all the same.
    #[must_use]
    pub const fn is_person(self) -> bool {
        matches!(self, Cause::Person | Cause::Rollback)
    }

    /// Whether it is about the tasks' settings, with the image as it is.
    #[must_use]
    pub const fn keeps_image(self) -> bool {
        matches!(self, Cause::Configuration | Cause::Secret)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Push => "push",
            Cause::Person => "person",
            Cause::Rollback => "rollback",
            Cause::Configuration => "configuration",
            Cause::Secret => "secret",
            Cause::Sweep => "sweep",
        })
    }
}

/// Input of an execution of `rollout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// An event of AWS's.
    Event(Box<Event>),
    /// What a person, the sweep or `provision` asks for.
    Order(Order),
}

impl Trigger {
    /// Reads an execution's input. Whatever has a `detail-type` is an event: EventBridge cannot be told that it is wrong, so that
    /// what it lacks makes it nobody's business, and no error.
    ///
    /// # Errors
    /// What is wrong with an order, and what would be right.
    pub fn parse(input: &Value) -> Result<Trigger, String> {
        if input.get("detail-type").is_some() {
            return Ok(Trigger::Event(Box::new(Event::read(input))));
        }
        let order = Order::deserialize(input).map_err(|error| {
            let right = r#"{"service": "NAME", "image": "TAG OR DIGEST"}, where the image may be left out"#;
            format!("the input is neither an event of ECR nor an order ({error}). An order is {right}")
        })?;
        Ok(Trigger::Order(order))
    }
}

/// An event of ECR in EventBridge's envelope
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>), or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event(Result<EventBridgeEvent, String>);

/// An image that came into a repository under a tag, by an event: it was pushed, replicated from another registry, or pulled
/// through from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository's name.
    pub repository: String,
    /// The digest of the manifest.
    pub digest: String,
    /// Its tag.
    pub tag: String,
    /// When it happened, in milliseconds since 1970; none where the event does not say.
    pub at: Option<i64>,
}

/// What Parameter Store tells of a parameter
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html>).
#[derive(Debug, Serialize, Deserialize)]
struct ParameterChange {
    name: String,
}

/// The parameter that an event tells was changed; `None` where it tells of something else, such as that a schedule is due.
#[must_use]
pub fn changed_parameter(input: &Value) -> Option<String> {
    let event = EventBridgeEvent::<ParameterChange>::deserialize(input).ok()?;
    (event.detail_type == "Parameter Store Change").then_some(event.detail.name)
}

/// What a person, the sweep or `provision` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// `<platform>-<environment>`; may be left out where the installation has one platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The service.
    pub service: String,
    /// A tag or a digest; without it the image that the policy wants, or for a change of settings the one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Why.
    #[serde(default = "person", skip_serializing_if = "is_person")]
    pub cause: Cause,
    /// When the reason for it came up, in milliseconds since 1970: tasks that started later know of it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// The parameter of which an event tells that it was changed: whatever a list says, it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

fn person() -> Cause {
    Cause::Person
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_person(cause: &Cause) -> bool {
    *cause == Cause::Person
}

/// ECR's events after which an image is there that was not before, and where each of them says how it went.
const ARRIVALS: [(&str, &str, Option<&str>); 3] = [
    ("ECR Image Action", "result", Some("PUSH")),
    ("ECR Replication Action", "result", Some("REPLICATE")),
    ("ECR Pull Through Cache Action", "sync-status", None),
];

impl Event {
    fn read(input: &Value) -> Event {
        let read = EventBridgeEvent::<Value>::deserialize(input);
        Event(read.map_err(|error| format!("the event is not as EventBridge sends it: {error}")))
    }

    /// The push that the event tells of.
    ///
    /// # Errors
    /// Why it is nobody's business, by itself.
    pub fn push(&self) -> Result<Push, String> {
        let event = self.0.as_ref().map_err(Clone::clone)?;
        // ECR writes an empty text where there is nothing to say.
        let said = |key: &str| event.detail[key].as_str().filter(|text| !text.is_empty());
        let kind = &event.detail_type;
        let Some((_, outcome, action)) = ARRIVALS.iter().find(|(arrival, ..)| arrival == kind) else {
            return Err(format!("{kind} is not a push"));
        };
        let unsaid = |key: &str| format!("the event of type {kind} has no {key}");
        if let Some(action) = action {
            let found = said("action-type").ok_or_else(|| unsaid("action-type"))?;
            if found != *action {
                return Err(format!("{kind} {found} is not a push"));
            }
        }
        let repository = said("repository-name").ok_or_else(|| unsaid("repository-name"))?;
        let digest = said("image-digest").ok_or_else(|| unsaid("image-digest: it names no digest"))?;
        if said(outcome).ok_or_else(|| unsaid(outcome))? != "SUCCESS" {
            return Err(format!("the push of {digest} to {repository} failed"));
        }
        let Some(tag) = said("image-tag") else {
            return Err(format!("{digest} has no tag: it is a part of an index, or was pushed by its digest"));
        };
        if is_own(tag) {
            return Err(format!("{tag} is skydeck's own tag"));
        }
        let (manifest, artifact) = (said("manifest-media-type"), said("artifact-media-type"));
        if let Some(kind) = (Listed { manifest, artifact, subject: None }).other() {
            return Err(format!("{kind} is not a container image"));
        }
        let at = event.time.map(|time| time.timestamp_millis());
        Ok(Push { repository: repository.into(), digest: digest.into(), tag: tag.into(), at })
    }
}
