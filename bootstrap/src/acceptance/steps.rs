//! The steps of an acceptance run, one after another. A step that fails ends the run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use miette::{IntoDiagnostic, WrapErr, miette};
use serde::Serialize;
use serde_json::Value;
use skydeck_aws::Clients;
use skydeck_aws::error::Explain;

use super::image::{Behaviour, Image, Layer, push, put_again};
use super::observe;
use super::plan::{self, PREFIX, REPOSITORY, SERVICE};
use super::seen::{Answer, Pushed, Returned, Sample, Seen};
use super::skydeck::{Ended, skydeck};
use crate::context::{Account, Context};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Skydeck comes into the account.
    Install,
    /// The platform is made.
    Provision,
    /// The first image serves.
    First,
    /// An index that names no platform.
    Unsaid,
    /// An image that crashes is rolled back.
    Crash,
    /// One that answers 500 is too.
    Error,
    /// A setting and an instance are lost; the one is found, the other comes back.
    Drift,
    /// The instances are replaced.
    Change,
    /// The platform goes.
    Destroy,
    /// Skydeck goes.
    Remove,
}

impl Step {
    /// All, in their order.
    const ALL: [Step; 10] = [
        Step::Install,
        Step::Provision,
        Step::First,
        Step::Unsaid,
        Step::Crash,
        Step::Error,
        Step::Drift,
        Step::Change,
        Step::Destroy,
        Step::Remove,
    ];

