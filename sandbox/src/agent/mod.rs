//! What runs on instances: an agent pulls the images of a task, starts its containers, which are small HTTP servers on
//! ports of this machine, and tells ECS how they fare.

mod app;
mod check;
mod command;
mod image;
mod request;
mod secrets;
mod skyfox;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::asg::Place;
use crate::ecs::{Launch, Port, Report};
use crate::gateway::Shared;
use app::App;
use command::Programs;
use image::{Behaviour, Image};

/// Seconds on AWS from a task's placement to the end of its pull, and from there to its start: assumed.
const PULL: f64 = 5.0;
const START: f64 = 1.0;
/// Seconds on AWS after which a container of `crash-later` ends, or one of `fails-check-later` fails its own check.
const LATER: f64 = 60.0;

/// By instance and host port.
type Ports = HashMap<(String, u16), u16>;

/// All agents.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    running: Mutex<HashMap<String, AbortHandle>>,
    ports: Mutex<Ports>,
}

impl Agents {
    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port of this machine behind a port of an instance.
    pub(crate) fn port(&self, instance: &str, port: u16) -> Option<u16> {
        self.ports().get(&(instance.to_owned(), port)).copied()
    }

    /// Starts a task; it ends with `tasks` at the latest.
    pub(crate) fn start(shared: &Arc<Shared>, place: &Place, launch: Launch, tasks: &mut JoinSet<()>) {
        let id = launch.task.clone();
        let agent = Agent { shared: Arc::clone(shared), place: place.clone(), launch };
        let handle = tasks.spawn(async move { agent.run().await });
        let mut running = shared.agents.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id, handle);
    }

    /// Ends a task at once.
    pub(crate) fn stop(&self, id: &str) {
        if let Some(handle) = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            handle.abort();
        }
    }
}

struct Agent {
    shared: Arc<Shared>,
    place: Place,
    launch: Launch,
}

/// A container that is about to start.
struct Prepared {
    name: String,
    app: Arc<App>,
    behaviour: Behaviour,
    programs: Programs,
    foreign: bool,
}

impl Agent {
    fn tell(&self, report: Report) {
        self.shared.ecs.report(&self.shared, &self.place, &self.launch.task, report);
    }

