//! The emulators: ministack, which the sandbox stands on, and moto, the second opinion of the contract tests.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::child::{Child, free_port};
use crate::guard::Secret;
use crate::venv::{self, Venv};
use crate::{ACCOUNT, Error};

const LAUNCHER: &str = include_str!("launch.py");
/// What the launcher imports, from beside it.
const AMENDMENTS: [(&str, &str); 9] = [
    ("amend_ecr.py", include_str!("amend_ecr.py")),
    ("amend_events.py", include_str!("amend_events.py")),
    ("amend_states.py", include_str!("amend_states.py")),
    ("guard.py", include_str!("guard.py")),
    ("refuse_ec2.py", include_str!("refuse_ec2.py")),
    ("amend_iam.py", include_str!("amend_iam.py")),
    ("amend_tags.py", include_str!("amend_tags.py")),
    ("refuse_elb.py", include_str!("refuse_elb.py")),
    ("tell.py", include_str!("tell.py")),
];
const FACTS: &str = include_str!("facts.json");
/// The public parameter that names the image for container instances.
const AMI_PARAMETER: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";

/// What ministack answers. ECS and Auto Scaling are missing on purpose: it still checks who calls and whether they may,
/// then says that the service is unsupported, and the sandbox answers itself.
const SERVICES: &str = "acm,ec2,ecr,elasticloadbalancing,events,iam,kms,lambda,logs,monitoring,s3,scheduler,\
                        secretsmanager,sns,sqs,ssm,states,sts,tagging";

/// How many functions run at once in a new account of AWS, until its quota is raised:
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>.
const CONCURRENT_EXECUTIONS: u32 = 10;

const READY: Duration = Duration::from_secs(60);
/// A port found free may be taken before the child has it.
const ATTEMPTS: u32 = 3;

/// A running ministack.
#[derive(Debug)]
pub(crate) struct Emulator {
    port: u16,
    child: Child,
}

/// What ministack is started with.
pub(crate) struct Settings<'a> {
    pub(crate) python: &'a Path,
    /// A directory for its files and those of the functions.
    pub(crate) dir: &'a Path,
    /// Where the functions call AWS: the gateway.
    pub(crate) endpoint: &'a str,
    /// The certificate of who signs those of load balancers: what functions trust.
    pub(crate) authority: &'a Path,
    pub(crate) region: &'a str,
    pub(crate) speed: f64,
    pub(crate) secret: &'a Secret,
}

impl Emulator {
    pub(crate) async fn start(settings: &Settings<'_>) -> Result<Self, Error> {
        let launcher = write(settings.dir, "launch.py", LAUNCHER)?;
        for (name, text) in AMENDMENTS {
            write(settings.dir, name, text)?;
        }
        let facts = write(settings.dir, "facts.json", FACTS)?;
        let arguments = [launcher, "ministack".to_owned(), facts];
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let port = free_port().await?;
            let environment = settings.environment(port);
            let mut child = Child::spawn("ministack", settings.python, &arguments, &environment, settings.dir)?;
            child.tell(settings.secret.text()).await?;
            match child.wait_listening(port, READY).await {
                Ok(()) => return Ok(Self { port, child }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(Error::Late { what: "starting ministack".into(), limit: READY }))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }
}

/// Moves the image that AWS recommends for container instances: the emulator looks it up in its file of facts.
pub(crate) fn recommend_ami(dir: &Path, image: &str) -> Result<(), Error> {
    amend_facts(dir, |facts| facts["parameters"][AMI_PARAMETER] = image.into())
}

/// Takes an instance type out of a zone's offer.
pub(crate) fn take_from_offer(dir: &Path, zone: &str, instance_type: &str) -> Result<(), Error> {
    amend_facts(dir, |facts| facts["lacking"][zone] = [instance_type].into_iter().collect())
}

fn amend_facts(dir: &Path, amend: impl FnOnce(&mut Value)) -> Result<(), Error> {
    let path = dir.join("facts.json");
    let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
    let mut facts: Value = serde_json::from_str(&text).unwrap_or_default();
    amend(&mut facts);
    replace(dir, "facts.json", &facts.to_string())
}

/// Writes a file in one step, so that nobody reads half of it.
pub(crate) fn replace(dir: &Path, name: &str, text: &str) -> Result<(), Error> {
    let new = write(dir, &format!("{name}.new"), text)?;
    std::fs::rename(new, dir.join(name)).map_err(Error::file(dir))
}

impl Settings<'_> {
    /// All of it leaks into the functions, which is how they find the gateway; nothing here is a secret.
    fn environment(&self, port: u16) -> Vec<(&'static str, String)> {
        let dir = self.dir.display().to_string();
        vec![
            ("HOME", dir.clone()),
            ("TMPDIR", dir),
            ("LANG", "C.UTF-8".into()),
            ("AUTH", "true".into()),
            ("BIND_HOST", "127.0.0.1".into()),
            ("GATEWAY_PORT", port.to_string()),
            ("SERVICES", SERVICES.into()),
            ("LOG_LEVEL", "WARNING".into()),
            ("MINISTACK_REGION", self.region.into()),
            ("MINISTACK_ACCOUNT_ID", ACCOUNT.into()),
            ("SFN_WAIT_SCALE", (1.0 / self.speed).to_string()),
            ("LAMBDA_ACCOUNT_CONCURRENCY", CONCURRENT_EXECUTIONS.to_string()),
            ("AWS_REGION", self.region.into()),
            ("AWS_DEFAULT_REGION", self.region.into()),
            ("AWS_ENDPOINT_URL", self.endpoint.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("SSL_CERT_FILE", self.authority.display().to_string()),
            ("NO_PROXY", crate::NO_PROXY.into()),
            ("no_proxy", crate::NO_PROXY.into()),
        ]
    }
}

/// A running moto, alone: no gateway stands in front of it, and it accepts any credentials.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    _child: Child,
    _dir: TempDir,
}

impl Moto {
    /// Makes its environment under `dir` where missing, and starts it.
    ///
    /// # Errors
    /// When the environment cannot be made or the server does not start.
    pub async fn start(dir: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Self, Error> {
        let venv = Venv::make(&dir.join("venv-moto"), venv::MOTO, progress).await?;
        let run = tempfile::Builder::new().prefix("moto-").tempdir_in(dir).map_err(Error::file(dir))?;
        let launcher = write(run.path(), "launch.py", LAUNCHER)?;
        let home = run.path().display().to_string();
        let port = free_port().await?;
        let arguments = [launcher, "moto".to_owned(), port.to_string()];
        // Without the last one, no policy of AWS's own can be attached to a role.
        let environment = [
            ("HOME", home.clone()),
            ("TMPDIR", home),
            ("LANG", "C.UTF-8".to_owned()),
            ("MOTO_IAM_LOAD_MANAGED_POLICIES", "true".to_owned()),
        ];
        let mut child = Child::spawn("moto", &venv.python(), &arguments, &environment, run.path())?;
        child.tell("").await?;
        child.wait_listening(port, READY).await?;
        Ok(Self { port, _child: child, _dir: run })
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn write(dir: &Path, name: &str, text: &str) -> Result<String, Error> {
    let path = dir.join(name);
    std::fs::write(&path, text).map_err(Error::file(&path))?;
    Ok(path.display().to_string())
}
