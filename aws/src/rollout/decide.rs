//! `Decide`: what a trigger means, by the account as it is now. Writes nothing but what it learns of tags.

use futures::try_join;
use skydeck_core::layer::secrets::withheld;
use skydeck_core::layer::service::repository;
use skydeck_core::obstacle::Obstacle;
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::decide::{
    Asked, Choice, Decision, Reason, Situation, choose, decide as follow, passed_over, untried, waiting,
};
use skydeck_core::rollout::ledger::{Entry, Keys};
use skydeck_core::rollout::release::desired;
use skydeck_core::rollout::run::{Decided, Rollout, Start, Word};
use skydeck_core::rollout::tags::Tags;
use skydeck_core::rollout::trigger::{Cause, Order, Push, Trigger};
use skydeck_core::scope::Scope;
use skydeck_core::spec::Service;
use skydeck_core::verdict::{Check, Fault, Name, Outcome, Questions, Verification};

use super::read::Lacking;
use super::survey::{self, Found, Known};
use super::{applied, images, now, read, record, scope_of};
use crate::error::{Error, Result};
use crate::run::Context;

/// One look at everything that a decision rests on, and the decision.
///
/// # Errors
/// [`Error::Input`] where the trigger cannot be meant so, [`Error::NotYet`] where another rollout has to be waited for.
pub async fn decide(context: &Context, start: Start) -> Result<Decided> {
    match Trigger::parse(&start.trigger).map_err(Error::Input)? {
        Trigger::Event(event) => match event.push() {
            Err(why) => Ok(ignored(&Reason::IdleEvent { why })),
            Ok(push) => decide_push(context, &push, &start.execution).await,
        },
        Trigger::Order(order) => decide_order(context, &order, &start.execution).await,
    }
}

fn ignored(reason: &Reason) -> Decided {
    let (kind, reason) = (Some(reason.kind()), reason.to_string());
    Decided { decision: Word::Ignored, reason, kind, rollout: None, verification: None }
}

async fn decide_push(context: &Context, push: &Push, execution: &str) -> Result<Decided> {
    for platform in read::platforms_of(context, &push.repository).await? {
        let Some(applied) = applied(context, &platform).await? else { continue };
        let scope = scope_of(context, &platform, &applied, execution)?;
        let services = scope.platform.services.iter();
        let mut services = services.filter(|(_, service)| scope.name(&service.repository) == push.repository);
        let Some((service, _)) = services.next() else { continue };
        let others: Vec<&String> = services.map(|(name, _)| name).collect();
        for other in &others {
            // A repository that services share: each has a rollout of its own.
            let order = Order {
                platform: Some(platform.clone()),
                service: (*other).clone(),
                image: Some(push.digest.clone()),
                cause: Cause::Push,
                since: push.at,
                parameter: None,
            };
            super::start::order(context, order, execution).await?;
        }
        let asked = Asked { cause: Cause::Push, image: Some(&push.digest), tag: Some(&push.tag), since: push.at };
        let here = Here { scope: &scope, since: applied.since, execution };
        return decide_service(context, &here, service, &asked, None).await;
    }
    Ok(ignored(&Reason::NoService { repository: push.repository.clone() }))
}

async fn decide_order(context: &Context, order: &Order, execution: &str) -> Result<Decided> {
    let platform = match &order.platform {
        Some(platform) => platform.clone(),
        None => crate::run::only_platform(context).await?,
    };
    let Some(applied) = applied(context, &platform).await? else {
        return Err(Error::Input(format!("platform {platform} was not applied yet: `skydeck apply` does it")));
    };
    let scope = scope_of(context, &platform, &applied, execution)?;
    if !scope.platform.services.contains_key(&order.service) {
        if order.cause.is_person() {
            return Err(read::no_service(&platform, &order.service, scope.platform.services.keys().cloned()));
        }
        return Ok(ignored(&Reason::Left { service: order.service.clone() }));
    }
    let asked = Asked { cause: order.cause, image: order.image.as_deref(), tag: None, since: order.since };
    let here = Here { scope: &scope, since: applied.since, execution };
    decide_service(context, &here, &order.service, &asked, order.parameter.as_deref()).await
}