    async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(self.shared.clock.scaled(seconds))).await;
    }

    async fn run(self) {
        self.tell(Report::Pulling);
        self.pass(PULL).await;
        let prepared = match self.prepare().await {
            Ok(prepared) => prepared,
            Err(reason) => return self.tell(Report::Failed(reason)),
        };
        self.pass(START).await;
        if let Some((ends, (container, code, reason))) =
            prepared.iter().find_map(|container| Some((container, container.ends_at_once()?)))
        {
            self.log(&container, ends.last_line()).await;
            return self.tell(Report::Exited { container, code, reason });
        }
        // They go with this future, however it ends.
        let mut servers = JoinSet::new();
        let mut held = Held { shared: Arc::clone(&self.shared), ports: Vec::new() };
        for (container, (_, ports)) in prepared.iter().zip(&self.launch.containers) {
            for port in ports.iter().filter(|port| container.app.listens_on(port.container)) {
                let Ok((listener, address)) = crate::gateway::bind(0).await else {
                    let text = "CannotStartContainerError: Error response from daemon: failed to bind host port";
                    return self.tell(Report::Failed(text.to_owned()));
                };
                held.add(&self.launch.instance, port.host, address.port());
                servers.spawn(serve(listener, Arc::clone(&container.app)));
            }
        }
        self.tell(Report::Started);
        for (container, (definition, ports)) in prepared.iter().zip(&self.launch.containers) {
            let instance = &self.launch.instance;
            if let Some(check) = check::Check::of(&self.shared, container, definition, ports, instance) {
                servers.spawn(check.run(self.place.clone(), self.launch.task.clone()));
            }
            if container.behaviour == Behaviour::CrashLater {
                let (shared, place, task) = (Arc::clone(&self.shared), self.place.clone(), self.launch.task.clone());
                let container = container.name.clone();
                servers.spawn(async move {
                    tokio::time::sleep(Duration::from_secs_f64(shared.clock.scaled(LATER))).await;
                    shared.ecs.report(&shared, &place, &task, Report::Exited { container, code: 1, reason: None });
                });
            }
        }
        while servers.join_next().await.is_some() {}
        // Without a port there is nothing to serve, and the task still runs.
        std::future::pending::<()>().await;
    }

    /// Writes a line into the container's log, as the log driver does where there is one.
    async fn log(&self, container: &str, line: &str) {
        let mut definitions = self.launch.containers.iter().map(|(definition, _)| definition);
        let own = definitions.find(|definition| definition.name == container);
        let log = own.and_then(|definition| definition.rest.get("logConfiguration"));
        let option = |name: &str| log.and_then(|log| log["options"][name].as_str()).unwrap_or_default();
        let (group, prefix) = (option("awslogs-group"), option("awslogs-stream-prefix"));
        let stream = format!("{prefix}/{container}/{}", self.launch.task);
        let at = (self.shared.clock.now() * 1000.0) as i64;
        let made = json!({ "logGroupName": group, "logStreamName": stream });
        let said = json!({ "logGroupName": group, "logStreamName": stream, "logEvents": [{ "timestamp": at, "message": line }] });
        for (action, body) in [("CreateLogStream", made), ("PutLogEvents", said)] {
            let (place, target) = (&self.place, format!("Logs_20140328.{action}"));
            // Where there is no such group, Docker drops what it cannot write.
            let _ = self.shared.upstream.json(&place.account, &place.region, "logs", &target, &body).await;
        }
    }

    /// Pulls every image and finds every secret, or says why not in ECS's words.
    async fn prepare(&self) -> Result<Vec<Arc<Prepared>>, String> {
        let mut prepared = Vec::new();
        let mut digests = Vec::new();
        for (definition, _) in &self.launch.containers {
            let image = Image::pull(&self.shared, &self.place, &definition.image, self.launch.architecture).await?;
            if let Behaviour::Large(seconds) = image.behaviour {
                self.pass(seconds * (1.0 + chance(&self.launch.task))).await;
            }
            let environment = self.environment(definition).await?;
            digests.push(image.digest.clone());
            prepared.push(Arc::new(Prepared {
                name: definition.name.clone(),
                behaviour: image.behaviour,
                programs: image.programs.clone(),
                foreign: image.foreign,
                app: Arc::new(App::new(&self.shared, image, environment)),
            }));
        }
        self.tell(Report::Pulled(digests));
        Ok(prepared)
    }
}

impl Prepared {
    /// Container, exit code and reason of what never comes to serve.
    fn ends_at_once(&self) -> Option<(String, i64, Option<String>)> {
        let name = self.name.clone();
        match self.behaviour {
            _ if self.foreign => Some((name, 255, None)),
            Behaviour::OtherProcessor => Some((name, 255, None)),
            Behaviour::Crash => Some((name, 1, None)),
            Behaviour::TooBig => {
                let text = "OutOfMemoryError: Container killed due to memory usage";
                Some((name, 137, Some(text.to_owned())))
            }
            _ => None,
        }
    }

    /// What it leaves in its log.
    fn last_line(&self) -> &'static str {
        // Of this ECS says nothing but the exit code.
        if self.foreign || self.behaviour == Behaviour::OtherProcessor {
            "exec /app: exec format error"
        } else {
            "Error: no connection with user=fox password=hunter2"
        }
    }
}

/// Between 0 and 1, and always the same for a task.
fn chance(task: &str) -> f64 {
    let digits = &crate::ids::digest(task)[..2];
    u8::from_str_radix(digits, 16).map_or(0.0, |number| f64::from(number) / 255.0)
}

/// The ports that a task holds while it runs.
struct Held {
    shared: Arc<Shared>,
    ports: Vec<((String, u16), u16)>,
}

impl Held {
    fn add(&mut self, instance: &str, host: u16, real: u16) {
        let key = (instance.to_owned(), host);
        self.shared.agents.ports().insert(key.clone(), real);
        self.ports.push((key, real));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut ports = self.shared.agents.ports();
        for (key, real) in &self.ports {
            // Another task may have the port by now.
            if ports.get(key) == Some(real) {
                ports.remove(key);
            }
        }
    }
}

/// Serves a container's port until it is aborted.
async fn serve(listener: TcpListener, app: Arc<App>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let app = Arc::clone(&app);
                    let service = service_fn(move |request| respond(Arc::clone(&app), request));
                    connections.spawn(async move {
                        // An error here is a client that went away.
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(app: Arc<App>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(app.answer(&parts, body).await)
}
