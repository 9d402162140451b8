//! What starts a rollout.

use proptest::prelude::*;
use serde_json::{Value, json};
use skydeck_core::rollout::manifest::Manifest;
use skydeck_core::rollout::trigger::{Cause, Event, Order, Trigger};

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

fn event(spoil: impl FnOnce(&mut Value)) -> Event {
    let mut input = push();
    spoil(&mut input);
    match Trigger::parse(&input).unwrap() {
        Trigger::Event(event) => event,
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
    let event = event(|_| {});
    assert_eq!(event.idle(), None);
    assert_eq!(event.detail.repository_name, "skyfox-devprod-backend");
    assert_eq!(
        (event.detail.image_digest.as_deref(), event.detail.image_tag.as_deref()),
        (Some(DIGEST), Some("latest"))
    );
}

#[test]
fn images_and_indexes_are_taken_whatever_their_format() {
    for kind in Manifest::MEDIA_TYPES {
        assert_eq!(event(|input| input["detail"]["manifest-media-type"] = kind.into()).idle(), None, "{kind}");
    }
    for kind in ["", "application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"] {
        assert_eq!(event(|input| input["detail"]["artifact-media-type"] = kind.into()).idle(), None, "{kind}");
    }
}

#[test]
fn events_that_are_nobodys_business_say_why() {
    type Spoilt = (fn(&mut Value), &'static str);
    let spoilt: [Spoilt; 9] = [
        (|input| input["detail-type"] = "ECR Image Scan".into(), "is not a push"),
        (|input| input["detail"]["action-type"] = "DELETE".into(), "DELETE is not a push"),
        (|input| input["detail"]["result"] = "FAILURE".into(), "to skyfox-devprod-backend failed"),
        (|input| input["detail"]["image-digest"] = Value::Null, "names no digest"),
        (
            |input| drop(input["detail"].as_object_mut().unwrap().remove("image-tag")),
            "has no tag: it is a part of an index",
        ),
        (|input| input["detail"]["image-tag"] = Value::Null, "has no tag: it is a part of an index"),
        (|input| input["detail"]["image-tag"] = "skydeck-keep-7f5b2640fe6f".into(), "skydeck's own tag"),
        (
            |input| input["detail"]["manifest-media-type"] = "application/vnd.cncf.helm.config.v1+json".into(),
            "application/vnd.cncf.helm.config.v1+json is not a container image",
        ),
        (
            |input| input["detail"]["artifact-media-type"] = "application/vnd.dev.cosign.simplesigning.v1+json".into(),
            "simplesigning.v1+json is not a container image",
        ),
    ];
    for (spoil, why) in spoilt {
        let said = event(spoil).idle();
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{why}: {said:?}");
    }
}

#[test]
fn an_event_that_is_not_ecrs_is_an_error_that_says_so() {
    let mut input = push();
    input["detail"].as_object_mut().unwrap().remove("repository-name");
    let error = Trigger::parse(&input).unwrap_err();
    assert!(error.starts_with("the input is not an event of ECR") && error.contains("repository-name"), "{error}");
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
    (text(), "[a-z]{1,8}", text(), prop::sample::select(causes.to_vec()), prop::option::of(any::<i64>()))
        .prop_map(|(platform, service, image, cause, since)| Order { platform, service, image, cause, since })
}

proptest! {
    #[test]
    fn an_order_is_read_as_it_was_written(wanted in any_order()) {
        prop_assert_eq!(order(&serde_json::to_value(&wanted).unwrap()), wanted);
    }

    #[test]
    fn nothing_that_an_input_holds_makes_reading_it_panic(kind in ".{0,12}", key in "[a-z-]{0,12}", value in ".{0,12}") {
        let inputs = [json!({ "detail-type": kind, "detail": { &key: &value } }), json!({ &key: &value }), json!([value])];
        for input in inputs {
            prop_assert!(Trigger::parse(&input).is_ok_and(|read| matches!(read, Trigger::Order(_))) || Trigger::parse(&input).is_err());
        }
    }
}