/// The image of an event is known, and what is asked of it need not wait for the rest.
fn named<'a>(asked: &Asked<'a>) -> Option<&'a str> {
    asked.image.filter(|image| image.starts_with("sha256:"))
}

/// What is known of the tags, with what an event or a look of the sweep adds to it. Where that cannot be kept, it is known only now.
async fn learn(context: &Context, key: &str, found: &Found, asked: &Asked<'_>) -> Tags {
    let known = &found.tags.value;
    let learned = match (asked.cause, named(asked).zip(asked.since)) {
        (Cause::Push, Some((digest, at))) => known.told(digest, asked.tag, at, &found.images),
        (Cause::Sweep, _) => known.looked(&found.images, &found.running, now()),
        _ => known.clone(),
    };
    // When was looked last says something only where something was found.
    if learned.tags != known.tags {
        let kept = record::swap(&context.home, key, found.tags.etag.as_deref(), &learned).await;
        if let Err(error) = kept {
            tracing::warn!("what is known of the tags could not be kept: {error}");
        }
    }
    learned
}

/// What is known of an image.
#[derive(Default)]
pub(super) struct About {
    digest: String,
    pub(super) entry: Entry,
    content: Content,
}

impl About {
    /// Whether it is something else than an image: a signature, a chart.
    fn is_other(&self) -> bool {
        self.content.has(&self.digest) && !self.content.is_image(&self.digest)
    }
}

/// The image that waits for a parameter, since it was refused without one, and what is known of it.
async fn refused_before(
    context: &Context,
    scope: &Scope,
    keys: Keys<'_>,
    now: &Situation<'_>,
) -> Result<Option<(Choice, About)>> {
    let Some(choice) = waiting(now) else { return Ok(None) };
    let about = about(context, scope, keys, &choice.digest, Content::default()).await?;
    let waits = about.entry.waits();
    Ok(waits.then_some((choice, about)))
}

/// What is known of an image beside `content`, which may have been read already.
async fn about(context: &Context, scope: &Scope, keys: Keys<'_>, digest: &str, content: Content) -> Result<About> {
    let (key, repository) = (keys.entry(digest), repository(scope, keys.service).unwrap_or_default());
    let content = async {
        let (clients, mut content) = (&context.clients, content);
        images::read(clients, &repository, &mut content, &[digest.to_owned()]).await?;
        images::read_configs(clients, &repository, &mut content, digest).await;
        Ok(content)
    };
    let (entry, content) = try_join!(context.home.read_json::<Entry>(&key), content)?;
    Ok(About { digest: digest.to_owned(), entry, content })
}

/// The image that it is about, and what is known of it.
pub(super) async fn chosen(
    context: &Context,
    scope: &Scope,
    keys: Keys<'_>,
    asked: &Asked<'_>,
    now: &Situation<'_>,
    (known, seen): (Option<About>, Content),
) -> Result<(Result<Choice, Reason>, About)> {
    if let Some(other) = known.as_ref().filter(|known| known.is_other()) {
        return Ok((Err(Reason::NotAnImage { image: other.digest.clone() }), About::default()));
    }
    let waiting = match asked.cause {
        Cause::Secret => refused_before(context, scope, keys, now).await?,
        _ => None,
    };
    let (choice, known) = match waiting {
        Some((choice, about)) => (choice, Some(about)),
        None => match choose(asked, now) {
            Ok(choice) => (choice, known),
            Err(reason) => return Ok((Err(reason), About::default())),
        },
    };
    let found = match known.filter(|known| known.digest == choice.digest) {
        Some(known) => known,
        None => about(context, scope, keys, &choice.digest, seen).await?,
    };
    let any = match asked.cause {
        Cause::Configuration | Cause::Sweep => now.running.digest.is_none(),
        Cause::Person => asked.image.is_none(),
        _ => false,
    };
    let (choice, found) =
        if any { first_good(context, scope, keys, asked, now, (choice, found)).await? } else { (choice, found) };
    // Only who names an image overrides its rejection.
    if let (Cause::Person, true, Some(rejected)) = (asked.cause, any, &found.entry.rejected) {
        let reason = Reason::Rejected { digest: choice.digest, reason: rejected.reason.clone() };
        return Ok((Err(reason), found));
    }
    // What a person names by its tag was not looked at yet.
    let image = || choice.tag.clone().unwrap_or(choice.digest.clone());
    let choice = if found.is_other() { Err(Reason::NotAnImage { image: image() }) } else { Ok(choice) };
    Ok((choice, found))
}

