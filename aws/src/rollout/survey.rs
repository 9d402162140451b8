//! What a decision rests on, read of one service or of many at once: in bulk wherever AWS has a call for many.

use futures::try_join;
use skydeck_core::layer::service::{Placement, repository, wanted_settings};
use skydeck_core::obstacle::{Kind, Obstacle, unmarked};
use skydeck_core::rollout::content::Content;
use skydeck_core::rollout::decide::Running;
use skydeck_core::rollout::image::Pushed;
use skydeck_core::rollout::ledger::Keys;
use skydeck_core::rollout::record::{Liveness, Record, Verified};
use skydeck_core::rollout::tags::Tags;
use skydeck_core::scope::Scope;

use super::{images, read};
use crate::error::Result;
use crate::execute::all;
use crate::execution::{SAFE_TO_DECIDE_SECONDS, liveness};
use crate::home::Marked;
use crate::run::Context;

/// A service and its record, as they were at one moment. All else that is read of it comes later.
pub(crate) struct Known {
    pub(crate) name: String,
    /// None where there is no such service.
    pub(crate) serving: Option<read::Serving>,
    /// As far as it is about that service.
    pub(crate) record: Marked<Record>,
}

/// What was read of a service after its record.
pub(super) struct Found {
    pub(super) images: Vec<Pushed>,
    pub(super) record: Marked<Record>,
    pub(super) running: Running,
    pub(super) verified: Option<Verified>,
    pub(super) placed: Option<Placement>,
    pub(super) holder: Liveness,
    /// Why skydeck may not change the service.
    pub(super) obstacle: Option<Obstacle>,
    /// What is known of the repository's tags.
    pub(super) tags: Marked<Tags>,
}

/// Services of a platform with their records.
pub(crate) async fn known(context: &Context, platform: &str, names: &[String]) -> Result<Vec<Known>> {
    let clients = &context.clients;
    let read = |name: &String| {
        let key = Keys { platform, service: name }.record();
        async move { context.home.read_marked::<Record>(&key).await }
    };
    let (mut found, records) = try_join!(read::serving(clients, platform, names), all(names.iter().map(read)))?;
    // A service was read beside its record, and may be older where it says otherwise.
    let is_old = |(name, record): &(&String, &Marked<Record>)| {
        let serving = found.get(*name);
        let record = record.value.clone().of(serving.map(|serving| serving.life.as_str()));
        serving.is_some_and(|serving| record.stands() != Some(&serving.definition))
    };
    let old: Vec<String> = names.iter().zip(&records).filter(is_old).map(|(name, _)| name.clone()).collect();
    found.retain(|name, _| !old.contains(name));
    found.extend(read::serving(clients, platform, &old).await?);
    let known = names.iter().zip(records).map(|(name, mut record)| {
        let serving = found.remove(name);
        record.value = record.value.of(serving.as_ref().map(|serving| serving.life.as_str()));
        Known { name: name.clone(), serving, record }
    });
    Ok(known.collect())
}

impl Known {
    /// What else a decision needs; `None` where the service is not there. It is read after the record: if it were older, a newer
    /// rollout's release could be taken for none.
    pub(super) async fn look(self, context: &Context, scope: &Scope, execution: &str) -> Result<Option<Found>> {
        let Known { name, serving, record } = self;
        let Some(serving) = serving else { return Ok(None) };
        let (clients, repository) = (&context.clients, repository(scope, &name).unwrap_or_default());
        let holder = async {
            match record.value.lease.as_ref().filter(|lease| lease.execution != execution) {
                Some(lease) => liveness(clients, &lease.execution, SAFE_TO_DECIDE_SECONDS, record.written).await,
                None => Ok(Liveness::Gone),
            }
        };
        let running = read::running(clients, scope, &name, &serving);
        let (platform, images) = (scope.prefix(), images::list(clients, &repository));
        let tags_key = Keys { platform: &platform, service: &name }.tags();
        let tags = context.home.read_marked::<Tags>(&tags_key);
        let (images, (running, verified), holder, tags) = try_join!(images, running, holder, tags)?;
        let (arn, marks) = &serving.marks;
        let obstacle = unmarked(scope, [(Kind::Service, arn, marks)]).pop();
        let wanted = wanted_settings(scope, &name)?.1;
        let placed = Some(serving.placement).filter(|placed| *placed != wanted);
        let images = images.unwrap_or_default();
        Ok(Some(Found { images, record, running, verified, placed, holder, obstacle, tags }))
    }
}

impl Found {
    /// Leaves only images before the one that the service's policy wants.
    pub(super) async fn sift(
        &mut self,
        context: &Context,
        scope: &Scope,
        name: &str,
        content: &mut Content,
    ) -> Result<()> {
        let Some(service) = scope.platform.services.get(name) else { return Ok(()) };
        let repository = repository(scope, name).unwrap_or_default();
        images::sift(&context.clients, &repository, &service.image, &mut self.images, content).await
    }
}

/// The parameters that services need and cannot read.
pub(super) async fn lacking(context: &Context, scope: &Scope, names: &[String]) -> Result<read::Lacking> {
    let wanted = names.iter().flat_map(|name| read::parameters(scope, name)).collect();
    read::lacking(&context.clients, scope, wanted).await
}
