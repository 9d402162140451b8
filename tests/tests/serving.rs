//! From empty to serving: images start services, what runs is verified, and the seed's traffic flows.

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use skydeck_sandbox::{EventFault, EventFaultKind, Image, Pushed};
use skydeck_tests::secret::give_skyfox;
use skydeck_tests::{Rig, canary};

const APPLY: [&str; 3] = ["apply", "platforms/skyfox.toml", "--json"];

/// Installed, with all secrets given and the platform standing, without an image.
async fn standing() -> Rig {
    let rig = Rig::installed().await;
    give_skyfox(&rig.aws).await;
    let applied = rig.skydeck(APPLY).await.succeeded().json();
    let checks = applied["conclusion"]["checks"].as_array().expect("checks").clone();
    assert_eq!(checks.len(), 3);
    assert!(checks.iter().all(|check| check["evidence"] == "no image yet"), "{checks:#?}");
    rig
}

async fn push(rig: &Rig, repository: &str, image: &Image) -> Pushed {
    let repository = format!("skyfox-devprod-{repository}");
    rig.sandbox.push(&repository, "v1.0.0", image).await.expect("the repository is there")
}

/// Status and body; `None` where there is no way.
async fn ask(rig: &Rig, inside: bool, method: &str, url: &str) -> Option<(u16, String)> {
    rig.sandbox.ask(inside, method, url, &[("x-api-key", canary())]).await.map(|reply| (reply.status, reply.body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_images_start_the_services_and_the_seeds_traffic_flows() {
    let rig = standing().await;
    let backend = push(&rig, "backend", &Image::new("1")).await;
    push(&rig, "payment-service", &Image::new("1").plain()).await;
    push(&rig, "movie-service", &Image::new("1").built_for(&["arm64", "amd64"])).await;

    let applied = rig.skydeck(APPLY).await.succeeded();
    assert!(applied.stderr.contains("backend, movie, payment answer"), "{}", applied.stderr);
    let applied = applied.json();
    let checks = applied["conclusion"]["checks"].as_array().expect("checks").clone();
    assert_eq!(checks.len(), 12, "{checks:#?}");
    assert!(checks.iter().all(|check| check["outcome"] == "ok"), "{checks:#?}");
    assert_runs_by_digest(&rig, &backend).await;
    let outputs = &applied["conclusion"]["outputs"];
    assert_traffic_flows(&rig, outputs).await;

    let before = rig.sandbox.last_call();
    rig.skydeck(APPLY).await.succeeded();
    assert!(rig.writes_since(before).is_empty(), "it has converged");

    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
    let clusters = rig.aws.ecs().describe_clusters().clusters("skyfox-devprod").send().await.expect("clusters");
    assert!(clusters.clusters().iter().all(|cluster| cluster.status() == Some("INACTIVE")));
}

/// Pinned by the digest to which the tag led: the index's.
async fn assert_runs_by_digest(rig: &Rig, pushed: &Pushed) {
    let services = rig.aws.ecs().describe_services().cluster("skyfox-devprod").services("backend").send().await;
    let services = services.expect("the service");
    let definition = services.services()[0].task_definition().expect("a task definition");
    let found = rig.aws.ecs().describe_task_definition().task_definition(definition).send().await.expect("it");
    let image = found.task_definition().expect("it").container_definitions()[0].image().expect("an image");
    assert!(image.ends_with(&format!("/skyfox-devprod-backend@{}", pushed.digest)), "{image}");
    assert_eq!((services.services()[0].desired_count(), services.services()[0].running_count()), (2, 2));
}

async fn assert_traffic_flows(rig: &Rig, outputs: &Value) {
    let url = |key: &str| outputs["load_balancers"][key]["url"].as_str().expect("a URL").to_owned();
    let (external, internal) = (url("external"), url("internal"));
    // Outside, the external load balancer, a backend task, the internal load balancer, a payment or movie task.
    for (method, path, part) in
        [("GET", "/health", "healthy"), ("GET", "/movies", "The Fox"), ("POST", "/payment", "SUCCESS")]
    {
        let (status, body) = ask(rig, false, method, &format!("{external}{path}")).await.expect("an answer");
        assert!(status == 200 && body.contains(part), "{path}: {status} {body}");
    }
    for (path, status) in [
        ("/payment-service/pshealth", 200),
        ("/movie-service/mshealth", 200),
        ("/movie-service/movies", 200),
        ("/movie-service/movies/1", 200),
        ("/movie-service/movies/99", 404),
    ] {
        let answer = ask(rig, true, "GET", &format!("{internal}{path}")).await.expect("an answer");
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
    }
    // Anything else is nobody's: the load balancer's own answer.
    for path in ["/", "/health", "/pshealth", "/movies"] {
        let own = rig.sandbox.ask(true, "GET", &format!("{internal}{path}"), &[]).await.expect("an answer");
        assert_eq!((own.status, own.server.as_deref(), own.body.as_str()), (404, Some("awselb/2.0"), "Not Found"));
    }
    for path in ["/payment-service/pshealth", "/movie-service/mshealth", "/"] {
        assert_eq!(ask(rig, false, "GET", &format!("{internal}{path}")).await, None, "{path}");
    }
    assert_only_the_probe_reaches(rig, &format!("{internal}/movie-service/mshealth")).await;
}

/// The function inside the VPC is answered where the one outside finds no way.
async fn assert_only_the_probe_reaches(rig: &Rig, url: &str) {
    let questions = json!({ "questions": [
        { "service": "movie", "url": url, "timeout_milliseconds": 5000, "expected": { "status": "200" } },
    ]});
    let inside = invoke(rig, "skydeck-skyfox-devprod-probe", &questions).await;
    let answers = inside["answers"][0].as_array().expect("answers");
    assert_eq!(answers.len(), 3, "asked several times in a row: {inside:#}");
    assert!(answers.iter().all(|answer| answer["answered"]["status"] == 200), "{inside:#}");
    let verification = json!({
        "status": "serving", "round": 0, "checks": [], "summary": "", "asks": true, "asks_inside": false,
        "outside": questions, "inside": { "questions": [] },
    });
    let outside = invoke(rig, "skydeck-ask", &json!({ "verification": verification })).await;
    assert_eq!(outside["status"], "waiting", "{outside:#}");
    let summary = outside["summary"].as_str().unwrap_or_default();
    assert!(summary.contains("answers nothing"), "{summary}");
}

async fn invoke(rig: &Rig, function: &str, payload: &Value) -> Value {
    let payload = Blob::new(payload.to_string());
    let answer = rig.aws.lambda().invoke().function_name(function).payload(payload).send().await.expect("an answer");
    let answer = answer.payload.expect("a payload").into_inner();
    serde_json::from_slice(&answer).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_whose_service_does_not_come_up_says_which_and_why() {
    let rig = standing().await;
    // Without its event, the apply is who starts the rollout.
    rig.sandbox.disturb(EventFault::next(EventFaultKind::Lose).times(0));
    push(&rig, "movie-service", &Image::new("1").behaving("crash")).await;
    let ended = rig.skydeck(APPLY).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let conclusion = ended.json()["conclusion"].clone();
    let failure = &conclusion["failure"];
    assert_eq!((&failure["layer"], &failure["error"]), (&"serving".into(), &"NotServing".into()), "{failure:#}");
    let cause = failure["cause"].as_str().unwrap_or_default();
    for part in [
        "service movie: rollout: image v1.0.0",
        "Essential container in task exited, exit code 1",
        "there was nothing to return to, so that the service has no tasks now",
    ] {
        assert!(cause.contains(part), "{part}: {cause}");
    }
    assert!(!cause.contains("backend"), "others have no image and are not waited for: {cause}");
    let found = rig.aws.lambda().get_function().function_name("skydeck-skyfox-devprod-probe").send().await;
    assert!(found.is_ok(), "the platform stands");
    rig.skydeck(["destroy", "skyfox-devprod", "--yes"]).await.succeeded();
}