/// The newest image that is not known to be bad: a service that was made anew starts with it, and a person who names none means it.
async fn first_good(
    context: &Context,
    scope: &Scope,
    keys: Keys<'_>,
    asked: &Asked<'_>,
    now: &Situation<'_>,
    (mut choice, mut found): (Choice, About),
) -> Result<(Choice, About)> {
    let mut rest = now.images.to_vec();
    while found.entry.rejected.is_some() || found.is_other() {
        rest.retain(|image| image.digest != choice.digest);
        let Ok(next) = choose(asked, &Situation { images: &rest, ..now.clone() }) else { break };
        found = about(context, scope, keys, &next.digest, Content::default()).await?;
        choice = next;
    }
    Ok((choice, found))
}

/// What is known of the image that an event or a person names, where one does.
async fn about_named(context: &Context, scope: &Scope, keys: Keys<'_>, named: Option<&str>) -> Result<Option<About>> {
    match named {
        Some(digest) => about(context, scope, keys, digest, Content::default()).await.map(Some),
        None => Ok(None),
    }
}

/// Which platform is decided about, and by which execution.
pub(super) struct Here<'a> {
    pub(super) scope: &'a Scope,
    /// Since when skydeck keeps records of the platform, in milliseconds since 1970.
    pub(super) since: i64,
    pub(super) execution: &'a str,
}

/// `parameter` is the one that an event tells was changed.
async fn decide_service(
    context: &Context,
    here: &Here<'_>,
    name: &str,
    asked: &Asked<'_>,
    parameter: Option<&str>,
) -> Result<Decided> {
    let (platform, names) = (here.scope.prefix(), [name.to_owned()]);
    let (known, mut lacking) =
        try_join!(survey::known(context, &platform, &names), survey::lacking(context, here.scope, &names))?;
    if let Some(parameter) = parameter {
        // An event tells of it, and a list may be behind.
        lacking.missing.remove(parameter);
    }
    match known.into_iter().next() {
        Some(known) => Box::pin(decide_known(context, here, known, &lacking, asked)).await,
        None => Ok(ignored(&Reason::NotMadeYet { service: name.to_owned() })),
    }
}

/// Decides about a service of which the record was read already. `lacking` is about all parameters of the platform.
pub(super) async fn decide_known(
    context: &Context,
    here: &Here<'_>,
    known: Known,
    lacking: &Lacking,
    asked: &Asked<'_>,
) -> Result<Decided> {
    let (scope, platform, name) = (here.scope, here.scope.prefix(), known.name.clone());
    let (name, keys) = (name.as_str(), Keys { platform: &platform, service: &name });
    let early = about_named(context, scope, keys, named(asked));
    let (found, mut known) = try_join!(known.look(context, scope, here.execution), early)?;
    let (Some(mut found), Some(service)) = (found, scope.platform.services.get(name)) else {
        return Ok(ignored(&Reason::NotMadeYet { service: name.to_owned() }));
    };
    learn(context, &keys.tags(), &found, asked).await.date(&service.image, &mut found.images);
    let mut seen = Content::default();
    found.sift(context, scope, name, known.as_mut().map_or(&mut seen, |known| &mut known.content)).await?;
    let situation = Situation {
        execution: here.execution,
        policy: &service.image,
        images: &found.images,
        record: &found.record.value,
        running: &found.running,
        holder: found.holder,
        records_since: here.since,
    };
    let (choice, about) = chosen(context, scope, keys, asked, &situation, (known, seen)).await?;
    let choice = match follow(asked, &situation, choice, &about.entry) {
        // A person who asks for what is not there is told so by a failure.
        Decision::Ignore(reason @ (Reason::Gone { .. } | Reason::NotAnImage { .. })) if asked.cause.is_person() => {
            return Err(Error::Input(reason.to_string()));
        }
        Decision::Ignore(reason) => return Ok(ignored(&reason)),
        Decision::Wait(whom) => return Err(Error::NotYet(whom)),
        Decision::Return => {
            let digest = found.record.value.lease.as_ref().map(|lease| lease.digest.clone()).unwrap_or_default();
            let choice = Choice { digest, tag: None };
            let rollout = rollout(scope, (name, service), asked.cause, &situation, &choice, &found);
            let rollout = Rollout { returns: true, ..rollout };
            let reason = "a rollout died and left the service with what nobody has verified".to_owned();
            return Ok(Decided {
                decision: Word::Return,
                reason,
                kind: None,
                rollout: Some(rollout),
                verification: None,
            });
        }
        Decision::Release(choice) => choice,
    };
    let mut rollout = rollout(scope, (name, service), asked.cause, &situation, &choice, &found);
    if untried(&choice, &about.entry, &situation) {
        // What nobody has seen serve is nothing to go back to.
        rollout.running = None;
    }
    let reads = read::parameters(scope, name);
    let missing: Vec<&str> = reads.intersection(&lacking.missing).map(String::as_str).collect();
    let withheld = reads.intersection(&lacking.withheld).map(|parameter| withheld(scope, parameter));
    let obstacles: Vec<Obstacle> = found.obstacle.iter().cloned().chain(withheld).collect();
    let is_free = found.record.value.lease.is_none();
    Ok(match unfit(&about.content, &missing, &obstacles, &choice) {
        // The schedule comes again and again, and one refusal says it.
        Some((_, reason)) if asked.cause == Cause::Sweep && is_free && about.entry.waits_for(&reason) => {
            ignored(&Reason::Refused { digest: choice.digest, reason })
        }
        Some((fault, reason)) => refused(rollout, fault, reason),
        None => released(scope, rollout, &found),
    })
}

