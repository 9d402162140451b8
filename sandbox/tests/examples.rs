//! The example services, run for real on this machine, answer as the sandbox's tasks of the same names do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::stack::{Spec, Stack, forward};
use serde_json::Value;
use skydeck_sandbox::Image;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An example's process; it ends with the test.
struct Example {
    process: Child,
    address: String,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Example {
    async fn start(name: &str, environment: &[(String, String)]) -> Self {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/skyfox").join(name);
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut command = Command::new("python3");
        command.arg("app.py").current_dir(dir).envs(environment.iter().cloned());
        command.env("HOST", "127.0.0.1").env("PORT", free.port().to_string()).env("NO_PROXY", "127.0.0.1");
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let example = Self { process, address: free.to_string() };
        common::until(name, || async { TcpStream::connect(&example.address).await.is_ok() }).await;
        example
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Status, content type and JSON of an answer.
async fn ask(address: &str, method: &str, url: &str, key: Option<&str>, user: &str) -> (u16, String, Value) {
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
    let user = STANDARD.encode(format!("{user}:"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A proxy is asked for whole addresses, and a server understands paths.
    let target = if host == address { url.trim_start_matches("http://").trim_start_matches(host) } else { url };
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic {user}\r\n{key}Content-Length: 2\r\n\
         Content-Type: application/json\r\nConnection: close\r\n\r\n{{}}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let kind = head.lines().filter_map(|line| line.split_once(": "));
    let mut kind = kind.filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, kind)| kind.to_owned());
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, kind.next_back().unwrap_or_default(), serde_json::from_str(body).unwrap())
}

/// The same but for the time, which has to be a whole number of seconds where it is told.
fn timeless((status, kind, mut body): (u16, String, Value)) -> (u16, String, Value) {
    if let Some(time) = body.get_mut("timestamp") {
        assert!(time.is_u64(), "{time}");
        *time = Value::Null;
    }
    (status, kind, body)
}

/// A service behind an internal load balancer of its own, which forwards everything to it; its DNS name.
async fn simulated(stack: &mut Stack, spec: &Spec) -> String {
    let group = stack.target_group(spec).await;
    let (_, name) = stack.balancer(spec.name, true, forward(&group)).await;
    stack.repository(spec).await;
    stack.release(spec, "v1", &Image::new("1")).await;
    stack.serve(spec, 1).await;
    stack.stable(spec).await;
    common::until("health", || async { stack.healthy(spec).await == 1 }).await;
    format!("http://{name}")
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const PAYMENT: [(&str, &str); 7] = [
    ("GET", "/pshealth"),
    ("GET", "/payment-service/pshealth"),
    ("POST", "/payment-service/payment"),
    ("GET", "/payment-service/payment"),
    ("POST", "/payment"),
    ("GET", "/"),
    ("GET", "/payment-service/other"),
];

const MOVIE: [(&str, &str); 10] = [
    ("GET", "/mshealth"),
    ("GET", "/movie-service/mshealth"),
    ("GET", "/movie-service/movies"),
    ("GET", "/movie-service/movies/1"),
    ("GET", "/movie-service/movies/2"),
    ("GET", "/movie-service/movies/9"),
    ("POST", "/movie-service/movies"),
    ("DELETE", "/movie-service/movies/1"),
    ("GET", "/movies"),
    ("GET", "/"),
];

const BACKEND: [(&str, &str); 6] = [
    ("GET", "/health"),
    ("GET", "/movies"),
    ("POST", "/payment"),
    ("GET", "/payment"),
    ("GET", "/"),
    ("GET", "/movie-service/movies"),
];

#[tokio::test]
async fn the_examples_answer_as_the_sandboxs_tasks_do() {
    let mut stack = Stack::new(2, 2, true).await;
    let (mut payment, mut movie, mut backend) = (Spec::payment(), Spec::movie(), Spec::backend());
    payment.environment = pairs(&[("API_KEY", "p"), ("APP_VERSION", "prod")]);
    movie.environment = pairs(&[("API_KEY", "m"), ("APP_VERSION", "prod")]);
    let keys = pairs(&[("MOVIE_SERVICE_API_KEY", "m"), ("PAYMENT_GATEWAY_API_KEY", "wrong")]);
    let real =
        [Example::start("payment", &payment.environment).await, Example::start("movie", &movie.environment).await];
    let tasks = [simulated(&mut stack, &payment).await, simulated(&mut stack, &movie).await];
    let callers = |payment: &str, movie: &str| {
        let urls = [
            ("PAYMENT_GATEWAY_URL".to_owned(), format!("{payment}/payment-service")),
            ("MOVIE_SERVICE_URL".to_owned(), format!("{movie}/movie-service")),
        ];
        [keys.clone(), urls.to_vec()].concat()
    };
    backend.environment = callers(&tasks[0], &tasks[1]);
    let backend_task = simulated(&mut stack, &backend).await;
    let real_backend = Example::start("backend", &callers(&real[0].url(), &real[1].url())).await;

    let proxy = stack.sandbox.proxy(true);
    let (user, proxy) = proxy.trim_start_matches("http://").split_once('@').unwrap();
    let services = [
        (&real[0], &tasks[0], PAYMENT.as_slice()),
        (&real[1], &tasks[1], MOVIE.as_slice()),
        (&real_backend, &backend_task, BACKEND.as_slice()),
    ];
    let mut statuses = Vec::new();
    for (example, task, paths) in services {
        for (method, path) in paths {
            for key in [None, Some("p"), Some("m")] {
                let here = ask(&example.address, method, &format!("{}{path}", example.url()), key, user).await;
                let there = ask(proxy, method, &format!("{task}{path}"), key, user).await;
                assert_eq!(timeless(here.clone()), timeless(there), "{method} {path} with {key:?}");
                statuses.push(here.0);
            }
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [200, 401, 404]);
}