    /// What it does, for people.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Step::Install => "install skydeck",
            Step::Provision => "bring up the platform",
            Step::First => "push a good image, and see it serve",
            Step::Unsaid => "push an index that names no platform",
            Step::Crash => "push an image that crashes, and see it rolled back",
            Step::Error => "push an image that answers 500, and see it rolled back",
            Step::Drift => "take a setting and an instance away, and see both come back",
            Step::Change => "change what instances are launched from, and see them replaced",
            Step::Destroy => "destroy the platform",
            Step::Remove => "remove skydeck",
        }
    }
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What a run works with, and what it has come to.
pub(super) struct Run<'a> {
    context: &'a Context,
    clients: &'a Clients,
    account: &'a Account,
    archive: &'a Path,
    layer: Layer,
    /// Where the platform file lies while the run goes on.
    dir: tempfile::TempDir,
    group: String,
    good: Option<Image>,
    /// What it has seen.
    pub(super) seen: Seen,
    /// The steps so far.
    pub(super) taken: Vec<Taken>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        context: &'a Context,
        (clients, account): (&'a Clients, &'a Account),
        archive: &'a Path,
        server: &[u8],
    ) -> miette::Result<Self> {
        Ok(Run {
            context,
            clients,
            account,
            archive,
            layer: Layer::of(server)?,
            dir: tempfile::tempdir().into_diagnostic()?,
            group: String::new(),
            good: None,
            seen: Seen::default(),
            taken: Vec::new(),
        })
    }

    /// Takes all steps, to the first that fails.
    pub(super) async fn all(&mut self) {
        for step in Step::ALL {
            let begun = Instant::now();
            self.context.terminal.say(format!("{}  {} …", clock(), step.says()));
            let failure = self.take(step).await.err().map(|error| told(&error));
            let seconds = begun.elapsed().as_secs_f64();
            let ended = if failure.is_some() { "failed" } else { "done" };
            self.context.terminal.say(format!("{}  {}: {ended} in {seconds:.0} s", clock(), step.says()));
            if let Some(failure) = &failure {
                self.context.terminal.say(failure);
            }
            let failed = failure.is_some();
            self.taken.push(Taken { step, seconds, failure });
            if failed {
                return;
            }
        }
    }

    async fn take(&mut self, step: Step) -> miette::Result<()> {
        match step {
            Step::Install => self.install().await,
            Step::Provision => self.provision().await,
            Step::First => self.first().await,
            Step::Unsaid => self.unsaid().await,
            Step::Crash => self.crash().await,
            Step::Error => self.bad(Behaviour::Fails, "v4").await,
            Step::Drift => self.drift().await,
            Step::Change => self.change().await,
            Step::Destroy => self.destroy().await,
            Step::Remove => self.skydeck(&["bootstrap", "--remove", "--yes"]).await?.well().map(drop),
        }
    }

    async fn skydeck(&self, arguments: &[&str]) -> miette::Result<Ended> {
        skydeck(self.context, arguments).await
    }

    async fn install(&mut self) -> miette::Result<()> {
        let archive = self.archive.display().to_string();
        self.skydeck(&["bootstrap", "--yes", "--from", &archive]).await?.well()?;
        self.seen.push_rule = self.seen.note(observe::push_rule(self.clients).await);
        Ok(())
    }

    /// The platform file, as it is to be applied.
    fn file(&self, change: u32) -> miette::Result<PathBuf> {
        let path = self.dir.path().join("acceptance.toml");
        std::fs::write(&path, plan::file(&self.account.region, change)).into_diagnostic()?;
        Ok(path)
    }

    async fn provision(&mut self) -> miette::Result<()> {
        let file = self.file(1)?.display().to_string();
        let applied = self.skydeck(&["apply", &file]).await?.well()?;
        let outputs = &applied.document["conclusion"]["outputs"];
        let output = |value: &Value, what: &str| {
            value.as_str().map(ToOwned::to_owned).ok_or_else(|| miette!("the apply tells no {what}"))
        };
        self.group = output(&outputs["cluster"]["auto_scaling_group"], "Auto Scaling group")?;
        let vpc = output(&outputs["vpc_id"], "VPC")?;
        self.seen.association = self.seen.note(observe::association(self.clients, &vpc).await);
        Ok(())
    }

    /// Waits for the verdict on an image that was pushed.
    async fn verdict(&self, image: &Image) -> miette::Result<Ended> {
        let digest = image.digest();
        self.skydeck(&["wait", SERVICE, "--platform", PREFIX, "--timeout", "40m", "--digest", &digest]).await
    }

    async fn first(&mut self) -> miette::Result<()> {
        let image = Image::new(&self.layer, Behaviour::Good, "v1");
        push(self.clients, &image, "v1").await.into_diagnostic()?;
        let first = self.seen.note(observe::pushed(self.clients, &image.digest()).await);
        let again = put_again(self.clients, &image, "v1").await;
        self.seen.again = self.seen.note(Answer::of(again));
        self.seen.configuration = self.seen.note(observe::configuration(self.clients, &image).await);
        self.verdict(&image).await?.well()?;
        self.seen.task = self.seen.note(observe::task(self.clients, &image).await);
        self.seen.instance = self.seen.note(observe::registered(self.clients).await);
        let later = self.seen.note(observe::pushed(self.clients, &image.digest()).await);
        if let (Some((first, _)), Some((later, tags))) = (first, later) {
            self.seen.image = Some(Pushed { first, later, tags });
        }
        self.good = Some(image);
        Ok(())
    }

    async fn unsaid(&mut self) -> miette::Result<()> {
        let image = Image::unsaid(&self.layer, "v2");
        push(self.clients, &image, "v2").await.into_diagnostic()?;
        let ended = self.verdict(&image).await?;
        let outcome = ended.document["outcome"].as_str().unwrap_or_default().to_owned();
        // What becomes of it is a point, and no failure: the image before serves all the same.
        if outcome.is_empty() {
            return ended.well().map(drop);
        }
        if outcome == "succeeded" {
            self.good = Some(image);
        }
        self.seen.unsaid = Some(outcome);
        let rollouts = observe::rollouts_of(self.clients, self.account, "v1").await;
        self.seen.rollouts_of_image = self.seen.note(rollouts);
        Ok(())
    }

    async fn crash(&mut self) -> miette::Result<()> {
        let digest = self.good.as_ref().map(Image::digest).unwrap_or_default();
        let before = self.seen.note(observe::tasks_of(self.clients, &digest).await);
        self.bad(Behaviour::Crashes, "v3").await?;
        let after = self.seen.note(observe::tasks_of(self.clients, &digest).await);
        if let (Some(before), Some(after)) = (before, after) {
            self.seen.returned = Some(Returned { before, after });
        }
        Ok(())
    }

    /// Pushes an image that does not serve, which has to be taken back.
    async fn bad(&self, behaviour: Behaviour, tag: &str) -> miette::Result<()> {
        let image = Image::new(&self.layer, behaviour, tag);
        push(self.clients, &image, tag).await.into_diagnostic()?;
        let ended = self.verdict(&image).await?.with(1)?;
        match ended.document["outcome"].as_str() {
            Some("rolled_back") => Ok(()),
            other => Err(miette!("image {tag} was not rolled back: {}", other.unwrap_or("nothing was told"))),
        }
    }

    async fn drift(&mut self) -> miette::Result<()> {
        let request = self.clients.ecr().delete_lifecycle_policy().repository_name(REPOSITORY);
        request.send().await.during("delete the lifecycle policy of", REPOSITORY).into_diagnostic()?;
        let plan = ["plan", "--platform", PREFIX];
        self.skydeck(&plan).await?.with(2).wrap_err("the lifecycle policy that was deleted is not found")?;
        let lost = observe::lose_an_instance(self.clients, &self.group).await;
        self.seen.lost = self.seen.note(lost);
        self.skydeck(&["apply", "--platform", PREFIX]).await?.well()?;
        self.skydeck(&plan).await?.well().wrap_err("an apply has left something to change").map(drop)
    }

    async fn change(&mut self) -> miette::Result<()> {
        let before = observe::instances(self.clients, &self.group).await.into_diagnostic()?;
        let file = self.file(2)?.display().to_string();
        let arguments = ["apply", &file];
        let mut applying = std::pin::pin!(skydeck(self.context, &arguments));
        let mut clock = tokio::time::interval(observe::LOOK);
        let applied = loop {
            tokio::select! {
                applied = &mut applying => break applied?,
                _ = clock.tick() => {
                    let sample = observe::refresh(self.clients, &self.group, &before).await;
                    self.sampled(sample);
                }
            }
        };
        applied.well()?;
        let last = observe::refresh(self.clients, &self.group, &before).await;
        self.sampled(last);
        Ok(())
    }

    fn sampled(&mut self, looked: skydeck_aws::Result<Option<Sample>>) {
        let sample = self.seen.note(looked).flatten();
        self.seen.refresh.extend(sample);
        // Looks that say the same are one.
        self.seen.refresh.dedup();
    }

    async fn destroy(&mut self) -> miette::Result<()> {
        self.skydeck(&["destroy", PREFIX, "--yes"]).await?.well()?;
        self.seen.cluster = self.seen.note(observe::cluster(self.clients).await);
        Ok(())
    }
}

/// An error with what is behind it, in a line or more of plain text.
pub(super) fn told(error: &miette::Report) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The time of day, for lines.
pub(super) fn clock() -> String {
    jiff::Timestamp::now().strftime("%H:%M:%S").to_string()
}
