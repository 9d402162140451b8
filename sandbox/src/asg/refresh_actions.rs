//! The calls about instance refreshes, and what makes a refresh go on.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::group::list;
use super::launch::{self, Blueprint};
use super::refresh::{Preferences, Refresh, Status};
use super::{Asg, Context, Place, Refusal};
use crate::clock::iso;
use crate::gateway::Shared;
use crate::xml::escape;

/// What AWS takes where nothing is said.
const MIN_HEALTHY: u32 = 90;

impl Context<'_> {
    pub(super) async fn start_refresh(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let group = self.group(&name, |group| group.clone())?;
        if group.refresh().is_some() {
            let text = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.";
            return Err(Refusal::new("InstanceRefreshInProgress", text));
        }
        if self.text("Strategy").is_some_and(|strategy| strategy != "Rolling") {
            return Err(Refusal::invalid("The sandbox knows the strategy Rolling only"));
        }
        if self.form.keys().any(|key| key.starts_with("DesiredConfiguration")) {
            return Err(Refusal::invalid("The sandbox knows no desired configuration: give it to the group"));
        }
        let grace = group.plain.get("HealthCheckGracePeriod").and_then(|text| text.parse().ok());
        let preferences = self.preferences(grace.unwrap_or(0))?;
        let skips = self.text("Preferences.SkipMatching") == Some("true");
        let matching = match skips {
            true => Some(Blueprint::of(self.upstream, &self.place, &group.template).await?.template),
            false => None,
        };
        let (id, now) = (crate::ids::uuid(), self.now());
        let mut refresh = Refresh {
            id: id.clone(),
            status: Status::Pending,
            reason: String::new(),
            started: now,
            ended: None,
            preferences,
            matching,
            total: 0,
            remaining: 0,
            progress: now,
            retry: now,
        };
        self.group(&name, |group| {
            refresh.total = group.to_replace(&refresh).len();
            refresh.remaining = refresh.total;
            group.refreshes.insert(0, refresh);
        })?;
        Ok(format!("<InstanceRefreshId>{id}</InstanceRefreshId>"))
    }

    fn preferences(&self, grace: u32) -> Result<Preferences, Refusal> {
        let (min, max) =
            (self.number("Preferences.MinHealthyPercentage")?, self.number("Preferences.MaxHealthyPercentage")?);
        if max.is_some() && min.is_none() {
            return Err(Refusal::invalid("MinHealthyPercentage must be specified with MaxHealthyPercentage"));
        }
        let chosen = min.unwrap_or(MIN_HEALTHY);
        let wrong = max.is_some_and(|max| !(100..=200).contains(&max) || max - chosen.min(100) > 100);
        if chosen > 100 || wrong {
            return Err(Refusal::invalid(
                "MinHealthyPercentage is 0 to 100 and MaxHealthyPercentage 100 to 200, with no more than 100 between them",
            ));
        }
        let warmup = self.number("Preferences.InstanceWarmup")?.unwrap_or(grace);
        Ok(Preferences { min: chosen, max, warmup })
    }

    pub(super) fn describe_refreshes(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let ids = self.list("InstanceRefreshIds");
        let limit = self.number("MaxRecords")?.unwrap_or(50).clamp(1, 100) as usize;
        let members = self.group(&name, |group| {
            let chosen = group.refreshes.iter().filter(|refresh| ids.is_empty() || ids.contains(&refresh.id));
            chosen.take(limit).map(|refresh| refresh.xml(&name)).collect::<Vec<_>>()
        })?;
        Ok(list("InstanceRefreshes", members.into_iter()))
    }

    pub(super) async fn cancel_refresh(&self) -> Result<String, Refusal> {
        let name = self.group_name()?;
        let now = self.now();
        let cancelled = self.group(&name, |group| {
            let refresh = group.refreshes.first_mut().filter(|refresh| refresh.is_active())?;
            refresh.set(Status::Cancelled, "Cancelled due to user request.", now);
            Some(refresh.id.clone())
        })?;
        let id = cancelled.ok_or_else(|| {
            let text = format!("No in progress or pending Instance Refresh found for Auto Scaling group {name}");
            Refusal::new("ActiveInstanceRefreshNotFound", text)
        })?;
        self.reconcile(&name).await?;
        Ok(format!("<InstanceRefreshId>{id}</InstanceRefreshId>"))
    }

    /// Lets a group's refresh do what it can do now.
    async fn advance(&self, name: &str) -> Result<(), Refusal> {
        let Some(moves) = self.group(name, |group| group.moves(self.clock))? else { return Ok(()) };
        let (ended, stay) = self.group(name, |group| {
            let ended: Vec<String> = moves.end.iter().filter(|id| group.send_off(id, self.clock)).cloned().collect();
            (ended, group.staying())
        })?;
        launch::terminate(self.upstream, &self.place, &ended).await;
        let launched = self.launch(name, stay + moves.launch).await.unwrap_or_else(|refusal| {
            tracing::warn!(group = name, code = refusal.code, message = refusal.message, "a refresh starts nothing");
            0
        });
        let active = self.group(name, |group| {
            group.note(&moves, launched, self.clock);
            group.refresh().is_some()
        })?;
        // What was launched ahead of a group that has become smaller meanwhile goes now.
        if active { Ok(()) } else { self.reconcile(name).await }
    }
}

impl Asg {
    /// The groups whose refresh has something to do.
    pub(crate) fn to_refresh(&self, shared: &Shared, place: &Place) -> Vec<String> {
        // Something is at work on a group already, perhaps on this.
        if self.turn.try_lock().is_err() {
            return Vec::new();
        }
        self.with(place, shared.clock.now(), |groups| {
            let due = groups.values().filter(|group| group.moves(shared.clock).is_some());
            due.map(|group| group.name.clone()).collect()
        })
    }

    pub(crate) async fn refresh(&self, shared: &Shared, place: &Place, name: &str) {
        let _turn = self.turn.lock().await;
        let form = BTreeMap::new();
        let context =
            Context { asg: self, upstream: &shared.upstream, clock: shared.clock, place: place.clone(), form: &form };
        if let Err(refusal) = context.advance(name).await {
            tracing::warn!(group = name, code = refusal.code, message = refusal.message, "a refresh could not go on");
        }
        shared.pulse.notify_one();
    }
}

impl Refresh {
    /// The inside of a refresh's `member`.
    fn xml(&self, group: &str) -> String {
        let mut text = String::new();
        let mut put = |key: &str, value: &str| {
            let _ = write!(text, "<{key}>{}</{key}>", escape(value));
        };
        put("InstanceRefreshId", &self.id);
        put("AutoScalingGroupName", group);
        put("Status", self.status.name());
        if !self.reason.is_empty() {
            put("StatusReason", &self.reason);
        }
        put("Strategy", "Rolling");
        put("StartTime", &iso(self.started));
        if let Some(ended) = self.ended {
            put("EndTime", &iso(ended));
        }
        put("PercentageComplete", &self.percent().to_string());
        put("InstancesToUpdate", &self.remaining.to_string());
        let Preferences { min, max, warmup } = self.preferences;
        let max = max.map(|max| format!("<MaxHealthyPercentage>{max}</MaxHealthyPercentage>")).unwrap_or_default();
        let _ = write!(
            text,
            "<Preferences><MinHealthyPercentage>{min}</MinHealthyPercentage>{max}<InstanceWarmup>{warmup}</InstanceWarmup>\
             <SkipMatching>{}</SkipMatching></Preferences>",
            self.matching.is_some()
        );
        text
    }
}
