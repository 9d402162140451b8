//! Events of AWS's services: what is told, to whom it comes, what becomes of what cannot be delivered, and schedules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_ecr::error::ProvideErrorMetadata;
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ssm::types::ParameterType;
use common::{call, done, until};
use serde_json::{Value, json};
use skydeck_sandbox::{Event, EventFault, EventFaultKind, Image, Sandbox};

const QUEUE: &str = "arn:aws:sqs:ap-south-1:000000000000:";
const MACHINE: &str = "arn:aws:states:ap-south-1:000000000000:stateMachine:m";
const ROLE: &str = "arn:aws:iam::000000000000:role/rule";

/// A queue to which EventBridge may send; its address.
async fn queue(sandbox: &Sandbox, name: &str) -> String {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": { "Service": "events.amazonaws.com" }, "Resource": "*" }] });
    let attributes = json!({ "Policy": policy.to_string() });
    let made = done(sandbox, "AmazonSQS.CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
    made["QueueUrl"].as_str().unwrap().to_owned()
}

/// A rule with one target.
async fn rule(sandbox: &Sandbox, name: &str, what: Value, target: Value) {
    let mut put = json!({ "Name": name });
    put.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    done(sandbox, "AWSEvents.PutRule", put).await;
    let targets = done(sandbox, "AWSEvents.PutTargets", json!({ "Rule": name, "Targets": [target] })).await;
    assert_eq!(targets["FailedEntryCount"], 0, "{targets}");
}

fn pattern(pattern: Value) -> Value {
    json!({ "EventPattern": pattern.to_string() })
}

/// The bodies of the messages in a queue, once there are so many.
async fn received(sandbox: &Sandbox, url: &str, count: usize) -> Vec<Value> {
    let messages = std::cell::RefCell::new(Vec::new());
    until("receiving", || async {
        let ask = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"] });
        let answer = done(sandbox, "AmazonSQS.ReceiveMessage", ask).await;
        messages.borrow_mut().extend(answer["Messages"].as_array().cloned().unwrap_or_default());
        messages.borrow().len() >= count
    })
    .await;
    messages.into_inner()
}

fn bodies(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()).collect()
}

/// All events, once none is on its way.
async fn settled(sandbox: &Sandbox) -> Vec<Event> {
    until("delivery", || async { sandbox.events().iter().all(|event| event.waiting == 0) }).await;
    sandbox.events()
}

async fn repository(sandbox: &Sandbox) -> aws_sdk_ecr::Client {
    let ecr = aws_sdk_ecr::Client::new(&common::person(sandbox).await);
    ecr.create_repository().repository_name("movie").send().await.unwrap();
    ecr
}

