//! `skydeck rollout` and `skydeck rollback`.

use skydeck_aws::rollout::people::{self, Outlook};
use skydeck_core::rollout::decide::{Asked, Kind};
use skydeck_core::rollout::image;
use skydeck_core::rollout::ledger::Verdict;
use skydeck_core::rollout::trigger::{Cause, Order};

use super::site::{self, Site, told};
use crate::cli::{Rollback, Rollout};
use crate::context::Context;
use crate::error::Ending;
use crate::follow::Finished;
use crate::run::{installed, leave, start_rollout, tell_end, watch};

pub(super) async fn rollout(context: &Context, options: &Rollout) -> miette::Result<Ending> {
    let site = Site::find(context, options.platform.as_deref()).await?;
    let named = options.image.as_deref().map(|word| site::digest(word).unwrap_or_else(|| word.to_owned()));
    order(context, &site, (&options.service, Cause::Person), named, !options.no_follow).await
}

pub(super) async fn rollback(context: &Context, options: &Rollback) -> miette::Result<Ending> {
    let site = Site::find(context, options.platform.as_deref()).await?;
    order(context, &site, (&options.service, Cause::Rollback), None, !options.no_follow).await
}

async fn order(
    context: &Context,
    site: &Site,
    (service, cause): (&str, Cause),
    image: Option<String>,
    follow: bool,
) -> miette::Result<Ending> {
    let asked = Asked { cause, image: image.as_deref(), tag: None, since: None };
    let outlook = people::outlook(&site.backend, &site.machine, site.keys(service), &asked).await.map_err(told)?;
    announce(cause, &outlook).iter().for_each(|line| context.terminal.say(line));
    let platform = Some(site.platform.clone());
    let order = Order { platform, service: service.to_owned(), image, cause, since: None, parameter: None };
    let execution = start_rollout(context, &site.clients, &site.account, &order).await.map_err(installed)?;
    if !follow {
        leave(context, &execution, "Started. Follow it with")?;
        return Ok(Ending::Done);
    }
    let Some(finished) = watch(context, &site.clients, &execution).await? else {
        leave(context, &execution, "\nThe rollout goes on. Follow it again with")?;
        return Ok(Ending::Interrupted);
    };
    tell_end(context, &site.clients, &site.account, &finished).await?;
    context.terminal.document(&finished)?;
    Ok(if is_done(&finished) { Ending::Done } else { Ending::Failed })
}

/// What a person should know before it begins.
fn announce(cause: Cause, outlook: &Outlook) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((newest, rejected)) = &outlook.passed_over {
        let word = newest.tag.as_deref().unwrap_or(&newest.digest);
        lines.push(format!(
            "{} is the newest image, and was rejected: {}. It is passed over; `--image {word}` rolls it out all the same.",
            image::name(&newest.digest, newest.tag.as_deref()),
            rejected.reason
        ));
    }
    let Ok(choice) = &outlook.choice else { return lines };
    let name = image::name(&choice.digest, choice.tag.as_deref());
    if cause == Cause::Rollback {
        if let Some(left) = &outlook.leaves {
            lines.push(format!(
                "Leaves {}, which is rejected from now on: nothing but `skydeck rollout --image` deploys it again.",
                image::name(left, None)
            ));
        }
        lines.push(format!("Returns to {name}."));
    }
    if let Some(rejected) = &outlook.rejected {
        lines.push(format!("{name} was rejected before: {}. It is rolled out all the same.", rejected.reason));
    }
    if outlook.suspended.is_some() {
        lines.push("The service is suspended, which does not hold a person off.".into());
    }
    lines
}

/// Whether the image that the person asked for runs now.
fn is_done(finished: &Finished) -> bool {
    match &finished.rollout {
        Some(ended) => ended.verdict == Verdict::Succeeded,
        // The one reason that leaves nothing to wish for.
        None => finished.kind == Some(Kind::AlreadyRunning),
    }
}

#[cfg(test)]
mod tests {
    use skydeck_core::rollout::decide::{Choice, Reason};
    use skydeck_core::rollout::ledger::Rejection;

    use super::*;
    use crate::follow::Story;

    #[test]
    fn nothing_to_do_is_good_only_where_the_image_runs() {
        let ignored = |reason: &Reason| Finished {
            ignored: Some(reason.to_string()),
            kind: Some(reason.kind()),
            ..Story::default().into_finished("arn", "SUCCEEDED", (None, None))
        };
        assert!(is_done(&ignored(&Reason::AlreadyRunning { digest: "sha256:aa".into() })));
        assert!(!is_done(&ignored(&Reason::NothingToReturnTo)));
        assert!(!is_done(&ignored(&Reason::NoImage)));
    }

    #[test]
    fn what_a_person_overrides_and_leaves_is_said() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let rejected = Rejection { at: 1, execution: "e".into(), reason: "it crashed".into() };
        let outlook = Outlook {
            choice: Ok(Choice { digest: digest.clone(), tag: Some("v1".into()) }),
            rejected: Some(rejected),
            passed_over: None,
            leaves: Some("sha256:aabbccddeeff0011".into()),
            suspended: None,
        };
        let said = announce(Cause::Person, &outlook);
        assert_eq!(said, ["v1 (sha256:0f0f0f0f0f0f) was rejected before: it crashed. It is rolled out all the same."]);
        let said = announce(Cause::Rollback, &outlook);
        assert!(said[0].starts_with("Leaves sha256:aabbccddeeff, which is rejected from now on"), "{said:?}");
        assert_eq!(said[1], "Returns to v1 (sha256:0f0f0f0f0f0f).");
        let newest = Choice { digest: "sha256:aabbccddeeff0011".into(), tag: Some("v2".into()) };
        let rejected = Rejection { at: 1, execution: "e".into(), reason: "it hung".into() };
        let said = announce(
            Cause::Person,
            &Outlook { rejected: None, passed_over: Some((newest, rejected)), leaves: None, ..outlook },
        );
        assert_eq!(
            said,
            [
                "v2 (sha256:aabbccddeeff) is the newest image, and was rejected: it hung. It is passed over; `--image v2` rolls \
              it out all the same."
            ]
        );
    }
}
