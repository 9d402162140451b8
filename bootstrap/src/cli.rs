//! What can be typed.

mod rollout;
mod sandbox;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use rollout::{Resume, Rollback, Rollout, Rollouts, Suspend, Wait};
pub use sandbox::{Calls, Disturb, Events, Push, Sandbox, Up, Which};

/// Provision a container platform on ECS from one file, and watch it being done.
#[derive(Debug, Parser)]
#[command(name = "skydeck", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Use the sandbox that `skydeck sandbox up` has started, instead of an AWS account
    #[arg(long, global = true, env = "SKYDECK_SANDBOX", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub sandbox: bool,
    /// Print one JSON document; what is for people goes to standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  skydeck demo                                everything, on this machine, from nothing
  skydeck bootstrap                           install skydeck into the account of the environment
  skydeck plan platforms/skyfox.toml          say what an apply would change
  skydeck apply platforms/skyfox.toml         bring the platform to what the file says
  skydeck destroy skyfox-devprod              remove everything of the platform

Credentials and region come from the environment, as for every AWS tool (AWS_PROFILE, AWS_REGION).
Exit codes: 0 done, 1 the run failed or an error, 2 wrong usage, 130 following was interrupted.
Of `plan`: 0 nothing would change, 2 something would, 1 every error.";

/// A verb.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the functions, start the sandbox, install, apply a platform, push its images, ask it, destroy it, stop
    #[command(after_help = "\
Examples:
  skydeck demo                    all of it, in about a minute
  skydeck demo --keep             leave it up, and say how to go on
  skydeck demo --json > run.json  for a script")]
    Demo(Demo),
    /// Install skydeck into the account: bucket, functions, roles, state machines; upgrade it; or remove it
    #[command(after_help = "\
Examples:
  skydeck bootstrap                                  build with cargo-lambda for arm64, say what is to be made, ask
  skydeck bootstrap --yes                            the same for scripts
  skydeck --sandbox bootstrap                        build for this machine, install into the sandbox
  skydeck bootstrap --from skydeck-0.1.0.zip         install an archive, without Rust
  skydeck bootstrap --remove                         delete the installation, once no platform stands

Can be repeated: what is as it should be is left alone.")]
    Bootstrap(Bootstrap),
    /// Make one archive from which skydeck is installed without Rust: command, functions, state machines, checksums
    #[command(after_help = "\
Examples:
  skydeck package                                    build with cargo-lambda for arm64, and pack
  skydeck package --from target/lambda --output skydeck.zip
  skydeck bootstrap --from skydeck.zip               install it")]
    Package(Package),
    /// Prove in an AWS account what is only assumed of AWS here: install, provision, roll out, break, remove, and report
    #[command(after_help = "\
Examples:
  skydeck acceptance --account 111122223333 --region eu-central-1                   build, say what it costs, ask
  skydeck acceptance --account 111122223333 --region eu-central-1 --from .          in an unpacked archive, without Rust
  skydeck acceptance --account 111122223333 --region eu-central-1 --clean           take away what a run has left

It needs an administrator's credentials, and a region in which skydeck is not installed. Exit codes: 0 what was seen is as
assumed, 1 something is not, or failed, or is left, 2 refused before anything was made, 130 interrupted.")]
    Acceptance(Acceptance),
    /// Show the version of this command and of the installation, and whether they differ
    #[command(after_help = "\
Examples:
  skydeck version
  skydeck version --json | jq .differ")]
    Version,
    /// Say what an apply would change, attribute by attribute, and change nothing
    #[command(after_help = "\
Examples:
  skydeck plan platforms/skyfox.toml             what this file would change; it is not applied by anyone else
  skydeck plan                                   what the file that was applied last would change
  skydeck plan --json | jq '.counts'

Exit codes: 0 nothing would change, 2 something would, 1 an error, 130 interrupted.")]
    Plan(Plan),
    /// Bring a platform to what its file says, and follow the run
    #[command(after_help = "\
Examples:
  skydeck apply platforms/skyfox.toml            apply this file, whatever else is uploaded meanwhile
  skydeck apply                                  apply the file that was applied last again
  skydeck apply --plan ID                        apply what `skydeck plan` has shown, or refuse if anything moved since
  skydeck apply --refresh-ami                    replace all instances by such with the newest image
  skydeck apply platforms/skyfox.toml --no-follow")]
    Apply(Apply),
    /// Remove everything of a platform, and follow the run
    #[command(after_help = "\
Examples:
  skydeck destroy skyfox-devprod             asks for the platform's name first
  skydeck destroy skyfox-devprod --yes       for scripts
  skydeck destroy platforms/skyfox.toml")]
    Destroy(Destroy),
    /// Follow a run that is going on, or tell one that is over
    #[command(after_help = "\
Examples:
  skydeck follow skyfox-devprod-apply-20260301120000-1a2b
  skydeck follow arn:aws:states:ap-south-1:111122223333:execution:skydeck-provision:skyfox-devprod-apply-20260301120000-1a2b")]
    Follow(Follow),
    /// Show the last runs, and whether one is going on
    #[command(after_help = "\
