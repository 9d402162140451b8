//! Changes of a running platform, while somebody asks all of its services all the time: a plan shows each, an apply does what it
//! showed, and nobody goes without an answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use skydeck_sandbox::Image;
use skydeck_tests::rollouts::Stage;
use skydeck_tests::{canary, root};

/// What is asked, by service: whether from inside the VPC, the load balancer and the path.
const ASKED: [(&str, bool, &str, &str); 3] = [
    ("backend", false, "external", "/health"),
    ("payment", true, "internal", "/payment-service/pshealth"),
    ("movie", true, "internal", "/movie-service/mshealth"),
];

/// A platform file that is changed step by step.
struct File {
    text: String,
    path: String,
}

impl File {
    fn new() -> Self {
        let text = std::fs::read_to_string(root().join("platforms/skyfox.toml")).expect("the file");
        let path = std::env::temp_dir().join(format!("skydeck-changes-{}.toml", std::process::id()));
        let file = File { text, path: path.display().to_string() };
        std::fs::write(&file.path, &file.text).expect("a file");
        file
    }

    /// Replaces each text, which is there once or more often.
    fn change(&mut self, replacements: &[(&str, &str)]) {
        for (old, new) in replacements {
            assert!(self.text.contains(old), "`{old}` is not in the file");
            self.text = self.text.replace(old, new);
        }
        std::fs::write(&self.path, &self.text).expect("a file");
    }

    /// Takes a section, and all that is below it, out of the file. Returns it.
    fn take(&mut self, section: &str) -> String {
        let (mut kept, mut taken, mut inside) = (String::new(), String::new(), false);
        for line in self.text.lines() {
            if line.starts_with('[') {
                inside = line.starts_with(&format!("[{section}]")) || line.starts_with(&format!("[{section}."));
            }
            let side = if inside { &mut taken } else { &mut kept };
            side.push_str(line);
            side.push('\n');
        }
        assert!(!taken.is_empty(), "[{section}] is not in the file");
        self.text = kept;
        std::fs::write(&self.path, &self.text).expect("a file");
        taken
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        std::fs::write(&self.path, &self.text).expect("a file");
    }
}

/// Asks everything again and again until `work` is done. Returns what it came to and how many requests were answered; fails where
/// one was not, or with a server's error.
async fn under_load<T>(stage: &Stage, what: &str, urls: &BTreeMap<String, String>, work: impl Future<Output = T>) -> T {
    let (good, bad) = (RefCell::new(0_u32), RefCell::new(Vec::new()));
    let load = async {
        loop {
            for (service, inside, balancer, path) in ASKED {
                let url = format!("{}{path}", urls[balancer]);
                let answer = stage.rig.sandbox.ask(inside, "GET", &url, &[("x-api-key", canary())]).await;
                match answer.map(|answer| answer.status) {
                    Some(200) => *good.borrow_mut() += 1,
                    other => bad.borrow_mut().push((service, stage.rig.sandbox.clock().now(), other)),
                }
            }
            pause().await;
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = load => unreachable!("it asks for ever"),
    };
    let bad = bad.into_inner();
    assert!(
        bad.is_empty(),
        "{what}: {} of {} requests failed: {:?}",
        bad.len(),
        good.borrow(),
        &bad[..bad.len().min(12)]
    );
    assert!(*good.borrow() > 10, "{what}: there was no load");
    done
}

/// Between two rounds of questions.
#[expect(clippy::disallowed_methods, reason = "a load has a pace; no Lambda waits here")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(25)).await;
}

/// Plans the file, applies the plan under load, and finds nothing left to do. Returns the plan.
async fn change(stage: &Stage, what: &str, file: &File, urls: &BTreeMap<String, String>) -> Value {
    under_load(stage, what, urls, async {
        let begun = std::time::Instant::now();
        let planned = stage.rig.skydeck(["plan", &file.path, "--json"]).await;
        assert_eq!(planned.code, Some(2), "{what}: {planned:#?}");
        let planned = planned.json();
        let id = planned["id"].as_str().expect("an id");
        let applied = stage.rig.skydeck(["apply", "--plan", id, "--json"]).await.succeeded();
        let conclusion = applied.json()["conclusion"].clone();
        let words = [("create", "created"), ("change", "updated"), ("replace", "replaced"), ("delete", "deleted")];
        for (shown, done) in words {
            let layers = conclusion["layers"].as_array().into_iter().flatten();
            let sum: u64 = layers.filter_map(|layer| layer[done].as_u64()).sum();
            assert_eq!(planned["counts"][shown].as_u64(), Some(sum), "{what}, {shown}: {planned:#}\n{conclusion:#}");
        }
        let after = stage.rig.skydeck(["plan", "--json"]).await;
        assert_eq!(after.code, Some(0), "{what}: {:#}\n{conclusion:#}", after.json());
        eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
        planned
    })
    .await
}

