//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  skydeck apply platforms/skyfox.toml         bring the platform to what the file says
  skydeck destroy skyfox-devprod              remove everything of the platform

Credentials and region come from the environment, as for every AWS tool (AWS_PROFILE, AWS_REGION).
Exit codes: 0 done, 1 the run failed or an error, 2 wrong usage, 130 following was interrupted.";

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
    /// Install skydeck into the account: bucket, functions, roles, state machines
    #[command(after_help = "\
Examples:
  skydeck bootstrap                                  build with cargo-lambda for arm64, and install
  skydeck --sandbox bootstrap                        build for this machine, install into the sandbox
  skydeck bootstrap --binaries target/lambda         install what was built before

Can be repeated: what is as it should be is left alone.")]
    Bootstrap(Bootstrap),
    /// Bring a platform to what its file says, and follow the run
    #[command(after_help = "\
Examples:
  skydeck apply platforms/skyfox.toml            upload the file where it has changed, and apply it
  skydeck apply                                  apply the file that was uploaded last
  skydeck apply --plan platforms/skyfox.toml     only say what would change
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
    /// The values of parameters that a person gives
    #[command(subcommand)]
    Secret(Secret),
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
  skydeck secret set /skyfox-backend/jwt-secret < file")]
    Set {
        /// The parameter's name, as the platform file has it
        name: String,
    },
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
    /// Install binaries of this directory (`<name>` or `<name>/bootstrap`) instead of building them
    #[arg(long, value_name = "DIR")]
    pub binaries: Option<PathBuf>,
    /// What the functions run on: arm64 in AWS; with --sandbox this machine's own
    #[arg(long, value_enum)]
    pub architecture: Option<Architecture>,
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

    /// Lambda's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Arm64 => "arm64",
            Architecture::X86_64 => "x86_64",
        }
    }
}

/// `apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The platform file; without it, what was uploaded last is applied
    pub file: Option<PathBuf>,
    /// Which platform, where the account has several and no file is given
    #[arg(long, value_name = "PLATFORM", conflicts_with = "file")]
    pub platform: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub plan: bool,
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

/// `sandbox`.
#[derive(Debug, Subcommand)]
pub enum Sandbox {
    /// Start it in the background
    #[command(after_help = "\
Examples:
  skydeck sandbox up
  skydeck sandbox up --speed 1 --latency 50ms   as slow as AWS itself

The first time, a Python environment is made under target/sandbox.")]
    Up(Up),
    /// End it, with everything in it
    #[command(after_help = "Examples:\n  skydeck sandbox down")]
    Down,
    /// Say whether one runs, and where
    #[command(after_help = "Examples:\n  skydeck sandbox status --json")]
    Status,
    /// Print the variables by which AWS tools find it
    #[command(after_help = "\
Examples:
  eval \"$(skydeck sandbox env)\"
  aws ec2 describe-vpcs")]
    Env,
    /// Push an image of a service, as a pipeline does
    #[command(after_help = "\
Examples:
  skydeck sandbox push movie                         an image that behaves well, tagged latest
  skydeck sandbox push movie --tag v1.2.0 --behaves crash

It behaves: healthy, large:SECONDS, slow:SECONDS, crash, crash-later, error, wrong-path, hang or too-big.")]
    Push(Push),
    /// Show the AWS calls that were made
    #[command(after_help = "\
Examples:
  skydeck sandbox calls                          how often each action was called, by whom
  skydeck sandbox calls --writes --list          each call that changes something
  skydeck sandbox calls --caller skydeck-network --json")]
    Calls(Calls),
    /// Serve it in this process
    #[command(hide = true)]
    Serve(Up),
}

/// `sandbox up`.
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// How many times as fast as AWS its waits pass
    #[arg(long, default_value_t = 20.0, value_parser = speed)]
    pub speed: f64,
    /// Delay of each call, such as 50ms
    #[arg(long, default_value = "0ms", value_parser = latency)]
    pub latency: std::time::Duration,
    /// Region
    #[arg(long, default_value = "ap-south-1")]
    pub region: String,
    /// Port; 0 is any free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// `sandbox push`.
#[derive(Debug, Args)]
pub struct Push {
    /// The service, as the platform file has it
    pub service: String,
    /// The image's tag
    #[arg(long, default_value = "latest")]
    pub tag: String,
    /// How its tasks behave
    #[arg(long, value_name = "HOW", value_parser = behaviour)]
    pub behaves: Option<String>,
    /// Which platform, where there are several
    #[arg(long)]
    pub platform: Option<String>,
}

/// `sandbox calls`.
#[derive(Debug, Args)]
pub struct Calls {
    /// Only calls that change something
    #[arg(long)]
    pub writes: bool,
    /// Only calls of this caller, such as skydeck-network
    #[arg(long)]
    pub caller: Option<String>,
    /// Only calls of this service, such as ec2
    #[arg(long)]
    pub service: Option<String>,
    /// Only calls after this number
    #[arg(long, default_value_t = 0)]
    pub since: u64,
    /// Each call, not counts
    #[arg(long)]
    pub list: bool,
}

/// Another word would pass for `healthy`, and the person would wonder.
fn behaviour(text: &str) -> Result<String, String> {
    const KNOWN: [&str; 7] = ["healthy", "crash", "crash-later", "error", "wrong-path", "hang", "too-big"];
    let is_slow = text.strip_prefix("slow:").is_some_and(|seconds| seconds.parse::<f64>().is_ok());
    if is_slow || KNOWN.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("one of {}, slow:SECONDS", KNOWN.join(", ")))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.1 to 1000".into()),
    }
}

fn latency(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "milliseconds, such as 50ms".to_owned();
    let number = text.strip_suffix("ms").ok_or_else(wrong)?;
    number.parse().map(std::time::Duration::from_millis).map_err(|_| wrong())
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

    #[test]
    fn a_latency_has_a_unit() {
        assert_eq!(latency("50ms"), Ok(std::time::Duration::from_millis(50)));
        assert!(latency("50").is_err() && latency("-1ms").is_err());
    }
}
