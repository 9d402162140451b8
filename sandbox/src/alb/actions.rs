//! The calls about targets, which the emulator would answer as if all targets were healthy.

use std::collections::BTreeMap;

use super::words;
use super::{Alb, Balancer, Target};
use crate::answer::Answer;
use crate::asg::Place;
use crate::gateway::Shared;
use crate::gateway::naming::Name;
use crate::xml::escape;

impl Alb {
    /// The answer to a call that the emulator has accepted; none where its own stands.
    pub(crate) async fn answer(&self, shared: &Shared, name: &Name, form: &BTreeMap<String, String>) -> Option<Answer> {
        if name.writes() {
            self.outdate();
        }
        if !["RegisterTargets", "DeregisterTargets", "DescribeTargetHealth"].contains(&&*name.action) {
            return None;
        }
        let place = Place::of(name);
        self.config(&shared.upstream, &place).await;
        let group = form.get("TargetGroupArn").cloned().unwrap_or_default();
        let given = targets(form);
        let now = shared.clock.now();
        let inner = self.with(&place, |table| {
            table.set_clock(shared.clock);
            let usual = table.group(&group).map_or(80, |group| group.port);
            let known: Vec<Target> = table.of(&group).map(|(target, _)| target.clone()).collect();
            // A target without a port is, when it is registered, one with the group's; else all of that instance.
            let meant = |(id, port): &(String, Option<u16>)| -> Vec<Target> {
                let same = known.iter().filter(|t| t.id == *id && port.is_none_or(|port| t.port == port)).cloned();
                let same: Vec<Target> = same.collect();
                if same.is_empty() || name.action == "RegisterTargets" {
                    vec![Target { group: group.clone(), id: id.clone(), port: port.unwrap_or(usual) }]
                } else {
                    same
                }
            };
            let meant: Vec<Target> = given.iter().flat_map(meant).collect();
            match &*name.action {
                "RegisterTargets" => meant.iter().for_each(|target| table.register(now, target)),
                "DeregisterTargets" => meant.iter().for_each(|target| table.deregister(now, target)),
                _ => return describe(table, &group, if given.is_empty() { known } else { meant }),
            }
            String::new()
        });
        shared.pulse.notify_one();
        Some(Answer::xml(format!(
            "<{0}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><{0}Result>{inner}</{0}Result>\
             <ResponseMetadata><RequestId>{1}</RequestId></ResponseMetadata></{0}Response>",
            name.action,
            crate::ids::uuid()
        )))
    }
}

fn describe(table: &super::health::Table, group: &str, targets: Vec<Target>) -> String {
    let used = table.group(group).is_some_and(|group| group.used);
    let check = table.group(group).and_then(|group| group.check_port);
    let mut members = String::new();
    for target in targets {
        let entry = table.of(group).find(|(other, _)| **other == target).map(|(_, entry)| entry);
        let unknown = "Target is not registered to the target group".to_owned();
        let (state, reason) =
            entry.map_or(("unused", Some(("Target.NotRegistered", unknown))), |entry| words::health(entry, used));
        let reason = reason.map_or_else(String::new, |(code, text)| {
            format!("<Reason>{code}</Reason><Description>{}</Description>", escape(&text))
        });
        members.push_str(&format!(
            "<member><Target><Id>{}</Id><Port>{}</Port></Target><HealthCheckPort>{}</HealthCheckPort>\
             <TargetHealth><State>{state}</State>{reason}</TargetHealth></member>",
            escape(&target.id),
            target.port,
            check.unwrap_or(target.port),
        ));
    }
    format!("<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")
}

fn targets(form: &BTreeMap<String, String>) -> Vec<(String, Option<u16>)> {
    let target = |number: usize| {
        let id = form.get(&format!("Targets.member.{number}.Id"))?;
        let port = form.get(&format!("Targets.member.{number}.Port")).and_then(|port| port.parse().ok());
        Some((id.clone(), port))
    };
    (1..).map_while(target).collect()
}