Examples:
  skydeck status
  skydeck status skyfox-devprod --json")]
    Status(Status),
    /// Show what the last successful apply has made: addresses, names, ARNs
    #[command(after_help = "\
Examples:
  skydeck outputs
  skydeck outputs skyfox-devprod --json | jq -r .vpc_id")]
    Outputs(Outputs),
    /// Roll an image of a service out, and follow it to its verdict
    #[command(after_help = "\
Examples:
  skydeck rollout movie                          the image that the service's policy wants now
  skydeck rollout movie --image v1.2.0           another one, by its tag
  skydeck rollout movie --image sha256:0f1e...   or by its digest

A push does this by itself. What a person asks for is rolled out even where it was rejected before or the
service is suspended.")]
    Rollout(Rollout),
    /// Return to the image that was verified before, and reject the one that is left
    #[command(after_help = "\
Examples:
  skydeck rollback movie
  skydeck rollback movie --no-follow

The image that is left is deployed again by `skydeck rollout` alone.")]
    Rollback(Rollback),
    /// Show the last rollouts, those that go on, and what is suspended
    #[command(after_help = "\
Examples:
  skydeck rollouts
  skydeck rollouts movie --limit 5
  skydeck rollouts --json | jq '.rollouts[0].verdict'")]
    Rollouts(Rollouts),
    /// Wait for the verdict on an image that was pushed, as a pipeline does
    #[command(after_help = "\
Examples:
  docker buildx build --push --tag \"$REPOSITORY:$VERSION\" --metadata-file build.json .
  skydeck wait movie --digest \"$(jq -r '.\"containerimage.digest\"' build.json)\" --timeout 15m

Exit codes: 0 it serves, 1 it was rolled back or refused, 2 another image took its place, 3 no verdict in time,
4 an error, 130 interrupted. Arguments that cannot be read are 2, as everywhere.")]
    Wait(Wait),
    /// Hold pushes and the sweep off a service
    #[command(after_help = "\
Examples:
  skydeck suspend movie --reason \"the festival's opening night\"

What a person asks for (`rollout`, `rollback`, `apply`) goes on as before.")]
    Suspend(Suspend),
    /// Let pushes and the sweep reach a service again
    #[command(after_help = "Examples:\n  skydeck resume movie")]
    Resume(Resume),
    /// The values of parameters that a person gives
    #[command(subcommand)]
    Secret(Secret),
    /// Show what each role of an installation may do, without asking AWS
    #[command(after_help = "\
Examples:
  skydeck policies --account 111122223333 --region eu-central-1
  skydeck policies --region eu-central-1 --json | jq '.\"skydeck-identity-eu-central-1\"'

With --json one document is printed, `{role: policy document}`. `skydeck-boundary-<region>` is the permissions boundary
of the roles that skydeck makes for platforms: the most that these may do. `operator`, `viewer` and `pipeline` are for
those who use skydeck daily: nobody has them until you give them.")]
    Policies(Policies),
    /// A local AWS on this machine
    #[command(subcommand)]
    Sandbox(Sandbox),
}

/// `secret`.
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Write a parameter's value, read from standard input, as SecureString
    #[command(after_help = "\
Examples:
  skydeck secret set /skyfox-backend/jwt-secret           asks for the value, and does not show it
  skydeck secret set /skyfox-backend/jwt-secret < file

The services that read it are rolled out again, with the image that they run.")]
    Set {
        /// The parameter's name, as the platform file has it
        name: String,
    },
}

/// `policies`.
#[derive(Debug, Args)]
pub struct Policies {
    /// The account's twelve digits
    #[arg(long, default_value = "111122223333", value_parser = account)]
    pub account: String,
    /// The region
    #[arg(long, env = "AWS_REGION")]
    pub region: String,
}

fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The platform file
    #[arg(default_value = "platforms/skyfox.toml")]
    pub file: PathBuf,
    /// Neither destroy the platform nor stop the sandbox, and say how to go on
    #[arg(long)]
    pub keep: bool,
}

/// `bootstrap`.
#[derive(Debug, Args)]
pub struct Bootstrap {
    /// Install an archive of `skydeck package`, what it was unpacked to, or a directory of binaries (`<name>` or
    /// `<name>/bootstrap`), instead of building
    #[arg(long, alias = "binaries", value_name = "PATH")]
    pub from: Option<PathBuf>,
    /// What the functions run on: arm64 in AWS; with --sandbox this machine's own
    #[arg(long, value_enum)]
    pub architecture: Option<Architecture>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Delete the installation and all that its bucket holds; refused while a platform stands or a run goes on
    #[arg(long, conflicts_with_all = ["from", "architecture"])]
    pub remove: bool,
}

