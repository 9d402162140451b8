//! `Settle`: remembers how a rollout ended, gives the lease back, and tidies up.

use aws_sdk_ecr::types::ImageIdentifier;
use futures::try_join;
use skydeck_core::layer::service::repository;
use skydeck_core::rollout::ledger::{Entry, Past, Untold, Verdict};
use skydeck_core::rollout::record::{Record, Verified};
use skydeck_core::rollout::release::keep_tag;
use skydeck_core::rollout::run::{Result as Ended, Rollout, Settlement};
use skydeck_core::rollout::story::story;
use skydeck_core::scope::Scope;
use skydeck_core::verdict::Fault;

use super::{applied, conclude, keys, now, read, record, scope, scope_of, tidy};
use crate::error::{Explain, Result, tolerate};
use crate::run::Context;

/// Ends a rollout. The verdict comes first: record and ledger. What follows only tidies up and tells, and changes nothing of it:
/// where that fails it is a note. Every step may be repeated.
///
/// # Errors
/// Where the verdict itself cannot be written.
pub async fn settle(context: &Context, mut ended: Settlement) -> Result<Ended> {
    let rollout = ended.rollout.clone();
    let (home, keys) = (&context.home, keys(&rollout));
    let known = home.read_json::<Entry>(&keys.entry(&rollout.digest)).await?;
    let (past, entry) = match known.rollout(&rollout.execution) {
        // An attempt before this one came so far, and its answer was lost: what it wrote stands.
        Some(past) => (past.clone(), known.clone()),
        None => {
            let untold = Box::pin(give_back(context, &mut ended)).await?;
            let entry = conclude::write(context, keys, &untold).await?;
            (untold.past, entry)
        }
    };
    let mut notes = clear(context, &ended, past.verdict).await;
    note(&mut notes, conclude::tell(context, keys, &rollout.digest, &past, entry.rejected.is_some()).await);
    let told = Ended {
        platform: rollout.platform.clone(),
        service: rollout.service.clone(),
        verdict: past.verdict,
        cause: rollout.cause,
        digest: rollout.digest.clone(),
        tag: rollout.tag.clone(),
        seconds: past.seconds(),
        reason: past.reason.clone(),
        rejected: entry.rejected.is_some(),
        fault: ended.verification.as_ref().and_then(|seen| seen.fault),
        checks: past.checks.clone(),
        notes: notes.clone(),
    };
    if !notes.is_empty() {
        let with = |entry: &Entry| Some(entry.with(&rollout.digest, Past { notes: notes.clone(), ..past.clone() }));
        if let Err(error) = record::change(home, &keys.entry(&rollout.digest), with).await {
            tracing::warn!("the notes of {} could not be kept: {error}", rollout.execution);
        }
    }
    Ok(told)
}

/// What went wrong after the verdict, as a note.
fn note(notes: &mut Vec<String>, done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!("after the verdict: {error}");
        notes.push(error.to_string());
    }
}

/// Gives the lease back, and remembers the verdict by the same write: it may be the last one that this execution comes to. A success
/// counts only while the service is still this rollout's.
async fn give_back(context: &Context, ended: &mut Settlement) -> Result<Untold> {
    let (home, key, me) = (&context.home, keys(&ended.rollout).record(), ended.rollout.execution.clone());
    // A service that goes is scaled to zero first.
    if matches!(ended.verdict, Verdict::Superseded | Verdict::Unverified) {
        ended.left = left(context, &ended.rollout, ended.released.as_deref()).await?;
        if ended.left.is_some() {
            ended.verdict = Verdict::Superseded;
        }
    }
    let untold = untold(ended);
    let done = record::hold(home, &key, &me, |found| Some(given_back(found, ended)?.concluded(untold.clone()))).await?;
    if done.is_some() {
        return Ok(untold);
    }
    let found = home.read_json::<Record>(&key).await?;
    if let Some(known) = found.untold_of(&me) {
        // An attempt before this one came so far.
        return Ok(known.clone());
    }
    if ended.verdict == Verdict::Succeeded {
        ended.verdict = Verdict::Superseded;
        ended.left = left(context, &ended.rollout, ended.released.as_deref()).await?;
    }
    let untold = self::untold(ended);
    // Where there is no record any more, its service has gone, and its sweep with it.
    let next = |found: &Record| (*found != Record::default()).then(|| found.clone().concluded(untold.clone()));
    record::change(home, &key, next).await?;
    Ok(untold)
}

/// The record without the lease of a rollout that has ended; `None` where it is another's.
fn given_back(found: &Record, ended: &Settlement) -> Option<Record> {
    let me = &ended.rollout.execution;
    match ended.verdict {
        Verdict::Succeeded => {
            let definition = ended.released.clone().unwrap_or_default();
            found.succeeded(me, Verified { definition, digest: ended.rollout.digest.clone() })
        }
        // A service that could not be rolled back keeps the lease of an execution that has ended: the sweep finds it by that.
        Verdict::RolledBack if ended.returned.is_none() => found.unreturned(me),
        _ => found.freed(me),
    }
}

