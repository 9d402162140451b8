//! `skydeck wait`: the verdict on an image that a pipeline has pushed.

use std::time::{Duration, Instant};

use serde::Serialize;
use skydeck_aws::rollout::people;
use skydeck_core::rollout::decide::Asked;
use skydeck_core::rollout::image;
use skydeck_core::rollout::ledger::{Keys, Past, Verdict};
use skydeck_core::rollout::trigger::Cause;
use skydeck_core::rollout::wait::{Known, Obstacle, Progress, ended_before, progress};

use super::site::{self, Site, told};
use crate::cli::Wait;
use crate::context::Context;
use crate::error::{Ending, Usage, tell};
use crate::run::installed;

/// Between two looks: two small objects are read.
const LOOK: Duration = Duration::from_secs(2);
/// An event of ECR comes within seconds; when nothing has begun for so long, what was before the push is told.
const LATE: Duration = Duration::from_secs(60);

/// How a wait ended, as a script reads it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    platform: &'a str,
    service: &'a str,
    digest: &'a str,
    /// `succeeded`, `rolled_back`, `refused`, `superseded` or `timed_out`.
    outcome: &'a str,
    reason: &'a str,
    /// The rollout's execution, where the ledger knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'a str>,
}

/// Waits. Here 1 and 2 are verdicts, so that an error ends otherwise.
pub(super) async fn run(context: &Context, options: &Wait) -> miette::Result<Ending> {
    let ended = tokio::select! {
        ended = wait(context, options) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Ending::Interrupted),
    };
    context.terminal.settle();
    match ended {
        Ok(ending) => Ok(ending),
        Err(report) => {
            tell(&context.elsewhere(report).await);
            Ok(Ending::Unknown)
        }
    }
}

async fn wait(context: &Context, options: &Wait) -> miette::Result<Ending> {
    let digest = digest(&options.digest)?;
    let begun = Instant::now();
    let site = Site::find(context, options.platform.as_deref()).await?;
    let keys = site.keys(&options.service);
    let name = image::name(&digest, None);
    let known = async || people::services(&site.backend, &site.machine, &site.platform, Some(keys.service)).await;
    context.patiently(known).await.map_err(told)?;
    let (mut before, mut said): (Option<Vec<String>>, _) = (None, String::new());
    // How long nothing has been known of a rollout, and whether was looked why.
    let (mut open, mut looked) = (Instant::now(), false);
    loop {
        let record = context.patiently(async || people::record(&site.backend, keys).await).await.map_err(installed)?;
        let entry = async || people::entry(&site.backend, keys, &digest).await;
        let entry = context.patiently(entry).await.map_err(installed)?;
        let of = |past: &Past| past.execution.clone();
        let before = before.get_or_insert_with(|| entry.rollouts.iter().map(of).collect());
        let known = Known { digest: &digest, record: &record, entry: &entry, before };
        let mut ended = None;
        let text = match progress(&known) {
            Progress::Ended(verdict, reason) => {
                ended = Some((verdict, reason));
                String::new()
            }
            Progress::Going(lease) => {
                open = Instant::now();
                format!("rollout {} is in progress", lease.execution.rsplit(':').next().unwrap_or_default())
            }
            Progress::Open => {
                let is_late = open.elapsed() >= LATE;
                if is_late || !looked {
                    ended = unbegun(context, &site, keys, &known, is_late).await?;
                    looked = true;
                }
                let held = if record.suspended.is_some() { ": the service is suspended" } else { "" };
                format!("no rollout of {name} has begun yet{held}")
            }
        };
        let answer = Answer {
            platform: &site.platform,
            service: keys.service,
            digest: &digest,
            outcome: "timed_out",
            reason: &text,
            execution: None,
        };
        if let Some((verdict, reason)) = ended {
            let execution = entry.rollouts.first().map(|past| past.execution.as_str());
            let answer = Answer { outcome: word(verdict), reason: &reason, execution, ..answer };
            return conclude(context, &answer, ending(verdict));
        }
        if begun.elapsed() >= options.timeout {
            return conclude(context, &answer, Ending::TimedOut);
        }
        if text != said {
            context.terminal.note(&text);
            said = text;
        }
        tokio::time::sleep(LOOK.min(options.timeout.saturating_sub(begun.elapsed()))).await;
    }
}

