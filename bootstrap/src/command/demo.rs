//! `skydeck demo`: everything, on this machine, from nothing.

use std::time::Instant;

use miette::{IntoDiagnostic, miette};
use skydeck_aws::Clients;
use skydeck_core::run::Mode;
use skydeck_sandbox::{Image, Running};

use super::demo_answers;
use super::demo_report::{Report, Step, layers};
use super::demo_rollouts::Rollouts;
use super::outputs;
use super::platform_file::PlatformFile;
use super::{bootstrap, sandbox};
use crate::cli::{Architecture, Demo, Up};
use crate::context::{Account, Context, sandbox_error};
use crate::error::{Ending, Usage};
use crate::follow::Finished;
use crate::install::Plan;
use crate::{install, package, project, run};

pub(super) async fn run(context: &Context, options: &Demo) -> miette::Result<Ending> {
    let root = project::root()?;
    // By its place here or, for who stands elsewhere, in the sources.
    let path = if options.file.exists() { options.file.clone() } else { root.join(&options.file) };
    let file = PlatformFile::read(context, &path)?;
    if Running::find(&project::sandbox()?).await.is_ok() {
        let help = format!("stop it first: `{} sandbox down`", context.invocation_without_sandbox());
        return Err(Usage::new("a sandbox runs already, and the demo begins from nothing", help).into());
    }
    let mut demo = DemoRun { context, file, report: Report::default() };
    let ended = tokio::select! {
        ended = demo.run(options.keep) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Ending::Interrupted),
        () = context.terminal.closed() => Ok(Ending::Unread),
    };
    context.terminal.settle();
    let found = Running::find(&project::sandbox()?).await;
    if let (Ok(running), false) = (found, options.keep) {
        let stopped = demo.step("stopped the sandbox", async |_| sandbox_error(running.clone().stop().await)).await;
        stopped?;
    }
    if ended.is_ok() {
        demo.finish(options.keep)?;
    }
    ended
}

/// The value of every secret.
const SECRET: &str = "of the demo";
/// The tag of every first image.
const TAG: &str = "v1.0.0";
/// How these images behave: seconds on AWS that their pulls take longer, so that a person sees their tasks come up one
/// after another, as on AWS.
const BEHAVES: &str = "large:40";
/// Faster than the sandbox usually is: AWS keeps the network interfaces of a function for some 20 minutes, and a destroy waits
/// for them.
const SPEED: f64 = 60.0;

struct DemoRun<'a> {
    context: &'a Context,
    file: PlatformFile,
    report: Report,
}

