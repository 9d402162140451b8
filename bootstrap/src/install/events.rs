//! What starts the state machines by itself: rules of EventBridge, the role by which they do, and the queue for what they
//! could not deliver.

use aws_sdk_eventbridge::types::{DeadLetterConfig, RuleState, Tag, Target};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use skydeck_aws::error::Explain;
use skydeck_aws::{Clients, Error, Result};

use super::{Change, TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

/// Role by which EventBridge starts the state machines.
/// Queue of the events that could not be delivered.
pub(super) const DEAD_LETTERS: &str = "skydeck-dead-letters";
/// What stays undelivered is kept for so long: the longest that SQS offers, 14 days.
const KEPT_SECONDS: u32 = 1_209_600;

/// A rule, and the state machine that it starts.
pub(super) struct Rule {
    pub(super) name: &'static str,
    machine: &'static str,
    description: &'static str,
    matches: fn() -> Match,
}

/// When a rule fires.
enum Match {
    Pattern(Value),
    Schedule(&'static str),
}

/// All rules.
pub(super) const RULES: [Rule; 3] = [
    Rule {
        name: "skydeck-push",
        machine: "rollout",
        description: "Every tagged push to ECR starts skydeck-rollout, which decides what it means",
        matches: || {
            Match::Pattern(json!({
                "source": ["aws.ecr"],
                "detail-type": ["ECR Image Action", "ECR Replication Action", "ECR Pull Through Cache Action"],
                "detail": {
                    // An image that is pulled through tells no action, and how it went in another field.
                    "action-type": ["PUSH", "REPLICATE", { "exists": false }],
                    "result": ["SUCCESS", { "exists": false }],
                    "sync-status": ["SUCCESS", { "exists": false }],
                    // One push is one execution: the parts of an index have no tag or an empty one, and skydeck tags what it keeps.
                    "image-tag": [{ "anything-but": { "wildcard": ["", "skydeck-*"] } }],
                },
            }))
        },
    },
    Rule {
        name: "skydeck-parameters",
        machine: "sweep",
        description: "A changed parameter rolls out the services that read it",
        matches: || {
            Match::Pattern(json!({
                "source": ["aws.ssm"],
                "detail-type": ["Parameter Store Change"],
                "detail": { "operation": ["Create", "Update"] },
            }))
        },
    },
    Rule {
        name: "skydeck-sweep",
        machine: "sweep",
        description: "Finds the pushes whose event never came",
        matches: || Match::Schedule("rate(15 minutes)"),
    },
];

/// The queue of what could not be delivered.
pub(super) async fn ensure_queue(clients: &Clients, account: &Account) -> Result<Change> {
    let sqs = clients.sqs();
    let policy = policy::dead_letters(account).to_string();
    let missing = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
    let found = sqs.get_queue_url().queue_name(DEAD_LETTERS).send().await;
    let Some(found) = found.find(&missing, "read queue", DEAD_LETTERS)? else {
        let request = sqs.create_queue().queue_name(DEAD_LETTERS).tags(TAG, TAG_VALUE);
        let request = request.attributes(QueueAttributeName::MessageRetentionPeriod, KEPT_SECONDS.to_string());
        let request = request.attributes(QueueAttributeName::Policy, policy);
        request.send().await.during("create queue", DEAD_LETTERS)?;
        return Ok(Change::Created);
    };
    let url = found.queue_url().unwrap_or_default();
    let tags = sqs.list_queue_tags().queue_url(url).send().await.during("read tags of queue", DEAD_LETTERS)?;
    let is_ours = tags.tags().and_then(|tags| tags.get(TAG)).is_some_and(|value| value == TAG_VALUE);
    if !is_ours {
        return Err(taken("queue", DEAD_LETTERS));
    }
    let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::Policy);
    let answer = request.send().await.during("read policy of queue", DEAD_LETTERS)?;
    let known = answer.attributes().and_then(|found| found.get(&QueueAttributeName::Policy));
    let same =
        |known: &String| serde_json::from_str::<Value>(known).ok() == serde_json::from_str::<Value>(&policy).ok();
    if known.is_some_and(same) {
        return Ok(Change::Unchanged);
    }
    let request = sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, policy);
    request.send().await.during("write policy of queue", DEAD_LETTERS)?;
    Ok(Change::Updated)
}

/// Makes a rule and its target what they should be.
pub(super) async fn ensure_rule(clients: &Clients, account: &Account, rule: &Rule) -> Result<Change> {
    let events = clients.events();
    let found = events.describe_rule().name(rule.name).send().await;
    let found = found.find(&["ResourceNotFoundException"], "read rule", rule.name)?;
    if let Some(arn) = found.as_ref().and_then(|found| found.arn()) {
        let tags = events.list_tags_for_resource().resource_arn(arn).send().await;
        let tags = tags.during("read tags of rule", rule.name)?;
        if !tags.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE) {
            return Err(taken("rule", rule.name));
        }
    }
    let (pattern, schedule) = match (rule.matches)() {
        Match::Pattern(pattern) => (Some(pattern), None),
        Match::Schedule(schedule) => (None, Some(schedule)),
    };
    let same = found.as_ref().is_some_and(|found| {
        let known = found.event_pattern().and_then(|text| serde_json::from_str::<Value>(text).ok());
        known == pattern && found.schedule_expression() == schedule && found.state() == Some(&RuleState::Enabled)
    });
    let mut change = Change::Unchanged;
    if !same {
        let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|_| incomplete(rule))?;
        let request = events.put_rule().name(rule.name).description(rule.description).state(RuleState::Enabled);
        let request = request.set_event_pattern(pattern.map(|pattern| pattern.to_string()));
        let request = request.set_schedule_expression(schedule.map(Into::into));
        // AWS takes tags with a rule that is new, and no others.
        let request = if found.is_none() { request.tags(tag) } else { request };
        propagated(async || request.clone().send().await.during("write rule", rule.name)).await?;
        change = if found.is_none() { Change::Created } else { Change::Updated };
    }
    let target = target(account, rule)?;
    let targets =
        events.list_targets_by_rule().rule(rule.name).send().await.during("read targets of rule", rule.name)?;
    if targets.targets() != [target.clone()] {
        let put = || events.put_targets().rule(rule.name).targets(target.clone()).send();
        let answer = propagated(async || put().await.during("write target of rule", rule.name)).await?;
        if let Some(failed) = answer.failed_entries().first() {
            return Err(Error::Aws {
                verb: "write target of rule".into(),
                resource: rule.name.into(),
                code: failed.error_code().unwrap_or("Unknown").into(),
                message: failed.error_message().unwrap_or("AWS gave no message").into(),
            });
        }
        change = change.max(Change::Updated);
    }
    Ok(change)
}

fn target(account: &Account, rule: &Rule) -> Result<Target> {
    let queue = DeadLetterConfig::builder().arn(account.arn("sqs", DEAD_LETTERS)).build();
    let target =
        Target::builder().id(rule.machine).arn(account.machine(rule.machine)).role_arn(account.role(policy::EVENTS));
    target.dead_letter_config(queue).build().map_err(|_| incomplete(rule))
}

fn incomplete(rule: &Rule) -> Error {
    Error::Broken(format!("rule {} is incomplete", rule.name))
}
