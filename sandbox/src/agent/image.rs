//! Images as an agent finds them: which one a reference means, for which machine, and how it behaves by its labels.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command::Programs;
use super::skyfox;
use crate::asg::Place;
use crate::gateway::Shared;

/// How a container behaves, by the label `skydeck.behaves`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Behaviour {
    Healthy,
    /// Each answer takes that many seconds of AWS.
    Slow(f64),
    /// Its pull takes that many seconds of AWS more, or up to twice as many: each task's another time.
    Large(f64),
    /// It ends before it serves.
    Crash,
    /// It says that it is for the instance's processor, and its program is for another.
    OtherProcessor,
    /// It ends a minute after it began to serve.
    CrashLater,
    /// It answers 500 to everything.
    Error,
    /// It answers its container's own check with 500 from a minute after it began to serve.
    FailsCheckLater,
    /// It answers its health checks, and 404 to everybody else.
    WrongPath,
    /// It takes connections and never answers.
    Hang,
    /// It needs more memory than it may have.
    TooBig,
}

impl Behaviour {
    /// What a label means; an unknown one is healthy.
    pub(crate) fn of(label: &str) -> Self {
        match label.split_once(':').unwrap_or((label, "")) {
            ("slow", seconds) => Self::Slow(seconds.parse().unwrap_or(10.0)),
            ("large", seconds) => Self::Large(seconds.parse().unwrap_or(10.0)),
            ("crash", _) => Self::Crash,
            ("other-processor", _) => Self::OtherProcessor,
            ("crash-later", _) => Self::CrashLater,
            ("error", _) => Self::Error,
            ("fails-check-later", _) => Self::FailsCheckLater,
            ("wrong-path", _) => Self::WrongPath,
            ("hang", _) => Self::Hang,
            ("too-big", _) => Self::TooBig,
            _ => Self::Healthy,
        }
    }
}

/// An image on an instance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    pub(super) repository: String,
    /// What the reference meant: an index, or one image. None where it is not in the account's registry.
    pub(super) digest: Option<String>,
    pub(super) behaviour: Behaviour,
    /// The label `skydeck.serves`: answers by path.
    pub(super) serves: Option<BTreeMap<String, Value>>,
    /// What a command in the container can run.
    pub(super) programs: Programs,
    /// It was built for another machine, so that it cannot be started.
    pub(super) foreign: bool,
}

impl Image {
    /// Pulls what a reference means for a machine, or says why not in ECS's words.
    pub(super) async fn pull(
        shared: &Shared,
        place: &Place,
        reference: &str,
        architecture: &str,
    ) -> Result<Self, String> {
        let registry = format!("{}.dkr.ecr.{}.amazonaws.com/", place.account, place.region);
        let Some(rest) = reference.strip_prefix(&registry) else {
            // What is elsewhere cannot be looked at here.
            let repository = reference.to_owned();
            let (behaviour, programs) = (Behaviour::Healthy, Programs::default());
            return Ok(Self { repository, digest: None, behaviour, serves: None, programs, foreign: false });
        };
        let (repository, wanted) = match rest.split_once('@') {
            Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
            None => rest.split_once(':').unwrap_or((rest, "latest")),
        };
        let missing = || {
            format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                 {reference}: {reference}: not found"
            )
        };
        let get = async |kind: &str, name: &str| {
            let path = format!("/v2/{repository}/{kind}/{name}");
            let answer = shared.upstream.get(&place.account, &place.region, "ecr", &path).await.ok()?;
            let value = serde_json::from_slice::<Value>(&answer.body).ok()?;
            answer.status.is_success().then(|| (value, digest_in(&answer.headers, &answer.body)))
        };
        let (mut manifest, digest) = get("manifests", wanted).await.ok_or_else(missing)?;
        let machine = if architecture == "arm64" { "arm64" } else { "amd64" };
        if let Some(children) = manifest["manifests"].as_array() {
            let fits =
                |child: &&Value| child["platform"]["architecture"] == machine && child["platform"]["os"] == "linux";
            // An entry that names no platform is taken for any.
            let child =
                children.iter().find(fits).or_else(|| children.iter().find(|child| child["platform"].is_null()));
            let child = child.and_then(|child| child["digest"].as_str()).ok_or_else(|| {
                let variant = if machine == "arm64" { "linux/arm64/v8" } else { "linux/amd64" };
                format!(
                    "CannotPullContainerError: Error response from daemon: no matching manifest for {variant} in the \
                     manifest list entries"
                )
            })?;
            manifest = get("manifests", child).await.ok_or_else(missing)?.0;
        }
        let config = manifest["config"]["digest"].as_str().unwrap_or_default();
        let (config, _) = get("blobs", config).await.ok_or_else(missing)?;
        let labels = &config["config"]["Labels"];
        let serves = labels["skydeck.serves"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let foreign = config["architecture"].as_str().is_some_and(|built| built != machine);
        Ok(Self {
            repository: repository.to_owned(),
            digest: Some(digest),
            behaviour: Behaviour::of(labels["skydeck.behaves"].as_str().unwrap_or_default()),
            serves,
            programs: Programs::of(labels["skydeck.has"].as_str().unwrap_or_else(|| skyfox::programs(repository))),
            foreign,
        })
    }
}

fn digest_in(headers: &hyper::HeaderMap, body: &[u8]) -> String {
    let given = headers.get("docker-content-digest").and_then(|value| value.to_str().ok()).map(str::to_owned);
    given.unwrap_or_else(|| skydeck_core::oci::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_how_an_image_behaves() {
        assert_eq!(Behaviour::of("slow:7.5"), Behaviour::Slow(7.5));
        assert_eq!(Behaviour::of("large:30"), Behaviour::Large(30.0));
        assert_eq!(Behaviour::of("crash-later"), Behaviour::CrashLater);
        assert_eq!((Behaviour::of(""), Behaviour::of("healthy")), (Behaviour::Healthy, Behaviour::Healthy));
    }
}