/// `package`.
#[derive(Debug, Args)]
pub struct Package {
    /// Pack binaries of this directory (`<name>` or `<name>/bootstrap`) instead of building them
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// What the functions run on; arm64 unless said
    #[arg(long, value_enum)]
    pub architecture: Option<Architecture>,
    /// Where the archive goes; `skydeck-<version>-<system>-<processor>.zip` unless said
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `acceptance`.
#[derive(Debug, Args)]
pub struct Acceptance {
    /// The account's twelve digits; credentials of another one are refused
    #[arg(long, value_parser = account)]
    pub account: String,
    /// The region
    #[arg(long)]
    pub region: String,
    /// Install an archive of `skydeck package`, or what it was unpacked to, instead of building
    #[arg(long, value_name = "PATH")]
    pub from: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "skydeck-acceptance.md")]
    pub output: PathBuf,
    /// Only take away what a run has left
    #[arg(long, conflicts_with_all = ["from", "output"])]
    pub clean: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// A processor that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// 64-bit ARM: cheaper, and what skydeck installs in AWS.
    Arm64,
    /// 64-bit x86.
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// The one that this command runs on.
    pub const HOST: Architecture =
        if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };

    /// The one that Lambda calls so.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Architecture::Arm64, Architecture::X86_64].into_iter().find(|known| known.name() == name)
    }

    /// Lambda's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Arm64 => "arm64",
            Architecture::X86_64 => "x86_64",
        }
    }
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The platform file; without it, the plan is of what was applied last
    pub file: Option<PathBuf>,
    /// Which platform, where the account has several and no file is given
    #[arg(long, value_name = "PLATFORM", conflicts_with = "file")]
    pub platform: Option<String>,
    /// Plan to launch instances from the image that AWS recommends now, in place of the one that they are pinned to
    #[arg(long)]
    pub refresh_ami: bool,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The platform file; without it, what was applied last is applied again
    pub file: Option<PathBuf>,
    /// Which platform, where the account has several and no file is given
    #[arg(long, value_name = "PLATFORM", conflicts_with = "file")]
    pub platform: Option<String>,
    /// Apply this plan, with the file that it was made by, unless the account or the file have moved since
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    pub plan: Option<String>,
    /// Launch instances from the image that AWS recommends now, and replace those that run
    #[arg(long, conflicts_with = "plan")]
    pub refresh_ami: bool,
    /// Start the run and return
    #[arg(long)]
    pub no_follow: bool,
}

/// `destroy`.
#[derive(Debug, Args)]
pub struct Destroy {
    /// The platform, as `<platform>-<environment>` or by its file
    pub platform: String,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Start the run and return
    #[arg(long)]
    pub no_follow: bool,
}

/// `follow`.
#[derive(Debug, Args)]
pub struct Follow {
    /// ARN or name of the execution
    pub execution: String,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only runs of this platform
    pub platform: Option<String>,
    /// How many of the last runs to show
    #[arg(long, default_value_t = 10)]
    pub last: usize,
}

/// `outputs`.
#[derive(Debug, Args)]
pub struct Outputs {
    /// Which platform, where the account has several
    pub platform: Option<String>,
}

/// What was typed. Arguments that cannot be read end the command, with the code that the verb has for an error.
#[must_use]
pub fn parse() -> Cli {
    let typed: Vec<_> = std::env::args_os().collect();
    Cli::try_parse_from(&typed).unwrap_or_else(|error| {
        let plans = typed.iter().skip(1).find(|word| !word.to_string_lossy().starts_with('-'));
        if error.use_stderr() && plans.is_some_and(|verb| verb == "plan") {
            // Nothing is left to do where it cannot be printed.
            drop(error.print());
            std::process::exit(1);
        }
        error.exit()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_of_every_verb() {
        fn collect(command: &mut clap::Command, path: &str, text: &mut String) {
            text.push_str(&format!("━━━ {path} ━━━\n{}\n", command.render_long_help()));
            for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
                let path = format!("{path} {}", inner.get_name());
                collect(inner, &path, text);
            }
        }
        let (mut command, mut text) = (Cli::command(), String::new());
        command.build();
        collect(&mut command, "skydeck", &mut text);
        insta::assert_snapshot!("help", text);
    }

    #[test]
    fn every_verb_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
            if inner.is_empty() && !command.is_hide_set() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Examples:"), "{path} has no example");
            }
            inner.iter().for_each(|inner| check(inner, &format!("{path} {}", inner.get_name())));
        }
        check(&Cli::command(), "skydeck");
    }

    #[test]
    fn flags_may_stand_before_and_after_the_verb() {
        let cli = Cli::try_parse_from(["skydeck", "apply", "--sandbox", "platforms/skyfox.toml", "--json"]).unwrap();
        assert!(cli.sandbox && cli.json);
        let Command::Apply(apply) = cli.command else { panic!("another verb") };
        assert_eq!(apply.file, Some("platforms/skyfox.toml".into()));
    }

    #[test]
    fn a_file_and_a_platform_are_not_both_said() {
        let said = ["skydeck", "apply", "a.toml", "--platform", "b"];
        assert_eq!(Cli::try_parse_from(said).unwrap_err().exit_code(), 2);
    }
}