impl DemoRun<'_> {
    /// Does one step, and tells how long it took.
    async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFn(&Self) -> miette::Result<T>,
    ) -> miette::Result<T> {
        let begun = Instant::now();
        let done = work(self).await?;
        let seconds = begun.elapsed().as_secs_f64();
        self.context.terminal.settle();
        let style = self.context.terminal.style().dim();
        self.context.terminal.say(format!("{name} {}", style.apply_to(format!("({seconds:.1} s)"))));
        self.report.steps.push(Step { name, seconds });
        Ok(done)
    }

    async fn run(&mut self, keep: bool) -> miette::Result<Ending> {
        let (root, names, cache) = (project::root()?, install::binaries(), project::packages()?);
        let terminal = &self.context.terminal;
        let packages = self
            .step("built and packed the functions", async |_| {
                let binaries = package::build_here(&root, &names).await?;
                terminal.progress("packing the functions");
                package::pack(&binaries, &cache).await
            })
            .await?;
        let up =
            Up { speed: SPEED, latency: std::time::Duration::ZERO, region: self.file.platform.region.clone(), port: 0 };
        let running = self.step("started the sandbox", async |demo| sandbox::up(demo.context, &up).await).await?;
        let (clients, account) = self.context.connect().await?;
        let items = self
            .step("installed skydeck", async |demo| {
                let plan = Plan { account: &account, architecture: Architecture::HOST, packages: &packages };
                bootstrap::install(demo.context, &clients, &plan).await
            })
            .await?;
        self.context.terminal.say(format!("  {}", bootstrap::summary(&items)));
        self.report.install = items;
        self.step("gave the secrets values", async |demo| demo.secrets(&clients).await).await?;
        let applied = self.provision(&clients, &account, Mode::Apply).await?;
        self.report.apply.clone_from(&applied);
        let Some(applied) = applied.filter(Finished::is_good) else { return Ok(Ending::Failed) };
        self.context.terminal.say("");
        self.step("pushed a first image of each service", async |demo| demo.push(&running).await).await?;
        let served = self.provision(&clients, &account, Mode::Apply).await?;
        self.report.serve.clone_from(&served);
        let Some(served) = served.filter(Finished::is_good) else { return Ok(Ending::Failed) };
        self.show(&applied, &served);
        if !self.ask(&running).await {
            return Ok(Ending::Failed);
        }
        self.report.calls = sandbox_error(running.admin().status().await)?.last_call;
        match self.rollouts(&running, (&clients, &account)).await? {
            Ending::Done => {}
            ending => return Ok(ending),
        }
        if keep {
            return Ok(Ending::Done);
        }
        let destroyed = self.provision(&clients, &account, Mode::Destroy).await?;
        self.report.destroy.clone_from(&destroyed);
        Ok(if destroyed.is_some_and(|run| run.is_good()) { Ending::Done } else { Ending::Failed })
    }

    /// What a person would give with `skydeck secret set`: here any value does, so that nothing is missing.
    async fn secrets(&self, clients: &Clients) -> miette::Result<()> {
        for secret in self.file.platform.secrets.values().filter(|secret| secret.value.is_none()) {
            super::secret::write(clients.ssm(), &self.file.platform.region, &secret.parameter, SECRET)
                .await
                .into_diagnostic()?;
        }
        Ok(())
    }

    /// What a pipeline would do with `docker buildx build --push`.
    async fn push(&self, running: &Running) -> miette::Result<()> {
        for service in self.file.platform.services.values() {
            let repository = format!("{}-{}", self.file.name(), service.repository);
            sandbox_error(running.admin().push(&repository, TAG, &Image::new(TAG).behaving(BEHAVES)).await)?;
        }
        Ok(())
    }

    /// Asks the services through their load balancers and shows the answers; whether all are as they should be.
    async fn ask(&mut self, running: &Running) -> bool {
        let terminal = &self.context.terminal;
        terminal.say("\nAnswers, through the load balancers by their DNS names");
        let answers = demo_answers::ask(running, &self.file.platform, &self.report.outputs, SECRET).await;
        answers.iter().for_each(|exchange| terminal.say(format!("  {}", exchange.line())));
        self.report.answers = answers;
        self.report.answers.iter().all(demo_answers::Exchange::is_good)
    }

    /// A good push and a bad one, and what the service answers after both.
    async fn rollouts(
        &mut self,
        running: &Running,
        (clients, account): (&Clients, &Account),
    ) -> miette::Result<Ending> {
        let rollouts = Rollouts { context: self.context, clients, account, running, file: &self.file };
        let Some(service) = rollouts.service() else { return Ok(Ending::Done) };
        let Some(ended) = rollouts.run(service).await? else { return Ok(Ending::Interrupted) };
        let as_it_should_be = rollouts.is_as_it_should_be(service, &ended).await?;
        let answer =
            demo_answers::ask_service(running, &self.file.platform, &self.report.outputs, (service, SECRET)).await;
        answer.iter().for_each(|exchange| self.context.terminal.say(format!("  {}", exchange.line())));
        self.report.rollouts = ended;
        let good = as_it_should_be && answer.iter().all(demo_answers::Exchange::is_good);
        Ok(if good { Ending::Done } else { Ending::Failed })
    }

    async fn provision(&self, clients: &Clients, account: &Account, mode: Mode) -> miette::Result<Option<Finished>> {
        self.context.terminal.say("");
        let uploaded = match mode {
            Mode::Destroy => None,
            Mode::Plan | Mode::Apply => Some(self.file.upload(clients, account).await?),
        };
        let platform = self.file.name();
        let order = run::Order { file: uploaded.as_ref(), ..run::Order::new(mode, &platform) };
        let started = run::start(self.context, clients, account, &order).await.into_diagnostic()?;
        let finished = run::watch(self.context, clients, &started).await?;
        if let Some(finished) = &finished {
            run::tell_end(self.context, clients, account, finished).await?;
        }
        Ok(finished)
    }

    /// Outputs, and a line per layer of the apply that made the platform.
    fn show(&mut self, applied: &Finished, served: &Finished) {
        let conclusion = served.conclusion.as_ref();
        let outputs = conclusion.and_then(|conclusion| serde_json::to_value(&conclusion.outputs).ok());
        self.report.outputs = outputs.unwrap_or_default();
        let lines = |lines: Vec<String>| lines.iter().for_each(|line| self.context.terminal.say(format!("  {line}")));
        self.context.terminal.say("\nOutputs");
        lines(outputs::lines(&self.report.outputs));
        self.context.terminal.say("\nLayers");
        let conclusion = applied.conclusion.as_ref();
        lines(layers(conclusion.map(|conclusion| conclusion.layers.as_slice()).unwrap_or_default()));
    }

    fn finish(&self, keep: bool) -> miette::Result<()> {
        if keep {
            let command = self.context.invocation_without_sandbox();
            let name = self.file.name();
            self.context.terminal.say(format!(
                "\nThe platform is up. Go on with:\n  eval \"$({command} sandbox env)\"    # for these and every other AWS tool\n  \
                 {command} status\n  {command} outputs\n  {command} sandbox calls\n  {command} destroy {name}\n  \
                 {command} sandbox down"
            ));
        }
        self.context.terminal.document(&self.report).map_err(|error| miette!("{error}"))
    }
}
