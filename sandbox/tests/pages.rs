//! What a page in the developer's browser can do with the sandbox, and who has no key of this run: nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use common::raw::{self, Raw};
use skydeck_sandbox::{ACCOUNT, Credentials, Sandbox};
use zip::write::SimpleFileOptions;

/// A function that answers with its own environment, and leaves a mark.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
while True:
    invocation = ask(api + "next")
    invocation.read()
    open(os.environ["TMPDIR"] + "/mark", "a").write("ran\n")
    url = api + invocation.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    ask(urllib.request.Request(url, json.dumps(dict(os.environ)).encode(), method="POST")).read()
"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A sandbox with a function that a page would like to invoke.
struct Field {
    sandbox: Sandbox,
    lambda: aws_sdk_lambda::Client,
}

fn zipped() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    zip.write_all(FUNCTION.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

impl Field {
    async fn new() -> Self {
        let sandbox = common::sandbox().await;
        let config = common::person(&sandbox).await;
        let iam = aws_sdk_iam::Client::new(&config);
        let role = iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
        let lambda = aws_sdk_lambda::Client::new(&config);
        let create = lambda.create_function().function_name("victim").role(role.role().unwrap().arn());
        let code = FunctionCode::builder().zip_file(Blob::new(zipped())).build();
        create.code(code).runtime(Runtime::Providedal2023).handler("bootstrap").send().await.unwrap();
        Self { sandbox, lambda }
    }

    fn ran(&self) -> bool {
        self.sandbox.dir().join("mark").exists()
    }

    /// What the function sees around it.
    async fn invoke(&self) -> serde_json::Value {
        let answer = self.lambda.invoke().function_name("victim").send().await.unwrap();
        serde_json::from_slice(answer.payload().unwrap().as_ref()).unwrap()
    }
}

/// With what the sandbox's own interface is asked.
fn token(sandbox: &Sandbox) -> String {
    format!("Bearer {}", keyed(sandbox, "admin"))
}

/// What stands for this run's secret.
fn keyed(sandbox: &Sandbox, purpose: &str) -> String {
    aws_sigv4::sign::v4::calculate_signature(sandbox.credentials().secret_access_key, purpose.as_bytes())
}

/// A signature that looks like one.
fn bogus(path: &str, service: &str) -> String {
    let now = jiff::Timestamp::now();
    let (date, time) = (now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ"));
    format!(
        "{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCOUNT}%2F{date}%2Fap-south-1%2F{service}\
         %2Faws4_request&X-Amz-Date={time}&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
    )
}

/// What a page may send to another origin without asking first.
fn deeds() -> Vec<Raw> {
    let create = r#"{"FunctionName":"evil","Role":"arn:aws:iam::000000000000:role/r","Runtime":"provided.al2023",
        "Handler":"bootstrap","Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}"#;
    let invocations = "/2015-03-31/functions/victim/invocations";
    let text = |raw: Raw| raw.with("content-type", "text/plain");
    vec![
        text(Raw::new("POST", &bogus("/2015-03-31/functions", "lambda"), create)),
        text(Raw::new("POST", &bogus(invocations, "lambda"), "{}")),
        text(Raw::new("POST", invocations, "{}")),
        // The emulator reads the key and the service of half a signature too.
        text(Raw::new("POST", &format!("{invocations}?X-Amz-Credential={ACCOUNT}/1/ap-south-1/lambda/x"), "{}")),
        Raw::new("POST", &bogus("/", "ec2"), "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.9.0.0%2F16")
            .with("content-type", "application/x-www-form-urlencoded"),
        Raw::new("GET", &format!("{}&Action=ListRoles&Version=2010-05-08", bogus("/", "iam")), ""),
        Raw::new("POST", "/bkt", FORM).with("content-type", "multipart/form-data; boundary=x"),
        Raw::new("POST", "/_ministack/reset", ""),
        Raw::new("GET", "/_skydeck/calls", ""),
        text(Raw::new("POST", "/_skydeck/stop", "")),
        // Asked before the request itself, where a page wants more than the simple ones.
        Raw::new("OPTIONS", "/2015-03-31/functions", "").with("access-control-request-method", "PUT"),
    ]
}

/// A form that S3 takes from pages: it carries its own policy and signature.
const FORM: &str = "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nevil\r\n\
    --x\r\nContent-Disposition: form-data; name=\"x-amz-credential\"\r\n\r\n\
    000000000000/20260101/ap-south-1/s3/aws4_request\r\n\
    --x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ne30=\r\n\
    --x\r\nContent-Disposition: form-data; name=\"x-amz-signature\"\r\n\r\n0\r\n\
    --x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nevil\r\n--x--\r\n";

/// What a browser adds, as new and as old as they are; the last adds nothing.
fn disguises(port: u16) -> Vec<Vec<(&'static str, String)>> {
    let text = str::to_owned;
    vec![
        vec![("origin", text("https://evil.example")), ("sec-fetch-site", text("cross-site"))],
        vec![("origin", text("null"))],
        vec![("origin", format!("http://127.0.0.1:{}", port ^ 1)), ("sec-fetch-site", text("same-site"))],
        vec![("sec-fetch-site", text("cross-site")), ("sec-fetch-mode", text("no-cors"))],
        vec![("host", format!("evil.example:{port}")), ("sec-fetch-site", text("same-origin"))],
        vec![("host", format!("evil.example:{port}"))],
        vec![],
    ]
}

// fidelity: F-GUARD-1
#[tokio::test]
async fn a_page_creates_invokes_reads_and_stops_nothing() {
    let field = Field::new().await;
    let (sandbox, before) = (&field.sandbox, field.sandbox.last_call());
    for port in [raw::port(sandbox), sandbox.emulator_port()] {
        for disguise in disguises(port) {
            for deed in deeds() {
                let deed = disguise.iter().fold(deed, |deed, (name, value)| deed.with(name, value));
                let (status, answer) = deed.send(port).await;
                assert!(matches!(status, 400 | 401 | 403), "{status} {answer}: {deed:?}");
                assert!(!answer.contains("victim") && !answer.contains("arn:aws:"), "it is told nothing: {answer}");
            }
        }
    }
    assert_eq!(sandbox.last_call(), before, "nothing was taken for a call");
    assert!(!field.ran(), "the function did not run");
    let functions = field.lambda.list_functions().send().await.unwrap();
    assert_eq!(functions.functions().len(), 1, "it lives, and nothing was made or lost");
    field.invoke().await;
    assert!(field.ran());
}

/// Each of the checks alone: with everything else as it should be.
#[tokio::test]
async fn what_gives_a_page_away_is_refused_even_with_the_right_key() {
    let sandbox = common::sandbox().await;
    let (port, keys) = (raw::port(&sandbox), sandbox.credentials());
    let call = Raw::new("GET", "/2015-03-31/functions", "").signed(&keys, "lambda");
    let own = Raw::new("GET", "/_skydeck/status", "").with("authorization", &token(&sandbox));
    for request in [call, own] {
        for host in [format!("127.0.0.1:{port}"), format!("LocalHost:{port}")] {
            let (status, answer) = request.clone().with("host", &host).with("sec-fetch-site", "none").send(port).await;
            assert_eq!(status, 200, "{answer}");
        }
        let before = sandbox.last_call();
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", &format!("http://127.0.0.1:{port}")),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "same-origin"),
            ("host", &format!("evil.example:{port}")),
            ("host", "127.0.0.1"),
            ("host", &format!("127.0.0.1:{}", port ^ 1)),
            ("host", &format!("localhost:{}", port ^ 1)),
            ("host", &format!("evil-localhost:{port}")),
            ("host", &format!("bkt.s3.localhost:{port}")),
            ("host", &format!(".localhost:{port}")),
            // None, and empty.
            ("host", ""),
            ("host", " "),
        ] {
            let (status, answer) = request.clone().with(name, value).send(port).await;
            assert_eq!(status, 403, "{name}: {value}: {answer}");
            assert!(answer.starts_with(r#"{"error":"the sandbox answers "#), "{answer}");
        }
        for second in [format!("127.0.0.1:{port}"), format!("evil.example:{port}")] {
            let (status, answer) = request.clone().unsigned("host", &second).send(port).await;
            assert_eq!(status, 403, "{answer}");
        }
        assert_eq!(sandbox.last_call(), before);
    }
}

/// The way to load balancers, in which a client names another host in its first line, leads to the sandbox by no name.
// fidelity: F-GUARD-1
#[tokio::test]
async fn the_proxy_leads_to_load_balancers_alone() {
    let sandbox = common::sandbox().await;
    let port = raw::port(&sandbox);
    for to in [port, sandbox.emulator_port()] {
        for host in [format!("127.0.0.1:{to}"), format!("localhost:{to}")] {
            let status = Raw::new("GET", &format!("http://{host}/_skydeck/status"), "");
            let status = status.with("authorization", &token(&sandbox));
            for request in [status, Raw::new("CONNECT", &host, ""), Raw::new("CONNECT", &host, "").with("host", &host)]
            {
                assert_eq!(request.send(port).await, (0, String::new()), "{request:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_sandboxs_own_interface_asks_for_the_secret() {
    let sandbox = common::sandbox().await;
    let port = raw::port(&sandbox);
    let (token, secret) = (token(&sandbox), sandbox.credentials().secret_access_key);
    let basic = token.replace("Bearer", "Basic");
    // Who may sign has the token too; but what is shown as one signs nothing.
    for given in ["", "Bearer ", "Bearer test", &basic, &format!("Bearer {secret}")] {
        for (method, path) in [("GET", "calls"), ("GET", "status"), ("POST", "stop"), ("DELETE", "calls")] {
            let request = Raw::new(method, &format!("/_skydeck/{path}"), "").with("authorization", given);
            assert_eq!(request.send(port).await.0, 403, "{method} {path} with {given}");
        }
    }
    sandbox.admin().status().await.unwrap();
    let own = Raw::new("GET", "/_skydeck/status", "").with("authorization", &token);
    assert_eq!(own.send(port).await.0, 200);
}

#[tokio::test]
async fn the_emulator_answers_to_the_gateway_alone() {
    let sandbox = common::sandbox().await;
    let (emulator, gateway) = (sandbox.emulator_port(), raw::port(&sandbox));
    let keys = sandbox.credentials();
    let list = Raw::new("GET", "/2015-03-31/functions", "").signed(&keys, "lambda");
    let health = Raw::new("GET", "/_ministack/health", "");
    let with = |pass: &str| list.clone().with("x-sandbox-pass", pass);
    for request in [list.clone(), health, with("test"), with(&keys.secret_access_key), with(&keyed(&sandbox, "admin"))]
    {
        assert_eq!(request.send(emulator).await.0, 403, "{request:?}");
    }
    let passed = Raw::new("GET", "/2015-03-31/functions", "").with("x-sandbox-pass", &keyed(&sandbox, "pass"));
    assert_eq!(passed.signed(&keys, "lambda").send(emulator).await.0, 200, "as the gateway asks it");
    // What the gateway asks for itself, no client can ask for through it.
    let (status, answer) = list.with("x-sandbox-key", "AKIA").send(gateway).await;
    assert!(status == 200 && answer.contains("Functions"), "{answer}");
}

/// Where a function fetches its events no key is asked for.
// fidelity: F-GUARD-7
#[tokio::test]
async fn a_page_takes_and_answers_no_functions_event() {
    let field = Field::new().await;
    let seen = field.invoke().await;
    let api = seen["AWS_LAMBDA_RUNTIME_API"].as_str().unwrap();
    let port = api.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    let init = "/2018-06-01/runtime/init/error";
    // The body would be the next request, where nobody reads it.
    let hidden = format!("POST {init} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
    let deeds = [
        Raw::new("POST", init, r#"{"errorMessage":"evil","errorType":"evil"}"#),
        Raw::new("POST", init, &hidden).with("connection", "keep-alive"),
        Raw::new("POST", "/2018-06-01/runtime/invocation/1/response", "{}"),
        Raw::new("GET", "/2018-06-01/runtime/invocation/next", ""),
    ];
    let mut disguises = disguises(port);
    assert_eq!(disguises.pop(), Some(Vec::new()), "what adds nothing is no page");
    disguises.extend(["", "localhost"].map(|host| vec![("host", host.to_owned())]));
    for disguise in disguises {
        for deed in &deeds {
            let deed = disguise.iter().fold(deed.clone(), |deed, (name, value)| deed.with(name, value));
            let (status, answer) = deed.send(port).await;
            assert!(status == 403 && !answer.contains("HTTP/1.1"), "{status} {answer}: {deed:?}");
        }
    }
    assert_eq!(field.invoke().await["AWS_LAMBDA_RUNTIME_API"], api, "it lives");
}

#[tokio::test]
async fn a_functions_keys_are_its_own_and_cannot_be_guessed() {
    let field = Field::new().await;
    let (sandbox, seen) = (&field.sandbox, field.invoke().await);
    let secret = sandbox.credentials().secret_access_key;
    assert!(!seen.to_string().contains(&secret), "a function does not see the secret of this run");
    let of = |name: &str| seen[name].as_str().unwrap().to_owned();
    let keys = Credentials { access_key_id: of("AWS_ACCESS_KEY_ID"), secret_access_key: of("AWS_SECRET_ACCESS_KEY") };
    let whoami = Raw::new("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15")
        .with("content-type", "application/x-www-form-urlencoded")
        .with("x-amz-security-token", &of("AWS_SESSION_TOKEN"));
    let (status, answer) = whoami.clone().signed(&keys, "sts").send(raw::port(sandbox)).await;
    assert!(status == 200 && answer.contains("assumed-role/r/victim"), "{answer}");
    // As the emulator would make them of names that everybody knows.
    let digest = sha(&format!("arn:aws:lambda:ap-south-1:{ACCOUNT}:function:victim:arn:aws:iam::{ACCOUNT}:role/r"));
    let guessed = Credentials {
        access_key_id: format!("ASIA{}", digest[..16].to_uppercase()),
        secret_access_key: sha(&format!("secret:{digest}")),
    };
    for access_key_id in [keys.access_key_id, guessed.access_key_id.clone()] {
        let guessed = Credentials { access_key_id, ..guessed.clone() };
        let (status, answer) = whoami.clone().signed(&guessed, "sts").send(raw::port(sandbox)).await;
        assert_eq!(status, 403, "{answer}");
    }
}

fn sha(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(text))
}