/// The changes of a plan, as `action kind name`; a target group's name without its hash.
fn told(plan: &Value) -> Vec<String> {
    let layers = plan["layers"].as_array().into_iter().flatten();
    let changes = layers.flat_map(|layer| layer["changes"].as_array().into_iter().flatten());
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    changes
        .map(|change| {
            let (kind, mut name) = (text(change, "kind"), text(change, "name"));
            if kind == "target group" {
                name.truncate(name.len() - 7);
            }
            format!("{} {kind} {name}", text(change, "action"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_platform_changes_and_serves_all_the_time() {
    let mut file = File::new();
    let stage = Stage::applied(&file.path).await;
    for service in ["backend", "payment", "movie"] {
        stage.push(service, "v1", &Image::new("1")).await;
    }
    let applied = stage.rig.skydeck(["apply", &file.path, "--json"]).await.succeeded().json();
    let outputs = applied["conclusion"]["outputs"]["load_balancers"].clone();
    let url = |key: &str| (key.to_owned(), outputs[key]["url"].as_str().expect("a URL").to_owned());
    let urls = BTreeMap::from([url("external"), url("internal")]);

    // A port, a health path, cpu and memory: rollouts, side by side, and one setting of a target group.
    file.change(&[
        ("port = 4567", "port = 4568"),
        ("PORT = \"4567\"", "PORT = \"4568\""),
        ("localhost:4567/", "localhost:4568/"),
        ("health = { path = \"/pshealth\"", "health = { path = \"/payment-service/pshealth\""),
        ("cpu = 475\nmemory = 819", "cpu = 400\nmemory = 700"),
    ]);
    let plan = change(&stage, "port, health path, size", &file, &urls).await;
    assert_eq!(
        told(&plan),
        ["update target group skyfox-devprod-payment", "update service backend", "update service movie"]
    );

    // Services, one on another path and one with a load balancer of its own; and a zone less, in which an instance runs.
    file.add(MORE);
    file.change(&[("zones = 3", "zones = 2")]);
    assert!(runs_in(&stage, "ap-south-1c").await, "the backend's rollout needed a third instance");
    change(&stage, "services, load balancer, path added, zone removed", &file, &urls).await;
    assert!(!runs_in(&stage, "ap-south-1c").await);

    // A service of another name for the same path and the same images.
    let movie = file.take("services.movie");
    file.add(&movie.replace("[services.movie", "[services.film"));
    file.change(&[("services.movie.url", "services.film.url")]);
    let plan = change(&stage, "service renamed", &file, &urls).await;
    let told = told(&plan);
    for part in ["update listener rule skyfox-devprod-film", "create service film", "delete service movie"] {
        assert!(told.iter().any(|line| line == part), "{part}: {told:#?}");
    }

    file.take("services.admin");
    file.take("services.extra");
    file.take("load-balancers.private");
    file.change(&[("zones = 2", "zones = 3")]);
    change(&stage, "services, load balancer, path removed, zone added", &file, &urls).await;
    std::fs::remove_file(&file.path).expect("the file");
}

/// Whether an instance runs in a zone.
async fn runs_in(stage: &Stage, zone: &str) -> bool {
    let found = stage.rig.aws.autoscaling().describe_auto_scaling_groups().send().await.expect("groups");
    let mut instances = found.auto_scaling_groups().iter().flat_map(|group| group.instances());
    instances.any(|instance| instance.availability_zone() == Some(zone))
}

const MORE: &str = r#"
[services.extra]
load-balancer = "internal"
path = "/extra*"
priority = 50
port = 9001
cpu = 100
memory = 100
desired = 1
health = { path = "/health" }

[load-balancers.private]
scheme = "internal"

[services.admin]
load-balancer = "private"
port = 9000
cpu = 100
memory = 100
desired = 1
health = { path = "/health" }
"#;
