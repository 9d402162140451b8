//! The planner of listeners and their rules. A platform that goes to HTTPS or back serves all the time: the listener that
//! shall serve stands with its rules before the other one sends there or goes.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{self, Listeners, rule_resource};
use super::hand::{UNTIL_HEALTHY, handed};
use super::plan::{Groups, plan_tags, taken};
use super::{Balancer, Change, HTTP, HTTPS, Listener, Listening, Priority, Rule, Target, World};
use crate::plan::{Found, Plan, Ref, Refusal};
use crate::scope::{Scope, TAG_RESOURCE};
use crate::spec;

/// Plans the listeners of one load balancer.
pub(super) struct Listen<'a> {
    pub(super) scope: &'a Scope,
    pub(super) world: &'a World,
    pub(super) groups: &'a Groups,
    /// The load balancer's key in the platform file.
    pub(super) key: &'a str,
    pub(super) plan: &'a mut Plan<Change>,
    /// Steps after which old target groups are free.
    pub(super) moved: &'a mut Vec<Ref>,
}

/// A listener that stands, or is made.
struct Standing {
    id: Ref,
    /// Its rules as they were found.
    rules: Vec<Found<Rule>>,
}

impl Listen<'_> {
    pub(super) fn plan(
        &mut self,
        balancer: &spec::LoadBalancer,
        found: Option<&Balancer>,
        arn: &Ref,
    ) -> Result<(), Refusal> {
        let Listeners { port, serving, sending } = desired::listeners(self.scope, self.key, balancer)?;
        let found = |port: u16| found.and_then(|found| found.listeners.get(&port));
        let ready = self.serving(arn, port, serving, found(port))?;
        match sending {
            Some(wanted) => self.sending(arn, wanted, found(HTTP), &ready)?,
            // What listens there without being ours was not made for this platform.
            None => {
                if let Some(old) = found(HTTPS).filter(|old| self.scope.owns(&old.settings.tags)) {
                    let name = format!("{}-{HTTPS}", self.scope.name(self.key));
                    let change = Change::DeleteListener { arn: old.arn.clone(), name };
                    self.moved.push(self.plan.add(change, &ready.iter().collect::<Vec<_>>()));
                }
            }
        }
        Ok(())
    }

    /// The listener that serves, with its rules. Returns the steps after which it does.
    fn serving(
        &mut self,
        arn: &Ref,
        port: u16,
        wanted: Listener,
        found: Option<&Listening>,
    ) -> Result<Vec<Ref>, Refusal> {
        let Some(found) = found else {
            let id = self.create(arn, port, wanted);
            let mut ready = self.rules(&Standing { id: id.clone(), rules: Vec::new() })?;
            ready.push(id);
            return Ok(ready);
        };
        self.owned(found, &wanted)?;
        let standing = Standing { id: Ref::from(found.arn.as_str()), rules: found.rules.clone() };
        // As long as it sends to another port, nobody is told that there is nothing: its rules come first.
        if matches!(found.settings.default, Target::Secure(_)) {
            let mut ready = self.rules(&standing)?;
            ready.extend(self.set(found, wanted, &ready));
            return Ok(ready);
        }
        let set = self.set(found, wanted, &[]);
        let mut ready = self.rules(&standing)?;
        ready.extend(set);
        Ok(ready)
    }

    /// The listener on HTTP that sends to HTTPS, as soon as that is `ready`. Its old rules go last: they serve until then.
    fn sending(
        &mut self,
        arn: &Ref,
        wanted: Listener,
        found: Option<&Listening>,
        ready: &[Ref],
    ) -> Result<(), Refusal> {
        let Some(found) = found else {
            self.create(arn, HTTP, wanted);
            return Ok(());
        };
        self.owned(found, &wanted)?;
        let set = self.set(found, wanted, ready);
        let after: Vec<&Ref> = set.iter().chain(ready).collect();
        for rule in found.rules.iter().filter(|rule| self.scope.owns(&rule.settings.tags)) {
            self.moved.push(self.plan.add(delete(rule), &after));
        }
        Ok(())
    }

    /// Refuses a listener of somebody else, and tags one of ours.
    fn owned(&mut self, found: &Listening, wanted: &Listener) -> Result<(), Refusal> {
        if !self.scope.owns(&found.settings.tags) {
            let advice = "Remove the listener that somebody added to the load balancer";
            return Err(taken("listener", &wanted.tags["Name"], advice));
        }
        plan_tags(self.plan, "listener", &found.arn, &found.settings.tags, &wanted.tags);
        Ok(())
    }

    fn create(&mut self, arn: &Ref, port: u16, settings: Listener) -> Ref {
        let (balancer, name) = (arn.clone(), settings.tags["Name"].clone());
        let group = self.group_of(&settings.default);
        let after: Vec<&Ref> = group.iter().chain([arn]).collect();
        let change = Change::CreateListener { balancer, port, name, group: group.clone(), settings };
        self.plan.add(change, &after)
    }

    /// Sets a listener where it is not as wanted.
    fn set(&mut self, found: &Listening, wanted: Listener, after: &[Ref]) -> Option<Ref> {
        let old = &found.settings;
        let now = Listener { default: handed(self.scope, self.world, &old.default, &wanted.default), ..wanted.clone() };
        let group = self.group_of(&now.default);
        let change = |old: &Listener, new: Listener, until| {
            let (arn, name, group) = (found.arn.clone(), new.tags["Name"].clone(), group.clone());
            Change::SetListener { arn, name, group, until, old: old.clone(), new }
        };
        if now.default != wanted.default {
            self.plan.defer(&change(&now, wanted, None), UNTIL_HEALTHY);
        }
        if (&old.default, &old.tls) == (&now.default, &now.tls) {
            return None;
        }
        let until = self.until(&now.default);
        let after: Vec<&Ref> = group.iter().chain(after).collect();
        let step = self.plan.add(change(old, now, until), &after);
        self.moved.push(step.clone());
        Some(step)
    }

    /// The target group that goes on serving.
    fn until(&self, target: &Target) -> Option<String> {
        let Target::Until(old, _) = target else { return None };
        self.world.target_groups.get(old).map(|group| group.id.clone())
    }

    /// The target group behind a target of ours.
    fn group_of(&self, target: &Target) -> Option<Ref> {
        match target {
            Target::Group(name) | Target::Until(_, name) => self.groups.get(name).cloned(),
            Target::NotFound | Target::Secure(_) | Target::Other(_) => None,
        }
    }

    /// The rules of the listener that serves. Returns the steps that make or change them.
    fn rules(&mut self, listener: &Standing) -> Result<Vec<Ref>, Refusal> {
        let scope = self.scope;
        let (ours, foreign): (Vec<_>, Vec<_>) = listener.rules.iter().partition(|rule| scope.owns(&rule.settings.tags));
        let mut by_resource: BTreeMap<&str, &Found<Rule>> =
            ours.iter().map(|rule| (rule.settings.tags.get(TAG_RESOURCE).map_or("", String::as_str), *rule)).collect();
        let mut wanted = Vec::new();
        for (name, service) in scope.platform.services.iter().filter(|(_, service)| service.load_balancer == self.key) {
            if let Some(rule) = &service.rule {
                let settings = desired::rule(scope, name, service, rule);
                if foreign.iter().any(|rule| rule.settings.priority == settings.priority) {
                    let place = format!("{} of {}", settings.priority, scope.name(self.key));
                    return Err(taken("listener rule", &place, "Give the service's rule another priority"));
                }
                let found = by_resource.remove(rule_resource(name).as_str());
                wanted.push((name, settings, found));
            }
        }
        // A service that takes the path of one that leaves takes its rule, so that there is always one.
        for (_, settings, found) in wanted.iter_mut().filter(|(_, _, found)| found.is_none()) {
            let same = by_resource.iter().find(|(_, rule)| rule.settings.paths == settings.paths);
            let resource = same.map(|(resource, _)| *resource);
            *found = resource.and_then(|resource| by_resource.remove(resource));
        }
        let free = self.make_room(&ours, &wanted);
        Ok(wanted.into_iter().filter_map(|wanted| self.rule(&listener.id, &free, wanted)).chain(free.clone()).collect())
    }

    /// Takes old rules away and gives rules their new places. Returns the steps after which all priorities are free.
    fn make_room(&mut self, ours: &[&Found<Rule>], wanted: &[(&String, Rule, Option<&Found<Rule>>)]) -> Vec<Ref> {
        let kept: BTreeSet<&str> = wanted.iter().filter_map(|(_, _, found)| Some((*found)?.id.as_str())).collect();
        // Old rules go first: one of them may hold a priority that is wanted now.
        let old = ours.iter().filter(|rule| !kept.contains(rule.id.as_str()));
        let mut free: Vec<Ref> = old.map(|rule| self.plan.add(delete(rule), &[])).collect();
        // All at once, since two rules may change places.
        let rules: Vec<Priority> =
            wanted.iter().filter_map(|(name, new, found)| priority(name, new, (*found)?)).collect();
        if !rules.is_empty() {
            let change = Change::SetPriorities { name: self.scope.name(self.key), rules };
            free.push(self.plan.add(change, &free.iter().collect::<Vec<_>>()));
        }
        self.moved.extend(free.iter().cloned());
        free
    }

    /// One rule of a service, where it is not as wanted.
    fn rule(
        &mut self,
        listener: &Ref,
        free: &[Ref],
        (service, settings, found): (&String, Rule, Option<&Found<Rule>>),
    ) -> Option<Ref> {
        let group = self.group_of(&settings.target)?;
        let name = self.scope.name(service);
        let Some(found) = found else {
            let after: Vec<&Ref> = free.iter().chain([listener, &group]).collect();
            let (listener, group) = (listener.clone(), group.clone());
            return Some(self.plan.add(Change::CreateRule { listener, name, group, settings }, &after));
        };
        plan_tags(self.plan, "listener rule", &found.id, &found.settings.tags, &settings.tags);
        let has = &found.settings;
        let now = Rule { target: handed(self.scope, self.world, &has.target, &settings.target), ..settings.clone() };
        let change = |old: &Rule, new: Rule, until| {
            let (arn, name, group) = (found.id.clone(), name.clone(), group.clone());
            Change::SetRule { arn, name, group, until, old: old.clone(), new }
        };
        if now.target != settings.target {
            self.plan.defer(&change(&now, settings, None), UNTIL_HEALTHY);
        }
        if (&has.paths, &has.target) == (&now.paths, &now.target) {
            return None;
        }
        let until = self.until(&now.target);
        let step = self.plan.add(change(has, now, until), &[&group]);
        self.moved.push(step.clone());
        Some(step)
    }
}

fn delete(rule: &Found<Rule>) -> Change {
    let name = rule.settings.tags.get("Name").cloned().unwrap_or_default();
    Change::DeleteRule { arn: rule.id.clone(), name }
}

fn priority(service: &str, wanted: &Rule, found: &Found<Rule>) -> Option<Priority> {
    let (old, new) = (found.settings.priority, wanted.priority);
    (old != new).then(|| Priority { arn: found.id.clone(), service: service.into(), old, new })
}
