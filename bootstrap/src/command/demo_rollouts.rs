//! The end of a demo: a good push and a bad one, each followed to its verdict.

use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, miette};
use skydeck_aws::error::Explain;
use skydeck_aws::home::Home;
use skydeck_aws::rollout::people;
use skydeck_aws::run::Context as Backend;
use skydeck_aws::{Clients, Result};
use skydeck_core::rollout::image;
use skydeck_core::rollout::ledger::{Keys, Verdict};
use skydeck_core::rollout::policy::admits;
use skydeck_core::rollout::trigger::Trigger;
use skydeck_sandbox::{Image, Running};

use super::platform_file::PlatformFile;
use crate::context::{Account, Context, sandbox_error};
use crate::follow::Finished;
use crate::run;

/// The pushes: tag, behaviour, and what they show.
const PUSHES: [(&str, &str, &str, Verdict); 2] = [
    ("v1.1.0", "healthy", "A push of a good image", Verdict::Succeeded),
    ("v1.2.0", "crash", "A push of an image that crashes", Verdict::RolledBack),
];
/// An event comes at once here; the emulator may be slow to start a function.
const LONGEST_EVENT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// Both rollouts, in a sandbox with a platform that serves.
pub(super) struct Rollouts<'a> {
    pub(super) context: &'a Context,
    pub(super) clients: &'a Clients,
    pub(super) account: &'a Account,
    pub(super) running: &'a Running,
    pub(super) file: &'a PlatformFile,
}

impl Rollouts<'_> {
    /// A service whose policy takes the tags of both pushes; a platform file of somebody's may have none.
    pub(super) fn service(&self) -> Option<&str> {
        let mut services = self.file.platform.services.iter();
        let takes_all = |policy| PUSHES.iter().all(|(tag, ..)| admits(policy, tag));
        services.find(|(_, service)| takes_all(&service.image)).map(|(name, _)| name.as_str())
    }

    /// Pushes, and follows what that starts. `None` where the person has seen enough.
    pub(super) async fn run(&self, service: &str) -> miette::Result<Option<Vec<Finished>>> {
        let terminal = &self.context.terminal;
        let mut ended = Vec::new();
        for (tag, behaves, what, _) in PUSHES {
            terminal.say(format!("\n{what}: service {service}, tag {tag}"));
            let repository = &self.file.platform.services[service].repository;
            let repository = format!("{}-{repository}", self.file.name());
            let made = Image::new(tag).behaving(behaves);
            let pushed = sandbox_error(self.running.admin().push(&repository, tag, &made).await)?;
            let execution = self.execution(&pushed.digest).await?;
            let Some(finished) = run::watch(self.context, self.clients, &execution).await? else { return Ok(None) };
            run::tell_end(self.context, self.clients, self.account, &finished).await?;
            ended.push(finished);
        }
        Ok(Some(ended))
    }

    /// Whether both ended as they should, and the good image is what runs; says so.
    pub(super) async fn is_as_it_should_be(&self, service: &str, ended: &[Finished]) -> miette::Result<bool> {
        let verdicts = ended.iter().map(|finished| finished.rollout.as_ref().map(|rollout| rollout.verdict));
        if !verdicts.eq(PUSHES.map(|(.., verdict)| Some(verdict))) {
            return Ok(false);
        }
        let home = Home::new(self.clients.s3(), &self.account.bucket());
        let backend = Backend { clients: self.clients.clone(), home };
        let platform = self.file.name();
        let record = people::record(&backend, Keys { platform: &platform, service }).await.into_diagnostic()?;
        let good = ended.first().and_then(|finished| finished.rollout.as_ref());
        let serves = good.filter(|good| record.verified.first().is_some_and(|verified| verified.digest == good.digest));
        if let Some(good) = serves {
            let good = image::name(&good.digest, good.tag.as_deref());
            self.context.terminal.say(format!("\nService {service} serves on, with {good}"));
        }
        Ok(serves.is_some())
    }

    /// The execution that the push has started: EventBridge names it.
    async fn execution(&self, digest: &str) -> miette::Result<String> {
        let begun = Instant::now();
        self.context.terminal.progress("waiting for the push's event");
        loop {
            if let Some(found) = self.started(digest).await.into_diagnostic()? {
                return Ok(found);
            }
            if begun.elapsed() > LONGEST_EVENT {
                return Err(miette!("the push of {digest} started no rollout"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn started(&self, digest: &str) -> Result<Option<String>> {
        let sfn = self.clients.sfn();
        let request = sfn.list_executions().state_machine_arn(self.account.machine("rollout")).max_results(20);
        let found = request.send().await.during("list rollouts of", "skydeck-rollout")?;
        for item in found.executions() {
            let request = sfn.describe_execution().execution_arn(item.execution_arn());
            let input = request.send().await.during("read rollout", item.name())?.input.unwrap_or_default();
            let trigger = serde_json::from_str(&input).ok().and_then(|input| Trigger::parse(&input).ok());
            if matches!(trigger, Some(Trigger::Event(event)) if event.push().is_ok_and(|push| push.digest == digest)) {
                return Ok(Some(item.execution_arn().to_owned()));
            }
        }
        Ok(None)
    }
}
