//! What starts the state machines by itself: rules of EventBridge, the role by which they do, and the queue for what they
//! could not deliver.

use aws_sdk_eventbridge::Client as Events;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::{DeadLetterConfig, RuleState, Tag, Target};
use aws_sdk_sqs::Client as Sqs;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::{Clients, Error, Result};

use super::step::{Change, Step};
use super::{TAG, TAG_VALUE, policy, propagated, taken};
use crate::context::Account;

const QUEUE: &str = "queue";
const RULE: &str = "rule";
/// Queue of the events that could not be delivered.
pub(super) const DEAD_LETTERS: &str = "skydeck-dead-letters";
/// SQS's codes for "there is no such queue", of its two protocols.
const MISSING: [&str; 2] = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
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

/// Looks at the queue of what could not be delivered.
pub(super) async fn look_at_queue<'a>(clients: &'a Clients, account: &Account) -> Result<Step<'a>> {
    let sqs = clients.sqs();
    let policy = policy::dead_letters(account).to_string();
    let Some(Queue { url, ours }) = find_queue(sqs).await? else {
        return Ok(Step::new(QUEUE, DEAD_LETTERS, Change::Created, async move {
            let request = sqs.create_queue().queue_name(DEAD_LETTERS).tags(TAG, TAG_VALUE);
            let request = request.attributes(QueueAttributeName::MessageRetentionPeriod, KEPT_SECONDS.to_string());
            let request = request.attributes(QueueAttributeName::Policy, policy);
            // For a minute after one of this name was deleted there can be no other.
            propagated(async || request.clone().send().await.during("create queue", DEAD_LETTERS)).await.map(drop)
        }));
    };
    if !ours {
        return Err(taken(QUEUE, DEAD_LETTERS));
    }
    let request = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::Policy);
    let answer = request.send().await.during("read policy of queue", DEAD_LETTERS)?;
    let known = answer.attributes().and_then(|found| found.get(&QueueAttributeName::Policy));
    let same =
        |known: &String| serde_json::from_str::<Value>(known).ok() == serde_json::from_str::<Value>(&policy).ok();
    let change = Change::updated_if(!known.is_some_and(same));
    Ok(Step::new(QUEUE, DEAD_LETTERS, change, async move {
        let request = sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::Policy, policy);
        request.send().await.during("write policy of queue", DEAD_LETTERS).map(drop)
    }))
}

/// Takes the queue away, with what is in it.
pub(super) async fn remove_queue(clients: &Clients) -> Result<Option<Step<'_>>> {
    let sqs = clients.sqs();
    let Some(Queue { url, ours: true }) = find_queue(sqs).await? else { return Ok(None) };
    Ok(Some(Step::new(QUEUE, DEAD_LETTERS, Change::Deleted, async move {
        // The retry of a deletion whose answer was lost.
        tolerate(sqs.delete_queue().queue_url(url).send().await.during("delete queue", DEAD_LETTERS), &MISSING)
            .map(drop)
    })))
}

/// A queue of that name.
struct Queue {
    url: String,
    /// Whether it is skydeck's.
    ours: bool,
}

async fn find_queue(sqs: &Sqs) -> Result<Option<Queue>> {
    let found = sqs.get_queue_url().queue_name(DEAD_LETTERS).send().await;
    let Some(url) = found.find(&MISSING, "read queue", DEAD_LETTERS)?.and_then(|found| found.queue_url) else {
        return Ok(None);
    };
    // For a minute after its deletion some calls still know a queue, and some do not.
    let tags = sqs.list_queue_tags().queue_url(&url).send().await;
    let Some(tags) = tags.find(&MISSING, "read tags of queue", DEAD_LETTERS)? else { return Ok(None) };
    let ours = tags.tags().and_then(|tags| tags.get(TAG)).is_some_and(|value| value == TAG_VALUE);
    Ok(Some(Queue { url, ours }))
}

