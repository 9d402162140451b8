//! What starts a rollout.

use proptest::prelude::*;
use serde_json::{Value, json};
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::trigger::{Cause, Order, Push, Trigger, changed_parameter};

const DIGEST: &str = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234";

/// A push as ECR tells EventBridge.
fn push() -> Value {
    json!({
        "version": "0",
        "id": "13cde686-328b-6117-af20-0e5566167482",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2019-11-16T01:54:34Z",
        "region": "us-west-2",
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": "skyfox-devprod-backend",
            "image-digest": DIGEST,
            "action-type": "PUSH",
            "image-tag": "latest"
        }
    })
}

fn event(spoil: impl FnOnce(&mut Value)) -> Result<Push, String> {
    let mut input = push();
    spoil(&mut input);
    match Trigger::parse(&input).unwrap() {
        Trigger::Event(event) => event.push(),
        Trigger::Order(order) => panic!("{order:?}"),
    }
}

fn order(input: &Value) -> Order {
    match Trigger::parse(input).unwrap() {
        Trigger::Order(order) => order,
        Trigger::Event(event) => panic!("{event:?}"),
    }
}

#[test]
fn a_push_is_read_as_aws_sends_it() {
    let at = Some(1_573_869_274_000);
    let wanted = Push { repository: "skyfox-devprod-backend".into(), digest: DIGEST.into(), tag: "latest".into(), at };
    assert_eq!(event(|_| {}), Ok(wanted));
}