/// Why the image cannot work here, and whose fault that is: found before anything is touched.
fn unfit(content: &Content, missing: &[&str], obstacles: &[Obstacle], choice: &Choice) -> Option<(Fault, String)> {
    if !obstacles.is_empty() {
        let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        return Some((Fault::Platform, told.join(". ")));
    }
    if !content.has(&choice.digest) {
        return Some((Fault::Platform, format!("ECR does not give the manifest of {}", choice.digest)));
    }
    if let Some(reason) = content.unfit(&choice.digest) {
        return Some((Fault::Image, reason));
    }
    (!missing.is_empty()).then(|| {
        let names = missing.join(", ");
        (Fault::Platform, format!("there is no parameter {names}. `skydeck secret set NAME` gives it a value"))
    })
}

fn rollout(
    scope: &Scope,
    (name, service): (&str, &Service),
    cause: Cause,
    situation: &Situation<'_>,
    choice: &Choice,
    found: &Found,
) -> Rollout {
    Rollout {
        execution: situation.execution.to_owned(),
        platform: scope.prefix(),
        service: name.to_owned(),
        cause,
        digest: choice.digest.clone(),
        tag: choice.tag.clone(),
        pushed_at: found.images.iter().find(|image| image.digest == choice.digest).map(|image| image.at),
        began: now(),
        record: found.record.value.clone(),
        etag: found.record.etag.clone(),
        running: found.verified.clone().filter(|_| found.running.serves()),
        desired: desired(service, &found.record.value, &found.running),
        placed: found.placed.clone(),
        passed_over: passed_over(cause, situation, choice),
        returns: false,
        probe_function: scope.facts.balancer.as_ref().and_then(|facts| facts.probe_function.clone()),
    }
}

fn refused(rollout: Rollout, fault: Fault, reason: String) -> Decided {
    let check = Check {
        service: rollout.service.clone(),
        check: Name::Image,
        outcome: Outcome::Failed,
        evidence: reason.clone(),
    };
    let mut verification = Verification::of(0, vec![check], Questions::default(), Questions::default());
    verification.fault = Some(fault);
    Decided { decision: Word::Refused, reason, kind: None, rollout: Some(rollout), verification: Some(verification) }
}

/// What serves now is asked before the release: answers that are bad already are no fault of the image.
fn released(scope: &Scope, rollout: Rollout, found: &Found) -> Decided {
    let (outside, inside) =
        if found.running.serves() { Questions::of(scope, [rollout.service.as_str()]) } else { Default::default() };
    let verification = Verification::of(0, Vec::new(), outside, inside);
    Decided {
        decision: Word::Release,
        reason: String::new(),
        kind: None,
        rollout: Some(rollout),
        verification: Some(verification),
    }
}
