//! What can be typed of rollouts.

use clap::Args;

/// `rollout`.
#[derive(Debug, Args)]
pub struct Rollout {
    /// The service, as the platform file has it
    pub service: String,
    /// Tag or digest; without it, the newest image that the service's policy wants and that was not rejected
    #[arg(long, value_name = "TAG|DIGEST")]
    pub image: Option<String>,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
    /// Start the rollout and return
    #[arg(long)]
    pub no_follow: bool,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The service, as the platform file has it
    pub service: String,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
    /// Start the rollback and return
    #[arg(long)]
    pub no_follow: bool,
}

/// `rollouts`.
#[derive(Debug, Args)]
pub struct Rollouts {
    /// Only rollouts of this service
    pub service: Option<String>,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
    /// How many to show of those that have ended
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// `wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// The service, as the platform file has it
    pub service: String,
    /// Digest of the image that was pushed, with or without `sha256:`
    // A word that is no digest is refused later, with another exit code than `superseded` has.
    #[arg(long)]
    pub digest: String,
    /// How long to wait, such as 90s or 20m
    #[arg(long, default_value = "20m", value_parser = duration)]
    pub timeout: std::time::Duration,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
}

/// `suspend`.
#[derive(Debug, Args)]
pub struct Suspend {
    /// The service, as the platform file has it
    pub service: String,
    /// Why, for others to read
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The service, as the platform file has it
    pub service: String,
    /// Which platform, where the account has several
    #[arg(long)]
    pub platform: Option<String>,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "a time with its unit, such as 90s, 20m or 1h30m".to_owned();
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    std::time::Duration::try_from(parsed).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::duration;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!((seconds("90s"), seconds("20m"), seconds("1h30m")), (Ok(90), Ok(1200), Ok(5400)));
        assert!(["20", "", "-5m", "soon"].iter().all(|text| duration(text).is_err()));
    }

    #[test]
    fn a_wait_names_a_digest_and_has_a_limit() {
        let said = |more: &[&str]| Cli::try_parse_from([&["skydeck", "wait", "movie"], more].concat());
        assert_eq!(said(&[]).unwrap_err().exit_code(), 2);
        let Command::Wait(wait) = said(&["--digest", ""]).unwrap().command else { panic!("another verb") };
        assert_eq!((wait.digest.as_str(), wait.timeout.as_secs()), ("", 1200));
    }

    #[test]
    fn a_rollout_may_leave_the_image_to_the_policy() {
        let cli = Cli::try_parse_from(["skydeck", "rollout", "movie", "--no-follow"]).unwrap();
        let Command::Rollout(rollout) = cli.command else { panic!("another verb") };
        assert!(rollout.image.is_none() && rollout.no_follow);
        let cli = Cli::try_parse_from(["skydeck", "rollouts"]).unwrap();
        let Command::Rollouts(rollouts) = cli.command else { panic!("another verb") };
        assert_eq!((rollouts.service, rollouts.limit), (None, 20));
    }
}
