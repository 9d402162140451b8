//! The load balancer's own answers, and what stands in the registry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, RedirectActionConfig, TargetDescription};
use common::stack::{Spec, Stack};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use skydeck_sandbox::Image;

#[tokio::test]
async fn a_load_balancer_says_itself_what_went_wrong() {
    let mut stack = Stack::new(1, 1, false).await;
    let spec = Spec { name: "slow", ..Spec::payment() };
    let group = stack.target_group(&spec).await;
    let redirect = aws_sdk_elasticloadbalancingv2::types::RedirectActionStatusCodeEnum::Http301;
    let redirect = RedirectActionConfig::builder().protocol("HTTPS").port("443").status_code(redirect).build();
    let action = Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build();
    let (listener, dns) = stack.balancer("b", false, action).await;
    let (_, moved) = stack.ask(false, "GET", &format!("http://{dns}/else?x=1")).await.unwrap();
    assert!(moved.starts_with("HTTP/1.1 301") && moved.contains(&format!("https://{dns}:443/else?x=1")), "{moved}");
    // A site's own pages send these, and it is the site that looks at them.
    let headers = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
    let page = stack.sandbox.ask(false, "GET", &format!("http://{dns}/else"), &headers).await.unwrap();
    assert_eq!((page.status, page.server.as_deref()), (301, Some("awselb/2.0")));

    stack.rule(&listener, 1, "/a*", &group).await;
    let ask = || async { stack.ask(false, "GET", &format!("http://{dns}/a")).await.unwrap() };
    let (status, text) = ask().await;
    assert!(
        status == 503 && text.contains("server: awselb/2.0") && text.contains("503 Service Temporarily Unavailable")
    );

    // A target behind which nothing listens.
    let target = TargetDescription::builder().id("i-0123456789abcdef0").port(40000).build();
    stack.elb.register_targets().target_group_arn(&group).targets(target.clone()).send().await.unwrap();
    let (status, text) = ask().await;
    assert!(status == 502 && text.contains("502 Bad Gateway"), "{text}");
    common::until("failing", || async {
        let health = stack.elb.describe_target_health().target_group_arn(&group).send().await.unwrap();
        let health = health.target_health_descriptions()[0].target_health().unwrap().clone();
        let state = health.state().map(|state| state.as_str().to_owned());
        let reason = health.reason().map(|reason| reason.as_str().to_owned());
        (state.as_deref(), reason.as_deref()) == (Some("unhealthy"), Some("Target.FailedHealthChecks"))
    })
    .await;
    let elsewhere = TargetDescription::builder().id("i-0123456789abcdef0").port(1).build();
    let asked = stack.elb.describe_target_health().target_group_arn(&group).targets(elsewhere).send().await.unwrap();
    let unknown = asked.target_health_descriptions()[0].target_health().unwrap();
    assert_eq!(unknown.reason().unwrap().as_str(), "Target.NotRegistered");
    stack.elb.deregister_targets().target_group_arn(&group).targets(target).send().await.unwrap();
    assert_eq!(ask().await.0, 503);

    // A target that takes longer than a load balancer waits.
    stack.repository(&spec).await;
    stack.release(&spec, "v1", &Image::new("1").behaving("slow:61")).await;
    stack.serve(&spec, 1).await;
    common::until("waiting", || async {
        let (status, text) = ask().await;
        status == 504 && text.contains("504 Gateway Time-out")
    })
    .await;
}

#[tokio::test]
async fn an_image_says_how_it_was_built() {
    let stack = Stack::new(0, 1, false).await;
    let spec = Spec::movie();
    stack.repository(&spec).await;
    let image = Image::new("1").built_for(&["amd64"]).plain().behaving("crash");
    stack.sandbox.push(spec.name, "v1", &image).await.unwrap();
    let ecr = aws_sdk_ecr::Client::new(&stack.config);
    let id = ImageIdentifier::builder().image_tag("v1").build();
    let found = ecr.batch_get_image().repository_name(spec.name).image_ids(id).send().await.unwrap();
    let manifest: serde_json::Value = serde_json::from_str(found.images()[0].image_manifest().unwrap()).unwrap();
    let digest = manifest["config"]["digest"].as_str().unwrap();
    let ask = ecr.get_download_url_for_layer().repository_name(spec.name).layer_digest(digest);
    let url = ask.send().await.unwrap().download_url.unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.parse().unwrap()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let config: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(config["architecture"], "amd64");
    assert_eq!(config["config"]["Labels"]["skydeck.behaves"], "crash");
}