#[tokio::test]
async fn a_push_tells_of_the_image_and_its_parts_and_a_tag_of_itself() {
    let sandbox = common::sandbox().await;
    let ecr = repository(&sandbox).await;
    let url = queue(&sandbox, "q").await;
    let of_ecr = pattern(json!({ "source": ["aws.ecr"], "detail": { "result": ["SUCCESS"] } }));
    rule(&sandbox, "r", of_ecr, json!({ "Id": "1", "Arn": format!("{QUEUE}q") })).await;
    rule(
        &sandbox,
        "never",
        pattern(json!({ "source": ["aws.other"] })),
        json!({ "Id": "1", "Arn": format!("{QUEUE}q") }),
    )
    .await;

    let pushed = sandbox.push("movie", "v1", &Image::new("1")).await.unwrap();
    let messages = received(&sandbox, &url, 3).await;
    let mut told = bodies(&messages);
    // The parts of an index have an empty tag.
    told.sort_by_key(|event| event["detail"]["image-tag"] != "");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&told[2]),
        ["account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"]
    );
    assert_eq!((&told[2]["detail-type"], &told[2]["account"]), (&json!("ECR Image Action"), &json!("000000000000")));
    assert_eq!(
        told[2]["detail"],
        json!({ "result": "SUCCESS", "repository-name": "movie", "image-digest": pushed.digest, "action-type": "PUSH",
            "image-tag": "v1", "manifest-media-type": "application/vnd.oci.image.index.v1+json" })
    );
    assert_eq!(told[0]["detail"]["artifact-media-type"], "application/vnd.oci.image.config.v1+json");
    assert!(pushed.children.iter().all(|child| told[..2].iter().any(|e| e["detail"]["image-digest"] == **child)));
    let ids: std::collections::BTreeSet<_> = told.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 3);

    // A further tag is a push, the same once more is none, and its end is told too; the image stays.
    let by_tag = |tag: &str| ImageIdentifier::builder().image_tag(tag).build();
    let found = ecr.batch_get_image().repository_name("movie").image_ids(by_tag("v1")).send().await.unwrap();
    let manifest = found.images()[0].image_manifest().unwrap().to_owned();
    let put = || ecr.put_image().repository_name("movie").image_manifest(&manifest).image_tag("keep").send();
    put().await.unwrap();
    assert_eq!(put().await.unwrap_err().code(), Some("ImageAlreadyExistsException"));
    let delete = || ecr.batch_delete_image().repository_name("movie").image_ids(by_tag("keep")).send();
    delete().await.unwrap();
    sandbox.push("movie", "v1", &Image::new("1")).await.unwrap();
    assert_eq!(delete().await.unwrap().failures().len(), 1);
    let events = settled(&sandbox).await;
    let last: Vec<_> =
        events[3..].iter().map(|e| (&e.envelope.detail["action-type"], &e.envelope.detail["image-tag"])).collect();
    assert_eq!(last, [(&json!("PUSH"), &json!("keep")), (&json!("DELETE"), &json!("keep"))]);
    let kept = ecr.describe_images().repository_name("movie").image_ids(by_tag("v1")).send().await.unwrap();
    assert_eq!(kept.image_details()[0].image_tags(), ["v1"]);
    let gone = ecr.describe_images().repository_name("movie").image_ids(by_tag("keep")).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("ImageNotFoundException"));
    assert_eq!(received(&sandbox, &url, 2).await.len(), 2);
}

