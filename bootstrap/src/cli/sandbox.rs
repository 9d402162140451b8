//! What can be typed of `skydeck sandbox`.

use clap::{Args, Subcommand};

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

It behaves:
  healthy       answers
  large:SECONDS takes so long to be pulled, or up to twice that
  slow:SECONDS  answers after so many seconds
  crash         exits at once
  crash-later   serves, and exits after a minute
  fails-check-later  serves, and fails its container's check after a minute
  error         answers 500 to everything
  wrong-path    passes its health checks, and answers 404 to everybody else
  hang          takes connections, and never answers
  amd64         is built for linux/amd64 only
  plain-amd64   is that too, and has no index that says so
  other-processor  says that it is for arm64, and its program is not
  too-big       needs more memory than it may have
  podman        answers, and its manifest leaves its own media type out
Or it is no image at all: signature, attestation, chart, referrer")]
    Push(Push),
    /// Show the events of AWS's services and of skydeck, or disturb those to come
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  skydeck sandbox events                             what happened, and how often it was delivered
  skydeck sandbox events --source skydeck --json
  skydeck sandbox events lose --matching movie       the next event of movie never comes
  skydeck sandbox events clear"
    )]
    Events(Events),
    /// Make a schedule due now, such as the sweep's
    #[command(after_help = "Examples:\n  skydeck sandbox fire skydeck-sweep")]
    Fire {
        /// The rule's or the schedule's name
        schedule: String,
    },
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

/// `sandbox events`.
#[derive(Debug, Args)]
pub struct Events {
    /// What is to happen to events to come.
    #[command(subcommand)]
    pub disturb: Option<Disturb>,
    /// Only events of this source, such as aws.ecr or skydeck
    #[arg(long)]
    pub source: Option<String>,
    /// Only events after this number
    #[arg(long, default_value_t = 0)]
    pub since: u64,
}

/// `sandbox events VERB`.
#[derive(Debug, Subcommand)]
pub enum Disturb {
    /// Let events never come
    #[command(after_help = "Examples:\n  skydeck sandbox events lose\n  skydeck sandbox events lose --times 0")]
    Lose(Which),
    /// Let events come twice
    #[command(after_help = "Examples:\n  skydeck sandbox events double --after 30")]
    Double {
        /// Seconds of AWS from the first to the second
        #[arg(long, default_value_t = 0.0, value_parser = seconds)]
        after: f64,
        /// Which ones.
        #[command(flatten)]
        which: Which,
    },
    /// Let events come late
    #[command(after_help = "Examples:\n  skydeck sandbox events delay 120 --matching v1.2.0")]
    Delay {
        /// Seconds of AWS
        #[arg(value_parser = seconds)]
        seconds: f64,
        /// Which ones.
        #[command(flatten)]
        which: Which,
    },
    /// Hold events until the last of them happens, and deliver them in reverse
    #[command(after_help = "Examples:\n  skydeck sandbox events reorder 2")]
    Reorder {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(2..))]
        among: u32,
        /// Only events in whose source, type or detail this text stands
        #[arg(long)]
        matching: Option<String>,
    },
    /// Disturb no more, and deliver what is held
    #[command(after_help = "Examples:\n  skydeck sandbox events clear")]
    Clear,
}

/// Which events are disturbed.
#[derive(Debug, Args)]
pub struct Which {
    /// Only events in whose source, type or detail this text stands: a repository, a tag, a digest
    #[arg(long)]
    pub matching: Option<String>,
    /// How many of them; 0 is all from now on
    #[arg(long, default_value_t = 1)]
    pub times: u32,
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
    const KNOWN: [&str; 16] = [
        "healthy",
        "crash",
        "crash-later",
        "error",
        "wrong-path",
        "hang",
        "amd64",
        "plain-amd64",
        "other-processor",
        "fails-check-later",
        "too-big",
        "podman",
        "signature",
        "attestation",
        "chart",
        "referrer",
    ];
    let timed = text.strip_prefix("slow:").or(text.strip_prefix("large:"));
    let is_slow = timed.is_some_and(|text| seconds(text).is_ok());
    if is_slow || KNOWN.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("one of {}, large:SECONDS, slow:SECONDS", KNOWN.join(", ")))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("a number of seconds from 0".into()),
    }
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
    use super::*;

    #[test]
    fn a_latency_has_a_unit() {
        assert_eq!(latency("50ms"), Ok(std::time::Duration::from_millis(50)));
        assert!(latency("50").is_err() && latency("-1ms").is_err());
    }

    #[test]
    fn only_what_the_sandbox_knows_is_a_behaviour() {
        assert_eq!(behaviour("slow:7.5"), Ok("slow:7.5".to_owned()));
        assert!(["slow", "slow:-1", "slow:nan", "crahs"].iter().all(|text| behaviour(text).is_err()));
    }
}