/// Why there is nothing to roll out any more, where the service is gone or has left the platform file. What was registered for it
/// goes as well: whoever removed the service has done so already with all that there was.
async fn left(context: &Context, rollout: &Rollout, released: Option<&str>) -> Result<Option<String>> {
    let service = &rollout.service;
    if read::is_gone(&context.clients, rollout).await? {
        if let Some(arn) = released {
            let request = context.clients.ecs().deregister_task_definition().task_definition(arn);
            let gone = "ClientException";
            tolerate(request.send().await.during("deregister task definition", arn), &[gone])?;
        }
        return Ok(Some(format!("service {service} is not there any more: it was deleted while this was rolled out")));
    }
    if read::is_another(&context.clients, rollout).await? {
        return Ok(Some(format!("service {service} was deleted and made again while this was rolled out")));
    }
    let applied = applied(context, &rollout.platform).await?;
    let scope =
        applied.map(|applied| scope_of(context, &rollout.platform, &applied, &rollout.execution)).transpose()?;
    let is_in = scope.is_some_and(|scope| scope.platform.services.contains_key(service));
    Ok((!is_in).then(|| format!("service {service} is not in the platform file any more")))
}

/// What the ledger remembers of the rollout. An image that cannot work is rejected.
fn untold(ended: &Settlement) -> Untold {
    let rollout = &ended.rollout;
    let fault = ended.verification.as_ref().and_then(|seen| seen.fault);
    let past = Past {
        execution: rollout.execution.clone(),
        cause: rollout.cause,
        tag: rollout.tag.clone(),
        definition: ended.released.clone(),
        began: rollout.began,
        ended: now(),
        verdict: ended.verdict,
        reason: story(ended),
        checks: ended.verification.as_ref().map(|seen| seen.checks.clone()).unwrap_or_default(),
        notes: Vec::new(),
    };
    let rejects = ended.verdict == Verdict::Refused && fault == Some(Fault::Image);
    Untold { digest: rollout.digest.clone(), past, rejects }
}

/// Keeps the image from the repository's lifecycle rules, and removes what nobody needs any more. Returns what did not work.
async fn clear(context: &Context, ended: &Settlement, verdict: Verdict) -> Vec<String> {
    let (mut notes, rollout) = (Vec::new(), &ended.rollout);
    let key = keys(rollout).record();
    let (scope, record) = match try_join!(scope(context, rollout), context.home.read_json(&key)) {
        Ok(read) => read,
        Err(error) => {
            note(&mut notes, Err(error));
            return notes;
        }
    };
    if verdict == Verdict::Succeeded {
        note(&mut notes, keep(context, &scope, rollout).await);
        note(&mut notes, forget(context, &scope, rollout, &record).await);
    }
    // Where another rollout has taken over, that one knows what the service runs.
    if (ended.released.is_some() || ended.returned.is_some()) && verdict != Verdict::Superseded {
        note(&mut notes, tidy::revisions(context, &scope, ended, &record).await);
    }
    note(&mut notes, tidy::ledger(context, &scope, rollout).await);
    notes
}

/// Puts the tag on the image that keeps it from the repository's lifecycle rules.
async fn keep(context: &Context, scope: &Scope, rollout: &Rollout) -> Result<()> {
    let (Some(repository), Some((manifest, media_type))) = (
        repository(scope, &rollout.service),
        read::image(&context.clients, scope, &rollout.service, &rollout.digest).await?,
    ) else {
        return Ok(());
    };
    let request = context.clients.ecr().put_image().repository_name(&repository).image_digest(&rollout.digest);
    // A manifest by Podman or Buildah does not say its own media type, and ECR takes it for no manifest then.
    let request = request.image_manifest(manifest).set_image_manifest_media_type(media_type);
    let request = request.image_tag(keep_tag(&rollout.digest));
    // It bears the tag already.
    let known = ["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"];
    tolerate(request.send().await.during("keep image of", &repository), &known).map(drop)
}

/// Takes the tag off the images that no rollback needs any more.
async fn forget(context: &Context, scope: &Scope, rollout: &Rollout, record: &Record) -> Result<()> {
    let Some(repository) = repository(scope, &rollout.service) else { return Ok(()) };
    let kept = record.kept();
    let old = record.verified.iter().map(|verified| verified.digest.as_str()).find(|digest| !kept.contains(digest));
    let Some(old) = old else { return Ok(()) };
    let tag = ImageIdentifier::builder().image_tag(keep_tag(old)).build();
    let request = context.clients.ecr().batch_delete_image().repository_name(&repository).image_ids(tag);
    request.send().await.during("let go of an image of", &repository).map(drop)
}