#[tokio::test]
async fn parameters_and_clients_tell_too() {
    let sandbox = common::sandbox().await;
    let ssm = aws_sdk_ssm::Client::new(&common::person(&sandbox).await);
    let put =
        |value: &str| ssm.put_parameter().name("/a/b").value(value).r#type(ParameterType::SecureString).overwrite(true);
    put("1").description("d").send().await.unwrap();
    put("2").send().await.unwrap();
    ssm.delete_parameter().name("/a/b").send().await.unwrap();
    let url = queue(&sandbox, "q").await;
    let own = pattern(json!({ "source": ["skydeck"] }));
    rule(&sandbox, "own", own, json!({ "Id": "1", "Arn": format!("{QUEUE}q") })).await;
    let entry =
        |source: &str| json!({ "Source": source, "DetailType": "Rollout Started", "Detail": "{\"service\":\"s\"}" });
    let entries = json!({ "Entries": [entry("aws.ecr"), entry("skydeck")] });
    let answer = done(&sandbox, "AWSEvents.PutEvents", entries).await;
    assert_eq!(answer["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException");
    let events = settled(&sandbox).await;
    let said: Vec<_> = events.iter().map(|event| event.envelope.detail.clone()).collect();
    let parameter =
        |operation: &str| json!({ "operation": operation, "name": "/a/b", "type": "SecureString", "description": "d" });
    assert_eq!(said, [parameter("Create"), parameter("Update"), parameter("Delete"), json!({ "service": "s" })]);
    assert_eq!(events[0].envelope.resources, ["arn:aws:ssm:ap-south-1:000000000000:parameter/a/b"]);
    assert_eq!(
        (&*events[3].envelope.source, &events[3].envelope.id),
        ("skydeck", &answer["Entries"][1]["EventId"].as_str().unwrap().to_owned())
    );
    let told = bodies(&received(&sandbox, &url, 1).await);
    assert_eq!((told.len(), &told[0]["detail"]), (1, &json!({ "service": "s" })));
    assert!(!format!("{events:?}").contains("OriginalValue"));
}

#[tokio::test]
async fn events_are_lost_doubled_late_and_reordered_on_demand() {
    let sandbox = common::sandbox().await;
    repository(&sandbox).await;
    let url = queue(&sandbox, "q").await;
    rule(&sandbox, "r", pattern(json!({ "source": ["aws.ecr"] })), json!({ "Id": "1", "Arn": format!("{QUEUE}q") }))
        .await;
    let push = async |tag: &str| drop(sandbox.push("movie", tag, &Image::new(tag).plain()).await.unwrap());
    let tags = |messages: &[Value]| {
        bodies(messages)
            .iter()
            .map(|event| event["detail"]["image-tag"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };

    sandbox.disturb(EventFault::next(EventFaultKind::Lose).matching("v1"));
    sandbox.admin().disturb(&EventFault::next(EventFaultKind::Double { after: 0.0 }).matching("v2")).await.unwrap();
    for tag in ["v1", "v2"] {
        push(tag).await;
    }
    let doubled = received(&sandbox, &url, 2).await;
    assert_eq!(tags(&doubled), ["v2", "v2"]);
    assert_eq!(bodies(&doubled)[0], bodies(&doubled)[1]);
    sandbox.disturb(EventFault::next(EventFaultKind::Reorder { among: 2 }));
    for tag in ["v3", "v4"] {
        push(tag).await;
    }
    assert_eq!(tags(&received(&sandbox, &url, 2).await), ["v4", "v3"]);
    // A delay of a day, at this speed, is over in a minute and a half: the others overtake it.
    sandbox.disturb(EventFault::next(EventFaultKind::Delay { seconds: 86_400.0 }).matching("v5"));
    sandbox.disturb(EventFault::next(EventFaultKind::Reorder { among: 9 }).matching("v6"));
    for tag in ["v5", "v6", "v7"] {
        push(tag).await;
    }
    assert_eq!(tags(&received(&sandbox, &url, 1).await), ["v7"]);
    sandbox.admin().clear_event_faults().await.unwrap();
    assert_eq!(tags(&received(&sandbox, &url, 1).await), ["v6"]);
    let events = sandbox.admin().events(0).await.unwrap();
    let became: Vec<_> = events.iter().map(|event| (event.faults.join(" "), event.delivered, event.waiting)).collect();
    let became: Vec<_> = became.iter().map(|(faults, delivered, waiting)| (&**faults, *delivered, *waiting)).collect();
    let expected = [
        ("lose", 0, 0),
        ("double", 2, 0),
        ("reorder", 1, 0),
        ("reorder", 1, 0),
        ("delay 86400", 0, 1),
        ("reorder", 1, 0),
        ("", 1, 0),
    ];
    assert_eq!(became, expected);
}

/// A machine that asks a function that is not there, again and again, and fails in the end.
async fn machine(sandbox: &Sandbox, attempts: u64) {
    let retry =
        json!({ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "BackoffRate": 1, "MaxAttempts": attempts });
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": { "FunctionName": "nobody" }, "Retry": [retry], "End": true });
    let definition = json!({ "StartAt": "T", "States": { "T": task } });
    role(sandbox, "machine", "states.amazonaws.com", "lambda:InvokeFunction").await;
    let role = "arn:aws:iam::000000000000:role/machine";
    let body = json!({ "name": "m", "definition": definition.to_string(), "roleArn": role });
    done(sandbox, "AWSStepFunctions.CreateStateMachine", body).await;
}

/// A role that this service may take, and what it may do.
async fn role(sandbox: &Sandbox, name: &str, service: &str, action: &str) {
    let iam = aws_sdk_iam::Client::new(&common::person(sandbox).await);
    let _ = iam.delete_role_policy().role_name(name).policy_name("p").send().await;
    let _ = iam.delete_role().role_name(name).send().await;
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": service } }] });
    iam.create_role().role_name(name).assume_role_policy_document(trust.to_string()).send().await.unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": [MACHINE, format!("{QUEUE}daily")] }] });
    iam.put_role_policy().role_name(name).policy_name("p").policy_document(policy.to_string()).send().await.unwrap();
}

async fn executions(sandbox: &Sandbox) -> Vec<Value> {
    let listed = done(sandbox, "AWSStepFunctions.ListExecutions", json!({ "stateMachineArn": MACHINE })).await;
    listed["executions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_rule_starts_a_machine_with_the_event_and_keeps_what_it_may_not_deliver() {
    let sandbox = common::sandbox().await;
    repository(&sandbox).await;
    machine(&sandbox, 0).await;
    let url = queue(&sandbox, "dead").await;
    let letters = json!({ "Arn": format!("{QUEUE}dead") });
    let target = json!({ "Id": "1", "Arn": MACHINE, "RoleArn": ROLE, "DeadLetterConfig": letters });
    let of_ecr = || pattern(json!({ "source": ["aws.ecr"] }));
    rule(&sandbox, "r", of_ecr(), target).await;
    let push = async |tag: &str| sandbox.push("movie", tag, &Image::new(tag).plain()).await.unwrap().digest;

    // No role, one of another service, one that may not: each time the event is kept, with the reason.
    let attribute =
        |message: &Value, key: &str| message["MessageAttributes"][key]["StringValue"].as_str().unwrap().to_owned();
    for (tag, made) in [
        ("v1", None),
        ("v2", Some(("lambda.amazonaws.com", "states:*"))),
        ("v3", Some(("events.amazonaws.com", "states:List*"))),
    ] {
        if let Some((service, action)) = made {
            role(&sandbox, "rule", service, action).await;
        }
        push(tag).await;
        let messages = received(&sandbox, &url, 1).await;
        assert_eq!(bodies(&messages)[0]["detail"]["image-tag"], tag);
        assert_eq!(attribute(&messages[0], "ERROR_CODE"), "NO_PERMISSIONS", "{messages:?}");
        assert_eq!(attribute(&messages[0], "TARGET_ARN"), MACHINE);
    }
    assert!(executions(&sandbox).await.is_empty());
    role(&sandbox, "rule", "events.amazonaws.com", "states:StartExecution").await;
    let digest = push("v4").await;
    until("starting", || async { executions(&sandbox).await.len() == 1 }).await;
    let arn = executions(&sandbox).await[0]["executionArn"].clone();
    let described = done(&sandbox, "AWSStepFunctions.DescribeExecution", json!({ "executionArn": arn })).await;
    let input: Value = serde_json::from_str(described["input"].as_str().unwrap()).unwrap();
    assert_eq!(input, serde_json::to_value(&settled(&sandbox).await[3].envelope).unwrap());
    assert_eq!(input["detail"]["image-digest"], digest);
    done(&sandbox, "AWSStepFunctions.DeleteStateMachine", json!({ "stateMachineArn": MACHINE })).await;
    push("v5").await;
    let messages = received(&sandbox, &url, 1).await;
    assert!(attribute(&messages[0], "ERROR_MESSAGE").contains("Does Not Exist"), "{messages:?}");

    let (_, refused) = call(&sandbox, "AWSEvents.DeleteRule", json!({ "Name": "r" })).await;
    assert_eq!(refused["message"], "Rule can't be deleted since it has targets.");
    let bare = json!({ "Rule": "r", "Targets": [{ "Id": "2", "Arn": MACHINE }] });
    assert_eq!(call(&sandbox, "AWSEvents.PutTargets", bare).await.0, 400);
}

#[tokio::test]
async fn schedules_follow_the_clock_and_can_be_made_due() {
    let sandbox = common::sandbox().await;
    let url = queue(&sandbox, "q").await;
    let target = || json!({ "Id": "1", "Arn": format!("{QUEUE}q"), "Input": "{\"mode\":\"sweep\"}" });
    // A minute is over in 60 ms; a day is not.
    rule(&sandbox, "soon", json!({ "ScheduleExpression": "rate(1 minute)" }), target()).await;
    assert_eq!(bodies(&received(&sandbox, &url, 2).await)[0], json!({ "mode": "sweep" }));
    done(&sandbox, "AWSEvents.DisableRule", json!({ "Name": "soon" })).await;
    assert!(sandbox.fire("soon").await.unwrap_err().to_string().contains("not enabled"));
    let daily = queue(&sandbox, "daily").await;
    let target = json!({ "Id": "1", "Arn": format!("{QUEUE}daily") });
    rule(&sandbox, "daily", json!({ "ScheduleExpression": "rate(30 days)" }), target).await;
    sandbox.fire("daily").await.unwrap();
    let event = bodies(&received(&sandbox, &daily, 1).await).remove(0);
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.events"), &json!("Scheduled Event")));
    // Scheduler, which has no rules, sends by its role.
    role(&sandbox, "rule", "scheduler.amazonaws.com", "sqs:SendMessage").await;
    let later = json!({ "ScheduleExpression": "rate(30 days)", "FlexibleTimeWindow": { "Mode": "OFF" },
        "Target": { "Arn": format!("{QUEUE}daily"), "RoleArn": ROLE, "Input": "{\"mode\":\"sweep\"}" } });
    let (status, made) = common::send(&sandbox, "scheduler", "/schedules/later", None, later).await;
    assert_eq!(status, 200, "{made}");
    sandbox.fire("later").await.unwrap();
    assert_eq!(bodies(&received(&sandbox, &daily, 1).await)[0], json!({ "mode": "sweep" }));
    assert!(sandbox.admin().fire("nothing").await.unwrap_err().to_string().contains("nothing"));
}

#[tokio::test]
async fn an_execution_starts_once_and_a_stop_is_its_end() {
    let sandbox = common::sandbox().await;
    machine(&sandbox, 100).await;
    let start = |input: &str| json!({ "stateMachineArn": MACHINE, "name": "e", "input": input });
    let first = done(&sandbox, "AWSStepFunctions.StartExecution", start("{\"a\":1}")).await;
    assert_eq!(done(&sandbox, "AWSStepFunctions.StartExecution", start("{\"a\":1}")).await, first);
    let (status, other) = call(&sandbox, "AWSStepFunctions.StartExecution", start("{\"a\":2}")).await;
    assert_eq!((status, &other["__type"]), (400, &json!("ExecutionAlreadyExists")));
    let arn = first["executionArn"].clone();
    until("retrying", || async {
        let ask = json!({ "executionArn": arn });
        let history = done(&sandbox, "AWSStepFunctions.GetExecutionHistory", ask).await;
        history["events"].as_array().unwrap().iter().any(|event| event["type"] == "TaskFailed")
    })
    .await;
    done(&sandbox, "AWSStepFunctions.StopExecution", json!({ "executionArn": arn, "error": "x" })).await;
    let (_, closed) = call(&sandbox, "AWSStepFunctions.StartExecution", start("{\"a\":1}")).await;
    assert_eq!(closed["__type"], "ExecutionAlreadyExists");
    // Another execution that was started later fails after the stopped one would have.
    let second = json!({ "stateMachineArn": MACHINE, "name": "f" });
    let second = done(&sandbox, "AWSStepFunctions.StartExecution", second).await["executionArn"].clone();
    let status = async |arn: &Value| {
        done(&sandbox, "AWSStepFunctions.DescribeExecution", json!({ "executionArn": arn })).await["status"].clone()
    };
    until("failing", || async { status(&second).await == "FAILED" }).await;
    assert_eq!(status(&arn).await, "ABORTED");
}
