//! What starts a rollout: the input of its state machine, be it an event as EventBridge sends it or an order.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::image::is_own;
use super::manifest::Manifest;

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
    /// An event of ECR.
    Event(Event),
    /// What a person, the sweep or `provision` asks for.
    Order(Order),
}

impl Trigger {
    /// Reads an execution's input.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(input: &Value) -> Result<Trigger, String> {
        if input.get("detail-type").is_some() {
            let event =
                Event::deserialize(input).map_err(|error| format!("the input is not an event of ECR: {error}"))?;
            return Ok(Trigger::Event(event));
        }
        let order = Order::deserialize(input).map_err(|error| {
            let right = r#"{"service": "NAME", "image": "TAG OR DIGEST"}, where the image may be left out"#;
            format!("the input is neither an event of ECR nor an order ({error}). An order is {right}")
        })?;
        Ok(Trigger::Order(order))
    }
}

/// An ECR event in EventBridge's envelope
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>). What skydeck does not look at is left
/// out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What kind of event this is: `ECR Image Action`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it happened, as RFC 3339 has it.
    #[serde(default)]
    pub time: String,
    /// What happened.
    pub detail: Detail,
}

/// What happened to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Detail {
    /// `PUSH` or `DELETE`.
    pub action_type: String,
    /// `SUCCESS` or `FAILURE`.
    pub result: String,
    /// The repository's name.
    pub repository_name: String,
    /// The digest of the manifest that was pushed.
    #[serde(default)]
    pub image_digest: Option<String>,
    /// Its tag; none for a part of an index.
    #[serde(default)]
    pub image_tag: Option<String>,
    /// Media type of the manifest.
    #[serde(default)]
    pub manifest_media_type: Option<String>,
    /// Media type of the artifact, where it is not a container image.
    #[serde(default)]
    pub artifact_media_type: Option<String>,
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
}

fn person() -> Cause {
    Cause::Person
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_person(cause: &Cause) -> bool {
    *cause == Cause::Person
}

/// The artifact of an ordinary image; other artifacts are signatures, bills of materials and the like.
const IMAGE_ARTIFACTS: [&str; 2] =
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];

impl Event {
    /// Why the event is nobody's business, by itself; `None` where it may be some service's.
    #[must_use]
    pub fn idle(&self) -> Option<String> {
        let detail = &self.detail;
        let image = || detail.image_digest.as_deref().unwrap_or("an image").to_owned();
        if self.detail_type != "ECR Image Action" || detail.action_type != "PUSH" {
            return Some(format!("{} {} is not a push", self.detail_type, detail.action_type));
        }
        if detail.result != "SUCCESS" {
            return Some(format!("the push of {} to {} failed", image(), detail.repository_name));
        }
        if detail.image_digest.is_none() {
            return Some("the event names no digest".into());
        }
        let Some(tag) = &detail.image_tag else {
            return Some(format!("{} has no tag: it is a part of an index, or was pushed by its digest", image()));
        };
        if is_own(tag) {
            return Some(format!("{tag} is skydeck's own tag"));
        }
        if let Some(kind) = detail.manifest_media_type.as_deref().filter(|kind| !Manifest::MEDIA_TYPES.contains(kind)) {
            return Some(format!("{kind} is not a container image"));
        }
        let artifact = detail.artifact_media_type.as_deref().filter(|kind| !kind.is_empty());
        if let Some(kind) = artifact.filter(|kind| !IMAGE_ARTIFACTS.contains(kind)) {
            return Some(format!("{kind} is not a container image"));
        }
        None
    }
}