/// How it ends where no rollout has begun: by what lies in the repository or, once it is late, by what a push of it would mean now.
async fn unbegun(
    context: &Context,
    site: &Site,
    keys: Keys<'_>,
    known: &Known<'_>,
    is_late: bool,
) -> miette::Result<Option<(Verdict, String)>> {
    if known.entry.rollouts.is_empty() {
        let obstacle = async || people::obstacle(&site.backend, &site.machine, keys, known.digest).await;
        match context.patiently(obstacle).await.map_err(told)? {
            Some(Obstacle::Never(why)) => return Err(never(known.digest, &why)),
            Some(Obstacle::Tags(why)) if is_late => return Err(never(known.digest, &why)),
            _ => {}
        }
    }
    if !is_late {
        return Ok(None);
    }
    let asked = Asked { cause: Cause::Push, image: Some(known.digest), tag: None, since: None };
    let outlook = async || people::outlook(&site.backend, &site.machine, keys, &asked).await;
    Ok(ended_before(known, &context.patiently(outlook).await.map_err(told)?.choice))
}

fn never(digest: &str, why: &str) -> miette::Report {
    miette::miette!(
        help = "wait for the digest that a tag of the policy leads to: `docker buildx build --push --metadata-file build.json` \
                writes it to `containerimage.digest`",
        "there is no rollout of {} to wait for: {why}",
        image::name(digest, None)
    )
}

fn conclude(context: &Context, answer: &Answer<'_>, ending: Ending) -> miette::Result<Ending> {
    context.terminal.settle();
    let outcome = answer.outcome.replace('_', " ");
    let reason = if answer.reason.is_empty() { String::new() } else { format!(": {}", answer.reason) };
    context.terminal.say(format!(
        "{} of service {} {outcome}{reason}",
        image::name(answer.digest, None),
        answer.service
    ));
    context.terminal.document(answer)?;
    Ok(ending)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Succeeded => "succeeded",
        Verdict::RolledBack => "rolled_back",
        Verdict::Superseded => "superseded",
        Verdict::Refused => "refused",
        Verdict::Unverified => "unverified",
    }
}

fn ending(verdict: Verdict) -> Ending {
    match verdict {
        Verdict::Succeeded => Ending::Done,
        Verdict::RolledBack | Verdict::Refused | Verdict::Unverified => Ending::Failed,
        Verdict::Superseded => Ending::Superseded,
    }
}

/// The digest. A tag may lead to another image by the time of the verdict.
fn digest(word: &str) -> Result<String, Usage> {
    site::digest(word).ok_or_else(|| {
        let help = "`docker buildx build --push --metadata-file build.json` writes it to `containerimage.digest` there; of what \
                    was pushed already, `docker buildx imagetools inspect IMAGE:TAG --format '{{.Manifest.Digest}}'` says it";
        Usage::new(format!("`{word}` is no digest: that is `sha256:` and 64 hex digits, and a tag may move meanwhile"), help)
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::*;

    #[test]
    fn a_tag_is_refused_with_the_way_to_the_digest() {
        let refused = digest("v1.2.0").unwrap_err();
        assert!(refused.message.starts_with("`v1.2.0` is no digest"), "{}", refused.message);
        assert!(refused.help.contains("--metadata-file"), "{}", refused.help);
    }

    #[test]
    fn the_exit_codes_are_what_pipelines_know() {
        let codes = [
            (ending(Verdict::Succeeded), 0),
            (ending(Verdict::RolledBack), 1),
            (ending(Verdict::Refused), 1),
            (ending(Verdict::Unverified), 1),
            (ending(Verdict::Superseded), 2),
            (Ending::TimedOut, 3),
            (Ending::Unknown, 4),
        ];
        for (ending, code) in codes {
            assert_eq!(ExitCode::from(ending), ExitCode::from(code), "{ending:?}");
        }
    }
}
