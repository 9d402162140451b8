//! HTTPS: a platform with certificates is applied and verified by TLS, under the names that its certificates are for.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use skydeck_sandbox::Image;
use skydeck_tests::{Rig, acm, root_keys};
use tokio::io::{AsyncBufReadExt, BufReader};

/// More than a run takes to say what it waits for, however busy this machine is.
const LIMIT: Duration = Duration::from_secs(120);

/// A service behind each of two load balancers, with these certificates.
fn platform(external: &str, internal: &str) -> String {
    let mut file = r#"
        [platform]
        name = "locked"
        environment = "test"
        region = "ap-south-1"
    "#
    .to_owned();
    for (key, scheme, certificate) in [("external", "internet-facing", external), ("internal", "internal", internal)] {
        let _ = write!(
            file,
            r#"
            [load-balancers.{key}]
            scheme = "{scheme}"
            certificate = "{certificate}"
            host = "{key}.example.com"
            "#
        );
    }
    file + r#"
        [services.web]
        load-balancer = "external"
        port = 8080
        health = { path = "/health" }
        probe = { path = "/health" }

        [services.api]
        load-balancer = "internal"
        path = "/api*"
        priority = 1
        port = 8081
        health = { path = "/health" }
        probe = { path = "/api/health" }
    "#
}

/// What `Ask`, outside the VPC, says of one URL that is asked at a load balancer.
async fn ask(rig: &Rig, url: &str, balancer: &str) -> String {
    let question = json!({
        "service": "web", "url": url, "connect_to": balancer, "timeout_milliseconds": 30000,
        "expected": { "status": "200" },
    });
    let verification = json!({
        "status": "serving", "round": 0, "checks": [], "summary": "", "asks": true, "asks_inside": false,
        "outside": { "questions": [question] }, "inside": { "questions": [] },
    });
    let payload = Blob::new(json!({ "verification": verification }).to_string());
    let answer = rig.aws.lambda().invoke().function_name("skydeck-ask").payload(payload).send().await;
    let answer = answer.expect("an answer").payload.expect("a payload").into_inner();
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    answer["checks"][0]["evidence"].as_str().unwrap_or_default().to_owned()
}

async fn issued(rig: &Rig, name: &str) -> String {
    let request = acm(rig.sandbox.endpoint(), root_keys(&rig.sandbox)).request_certificate().domain_name(name);
    request.send().await.expect("a certificate").certificate_arn.expect("an ARN")
}

/// A certificate for that name, which nobody vouches for.
async fn made_at_home(rig: &Rig, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let blob = |pem: String| aws_sdk_acm::primitives::Blob::new(pem);
    let request =
        acm(rig.sandbox.endpoint(), root_keys(&rig.sandbox)).import_certificate().certificate(blob(made.cert.pem()));
    let imported = request.private_key(blob(made.signing_key.serialize_pem())).send().await;
    imported.expect("it is taken").certificate_arn.expect("an ARN")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_with_certificates_is_verified_by_tls_under_its_hosts() {
    let rig = Rig::installed().await;
    let file = rig.sandbox.dir().join("locked.toml");
    let apply = ["apply", file.to_str().expect("a path"), "--json"];
    let (external, wildcard) = (issued(&rig, "external.example.com").await, issued(&rig, "*.example.com").await);
    std::fs::write(&file, platform(&external, &wildcard)).expect("a file");
    rig.skydeck(apply).await.succeeded();
    for service in ["web", "api"] {
        let pushed = rig.sandbox.push(&format!("locked-test-{service}"), "v1.0.0", &Image::new("1")).await;
        pushed.expect("the repository is there");
    }
    let applied = rig.skydeck(apply).await.succeeded().json();
    let checks = applied["conclusion"]["checks"].as_array().expect("checks").clone();
    let answers: Vec<&str> = checks.iter().filter_map(|check| check["evidence"].as_str()).collect();
    for wanted in
        ["https://external.example.com/health answers 200", "https://internal.example.com/api/health answers 200"]
    {
        assert!(answers.contains(&wanted), "{checks:#?}");
    }
    let balancers = rig.aws.elb().describe_load_balancers().send().await.expect("load balancers");
    let dns = |name: &str| {
        let mut found = balancers.load_balancers().iter();
        let found = found.find(|found| found.load_balancer_name() == Some(name)).expect("the load balancer");
        found.dns_name().expect("a name").to_owned()
    };
    let (external, internal) = (dns("locked-test-external"), dns("locked-test-internal"));
    assert_plain_http_is_sent_to_https(&rig, &external, &internal).await;
    assert_only_the_names_own_certificate_will_do(&rig, &external).await;
    let closed = ask(&rig, "https://internal.example.com/api/health", &internal).await;
    assert!(closed.contains("answers nothing (no connection: "), "from outside the VPC: {closed}");
    assert!(!closed.contains("certificate"), "there is no way at all: {closed}");

    let (unknown, other) = (made_at_home(&rig, "external.example.com").await, issued(&rig, "other.example.com").await);
    std::fs::write(&file, platform(&unknown, &other)).expect("a file");
    assert_waits_for_certificates(&rig, &apply).await;
}

async fn assert_plain_http_is_sent_to_https(rig: &Rig, external: &str, internal: &str) {
    for (inside, balancer, host) in
        [(false, external, "external.example.com"), (true, internal, "internal.example.com")]
    {
        let url = format!("http://{balancer}/api/health?a=1");
        let reply = rig.sandbox.ask(inside, "GET", &url, &[]).await.expect("an answer");
        let to = reply.location.unwrap_or_default();
        assert_eq!((reply.status, to.as_str()), (301, &*format!("https://{host}:443/api/health?a=1")));
        let url = format!("http://{balancer}:443/api/health");
        let reply = rig.sandbox.ask(inside, "GET", &url, &[]).await.expect("an answer");
        assert_eq!(reply.status, 400, "{}", reply.body);
    }
}

async fn assert_only_the_names_own_certificate_will_do(rig: &Rig, external: &str) {
    let good = ask(rig, "https://external.example.com/health", external).await;
    assert_eq!(good, "https://external.example.com/health answers 200");
    let other = ask(rig, "https://www.example.com/health", external).await;
    for part in ["answers nothing (no connection: ", "certificate not valid for name \"www.example.com\""] {
        assert!(other.contains(part), "{other}");
    }
}

/// An apply whose certificates are not what clients take says so while it waits for better ones.
async fn assert_waits_for_certificates(rig: &Rig, apply: &[&str]) {
    let mut command = rig.command(apply);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("skydeck can be started");
    let mut lines = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let mut told = String::new();
    let waiting = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            told += &format!("{line}\n");
            if line.contains("service web") && line.contains("service api") {
                return line;
            }
        }
        String::new()
    };
    let line = tokio::time::timeout(LIMIT, waiting).await.unwrap_or_default();
    for part in ["certificate: UnknownIssuer", "certificate not valid for name \"internal.example.com\""] {
        assert!(line.contains(part), "{part} in {told}");
    }
    run.kill().await.expect("it ends");
}