#[test]
fn a_changed_parameter_is_read_as_aws_sends_it() {
    let change = json!({
        "version": "0",
        "id": "6a7e4feb-b491-4cf7-a9f1-bf3703497718",
        "detail-type": "Parameter Store Change",
        "source": "aws.ssm",
        "account": "123456789012",
        "time": "2017-05-22T16:43:48Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ssm:us-east-1:123456789012:parameter/MyExampleParameter"],
        "detail": { "operation": "Create", "name": "MyExampleParameter", "type": "String", "description": "Sample" }
    });
    assert_eq!(changed_parameter(&change).as_deref(), Some("MyExampleParameter"));
    let spoilt = |spoil: fn(&mut Value)| {
        let mut event = change.clone();
        spoil(&mut event);
        changed_parameter(&event)
    };
    assert_eq!(spoilt(|event| event["detail-type"] = "Parameter Store Policy Action".into()), None);
    assert_eq!(spoilt(|event| event["detail"] = json!({})), None);
    assert_eq!(spoilt(|event| event["detail"]["name"] = 1.into()), None);
    let schedule = json!({ "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "1", "time": "2017-05-22T16:43:48Z", "region": "us-east-1", "resources": [], "detail": {} });
    assert_eq!((changed_parameter(&schedule), changed_parameter(&json!({}))), (None, None));
}

#[test]
fn an_image_that_comes_from_another_registry_is_a_push() {
    let replicated = event(|input| {
        input["detail-type"] = "ECR Replication Action".into();
        input["detail"]["action-type"] = "REPLICATE".into();
        input["detail"]["source-region"] = "us-east-1".into();
    });
    let cached = event(|input| {
        input["detail-type"] = "ECR Pull Through Cache Action".into();
        let detail = json!({ "sync-status": "SUCCESS", "ecr-repository-prefix": "skyfox-devprod" });
        let (detail, found) = (detail.as_object().unwrap().clone(), input["detail"].as_object_mut().unwrap());
        found.retain(|key, _| !["result", "action-type"].contains(&key.as_str()));
        found.extend(detail);
    });
    assert_eq!(replicated, event(|_| {}));
    assert_eq!(cached, event(|_| {}));
}

#[test]
fn images_and_indexes_are_taken_whatever_their_format() {
    for kind in Manifest::MEDIA_TYPES.into_iter().chain([""]) {
        assert!(event(|input| input["detail"]["manifest-media-type"] = kind.into()).is_ok(), "{kind}");
    }
    for kind in ["", "application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"] {
        assert!(event(|input| input["detail"]["artifact-media-type"] = kind.into()).is_ok(), "{kind}");
    }
}

fn without(key: &'static str) -> impl Fn(&mut Value) {
    move |input| drop(input["detail"].as_object_mut().unwrap().remove(key))
}

#[test]
fn events_that_are_nobodys_business_say_why() {
    type Spoilt = (Box<dyn Fn(&mut Value)>, &'static str);
    let set = |key: &'static str, value: Value| -> Box<dyn Fn(&mut Value)> {
        Box::new(move |input| input["detail"][key] = value.clone())
    };
    let spoilt: [Spoilt; 19] = [
        (Box::new(|input| input["detail-type"] = "ECR Image Scan".into()), "ECR Image Scan is not a push"),
        (Box::new(|input| input["detail-type"] = "ECR Referrer Action".into()), "is not a push"),
        (set("action-type", "DELETE".into()), "DELETE is not a push"),
        (set("action-type", "REPLICATE".into()), "REPLICATE is not a push"),
        (set("result", "FAILURE".into()), "to skyfox-devprod-backend failed"),
        (set("image-digest", Value::Null), "names no digest"),
        (set("image-tag", Value::Null), "has no tag: it is a part of an index"),
        (set("image-tag", "".into()), "has no tag: it is a part of an index"),
        (set("image-tag", "skydeck-keep-7f5b2640fe6f".into()), "skydeck's own tag"),
        (set("manifest-media-type", "application/vnd.cncf.helm.config.v1+json".into()), "is not a container image"),
        (set("artifact-media-type", "application/vnd.cncf.helm.config.v1+json".into()), "helm.config.v1+json is not"),
        (Box::new(without("image-tag")), "has no tag"),
        (Box::new(without("image-digest")), "names no digest"),
        (Box::new(without("result")), "has no result"),
        (Box::new(without("action-type")), "has no action-type"),
        (Box::new(without("repository-name")), "has no repository-name"),
        (Box::new(|input| input["detail"] = json!("text")), "has no action-type"),
        (Box::new(|input| input["detail"] = Value::Null), "has no action-type"),
        (Box::new(|input| drop(input.as_object_mut().unwrap().remove("source"))), "missing field `source`"),
    ];
    for (spoil, why) in spoilt {
        let said = event(spoil);
        assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{why}: {said:?}");
    }
}

#[test]
fn an_order_is_a_persons_unless_it_says_otherwise() {
    let short = order(&json!({ "service": "backend" }));
    assert_eq!((short.service.as_str(), short.image, short.cause), ("backend", None, Cause::Person));
    let long = order(&json!({ "service": "backend", "image": "v1", "cause": "secret", "platform": "a-b", "since": 7 }));
    assert_eq!((long.image.as_deref(), long.cause, long.since), (Some("v1"), Cause::Secret, Some(7)));
    assert_eq!(long.platform.as_deref(), Some("a-b"));
}

#[test]
fn a_wrong_order_says_what_is_wrong_and_what_would_be_right() {
    for (input, wrong) in [
        (json!({}), "missing field `service`"),
        (json!({ "service": "backend", "imag": "v1" }), "unknown field `imag`"),
        (json!({ "service": "backend", "cause": "whim" }), "unknown variant `whim`"),
        (json!({ "service": 7 }), "expected a string"),
        (json!("backend"), "invalid type"),
    ] {
        let error = Trigger::parse(&input).unwrap_err();
        assert!(error.contains(wrong) && error.contains(r#"{"service": "NAME", "image": "TAG OR DIGEST"}"#), "{error}");
    }
}

#[test]
fn a_person_decides_and_settings_keep_the_image() {
    let all = [Cause::Push, Cause::Person, Cause::Rollback, Cause::Configuration, Cause::Secret, Cause::Sweep];
    let of = |is: fn(Cause) -> bool| all.into_iter().filter(|cause| is(*cause)).collect::<Vec<_>>();
    assert_eq!(of(Cause::is_person), [Cause::Person, Cause::Rollback]);
    assert_eq!(of(Cause::keeps_image), [Cause::Configuration, Cause::Secret]);
    assert_eq!(all.map(|cause| cause.to_string()), ["push", "person", "rollback", "configuration", "secret", "sweep"]);
}

fn any_order() -> impl Strategy<Value = Order> {
    let text = || prop::option::of("[a-z:-]{1,8}");
    let causes = [Cause::Person, Cause::Rollback, Cause::Configuration, Cause::Secret, Cause::Sweep];
    let cause = prop::sample::select(causes.to_vec());
    (text(), "[a-z]{1,8}", text(), cause, prop::option::of(any::<i64>()), text()).prop_map(
        |(platform, service, image, cause, since, parameter)| Order {
            platform,
            service,
            image,
            cause,
            since,
            parameter,
        },
    )
}

proptest! {
    #[test]
    fn an_order_is_read_as_it_was_written(wanted in any_order()) {
        prop_assert_eq!(order(&serde_json::to_value(&wanted).unwrap()), wanted);
    }

    #[test]
    fn an_odd_event_is_no_error(kind in ".{0,12}", key in "[a-z-]{0,12}", value in ".{0,12}") {
        let event = json!({ "detail-type": kind, "detail": { &key: &value } });
        prop_assert!(matches!(Trigger::parse(&event), Ok(Trigger::Event(event)) if event.push().is_err()));
        for input in [json!({ &key: &value }), json!([value])] {
            let read = Trigger::parse(&input);
            prop_assert!(!matches!(read, Ok(Trigger::Event(_))) || key == "detail-type");
        }
    }
}