/// Looks at a rule and its target.
pub(super) async fn look_at_rule<'a>(clients: &'a Clients, account: &Account, rule: &'a Rule) -> Result<Step<'a>> {
    let events = clients.events();
    let found = find_rule(events, rule).await?;
    if let Some(found) = &found
        && !is_our_rule(events, rule, found).await?
    {
        return Err(taken(RULE, rule.name));
    }
    let (pattern, schedule) = match (rule.matches)() {
        Match::Pattern(pattern) => (Some(pattern), None),
        Match::Schedule(schedule) => (None, Some(schedule)),
    };
    let same = found.as_ref().is_some_and(|found| {
        let known = found.event_pattern().and_then(|text| serde_json::from_str::<Value>(text).ok());
        known == pattern && found.schedule_expression() == schedule && found.state() == Some(&RuleState::Enabled)
    });
    let target = target(account, rule)?;
    let aims = found.is_some() && targets(events, rule).await? == [target.clone()];
    let change = if found.is_some() { Change::updated_if(!(same && aims)) } else { Change::Created };
    Ok(Step::new(RULE, rule.name, change, async move {
        if !same {
            let request = events.put_rule().name(rule.name).description(rule.description).state(RuleState::Enabled);
            let request = request.set_event_pattern(pattern.map(|pattern| pattern.to_string()));
            let request = request.set_schedule_expression(schedule.map(Into::into));
            let tag = Tag::builder().key(TAG).value(TAG_VALUE).build().map_err(|_| incomplete(rule))?;
            // AWS takes tags with a rule that is new, and no others.
            let request = if found.is_none() { request.tags(tag) } else { request };
            propagated(async || request.clone().send().await.during("write rule", rule.name)).await?;
        }
        if aims { Ok(()) } else { aim(events, rule, target).await }
    }))
}

/// Takes a rule and its targets away.
pub(super) async fn remove_rule<'a>(clients: &'a Clients, rule: &'a Rule) -> Result<Option<Step<'a>>> {
    let events = clients.events();
    let Some(found) = find_rule(events, rule).await? else { return Ok(None) };
    if !is_our_rule(events, rule, &found).await? {
        return Ok(None);
    }
    Ok(Some(Step::new(RULE, rule.name, Change::Deleted, async move {
        let ids: Vec<String> = targets(events, rule).await?.into_iter().map(|target| target.id).collect();
        if !ids.is_empty() {
            let request = events.remove_targets().rule(rule.name).set_ids(Some(ids));
            request.send().await.during("remove targets of rule", rule.name)?;
        }
        events.delete_rule().name(rule.name).send().await.during("delete rule", rule.name).map(drop)
    })))
}

async fn find_rule(events: &Events, rule: &Rule) -> Result<Option<DescribeRuleOutput>> {
    let found = events.describe_rule().name(rule.name).send().await;
    found.find(&["ResourceNotFoundException"], "read rule", rule.name)
}

async fn is_our_rule(events: &Events, rule: &Rule, found: &DescribeRuleOutput) -> Result<bool> {
    let request = events.list_tags_for_resource().resource_arn(found.arn().unwrap_or_default());
    let tags = request.send().await.during("read tags of rule", rule.name)?;
    Ok(tags.tags().iter().any(|tag| tag.key() == TAG && tag.value() == TAG_VALUE))
}

async fn targets(events: &Events, rule: &Rule) -> Result<Vec<Target>> {
    let targets = events.list_targets_by_rule().rule(rule.name).send().await;
    Ok(targets.during("read targets of rule", rule.name)?.targets.unwrap_or_default())
}

async fn aim(events: &Events, rule: &Rule, target: Target) -> Result<()> {
    let put = || events.put_targets().rule(rule.name).targets(target.clone()).send();
    let answer = propagated(async || put().await.during("write target of rule", rule.name)).await?;
    let Some(failed) = answer.failed_entries().first() else { return Ok(()) };
    Err(Error::Aws {
        verb: "write target of rule".into(),
        resource: rule.name.into(),
        code: failed.error_code().unwrap_or("Unknown").into(),
        message: failed.error_message().unwrap_or("AWS gave no message").into(),
    })
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
