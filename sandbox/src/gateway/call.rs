//! One call on its way: who makes it, what is to go wrong with it, who answers.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use serde_json::json;

use super::Shared;
use super::fault::FaultKind;
use super::naming::{self, Name, Protocol};
use super::record::Outcome;
use crate::answer::Answer;
use crate::asg::Place;
use crate::consistency;
use crate::guard;

/// What comes of a call.
pub(super) enum Ending {
    Answer(Answer),
    /// The connection breaks.
    Break,
    /// The connection stays, and nothing comes.
    Silence,
}

/// Whether the emulator checked the caller and found only that it lacks the service.
fn is_permitted(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && answer.body.starts_with(b"{\"error\": \"Unsupported service:")
}

impl Shared {
    /// What comes of one call.
    pub(super) async fn call(&self, mut parts: Parts, body: Bytes) -> Ending {
        let name = match self.admit(&mut parts, &body).await {
            Ok(name) => name,
            Err(refused) => return Ending::Answer(refused),
        };
        // Functions have temporary keys; those that a schedule starts again and again keep nothing up.
        if !parts.headers.contains_key("x-amz-security-token") {
            self.active.store(self.clock.now() as u64, Ordering::Relaxed);
        }
        let seq = self.record.begin(&name, self.clock.now());
        let asks = self.canary.is_asked(&parts, &body);
        let latency = self.latency_micros.load(Ordering::Relaxed);
        if latency > 0 {
            tokio::time::sleep(Duration::from_micros(latency)).await;
        }
        if let Some(refused) = self.models.refuse(&name, &parts, &body).await {
            let status = Some(refused.status.as_u16());
            let carries = asks || self.canary.is_in(&refused.body);
            self.record.end(
                seq,
                self.clock.now(),
                Outcome { carries, status, error: refused.error_code(), fault: None },
            );
            return Ending::Answer(refused);
        }
        let fault = self.faults().strike(&name);
        let mut answer = self.struck(fault.as_ref(), &name, parts, body).await;
        let stale = answer.as_mut().is_some_and(consistency::take_mark);
        let outcome = Outcome {
            carries: asks || answer.as_ref().is_some_and(|answer| self.canary.is_in(&answer.body)),
            status: answer.as_ref().map(|answer| answer.status.as_u16()),
            error: answer.as_ref().and_then(Answer::error_code),
            fault: fault.as_ref().map(FaultKind::label).or(stale.then(|| "stale".to_owned())),
        };
        self.record.end(seq, self.clock.now(), outcome);
        if fault.is_some() {
            self.strikes.send_modify(|strikes| *strikes += 1);
        }
        match (answer, fault) {
            (Some(answer), _) => Ending::Answer(answer),
            (None, Some(FaultKind::Hang | FaultKind::HangAfter)) => Ending::Silence,
            (None, _) => Ending::Break,
        }
    }

    /// The name of a call that may go on; or its refusal, for want of a signature or because nobody can say what it asks.
    async fn admit(&self, parts: &mut Parts, body: &[u8]) -> Result<Name, Answer> {
        let scope = self.guard.admit(&self.upstream, parts, body).await?;
        if guard::is_lent(&scope, parts) {
            // What is left is no call of AWS's API.
            guard::take_off(parts);
            return Ok(Name::of(parts, body, None, &self.region));
        }
        let name = Name::of(parts, body, Some(&scope), &self.region);
        if matches!(name.protocol, Protocol::Ec2 | Protocol::Query) && naming::is_ambiguous(parts, body) {
            let (code, message) = ("MalformedQueryString", "The query string contains a syntax error.");
            return Err(Answer::error(name.protocol, StatusCode::BAD_REQUEST, code, message));
        }
        Ok(name)
    }

    /// The answer that a client gets to see, where a fault struck or none; none where the answer is lost.
    async fn struck(&self, fault: Option<&FaultKind>, name: &Name, parts: Parts, body: Bytes) -> Option<Answer> {
        match fault {
            None => {
                let past = self.faults().past.answer(name, &parts, &body);
                match past {
                    Some(answer) => Some(answer),
                    None => Some(self.effect(name, parts, body).await),
                }
            }
            Some(FaultKind::LoseAnswer | FaultKind::HangAfter) => {
                self.effect(name, parts, body).await;
                None
            }
            Some(FaultKind::Unseen) => {
                self.look_back().await;
                Some(self.effect(name, parts, body).await)
            }
            Some(FaultKind::Unknown) => match consistency::unknown(name, &parts, &body) {
                Some(answer) => Some(answer),
                None => Some(self.effect(name, parts, body).await),
            },
            Some(kind @ FaultKind::ServerErrorAfter) => {
                self.effect(name, parts, body).await;
                kind.answer(name)
            }
            Some(kind) => kind.answer(name),
        }
    }

    /// Keeps the answers of this moment to all that was asked so far.
    async fn look_back(&self) {
        let asked = self.faults().past.asked();
        let mut answers = Vec::new();
        for (name, parts, body) in asked {
            let answer = self.effect(&name, parts.clone(), body.clone()).await;
            answers.push(((name, parts, body), answer));
        }
        self.faults().past.tell(answers);
    }

    /// What comes of a call, as far as what was just created is seen already.
    async fn effect(&self, name: &Name, parts: Parts, body: Bytes) -> Answer {
        let Some(asked) = self.consistency.asked(name, &parts, &body) else {
            return self.carry_out(name, parts, body).await;
        };
        if let Some(refused) = self.consistency.refuse(name, &asked) {
            return refused;
        }
        let mut answer = self.carry_out(name, parts, body).await;
        self.consistency.follow(name, &asked, &mut answer);
        answer
    }

    /// The emulator's answer, or that of the module to which the service belongs.
    async fn carry_out(&self, name: &Name, parts: Parts, body: Bytes) -> Answer {
        let own = matches!(&*name.service, "ecs" | "autoscaling" | "elasticloadbalancing" | "ec2");
        let form = own.then(|| naming::form(&parts, &body));
        let told = self.told(name, form.as_ref(), &body);
        let mut answer = match self.upstream.send(parts, body.clone(), &told).await {
            Ok(answer) => answer,
            Err(error) => {
                let text = format!("the emulator did not answer: {}", crate::error::chain(&error));
                return Answer::error(name.protocol, StatusCode::BAD_GATEWAY, "EmulatorFailure", &text);
            }
        };
        if answer.status.is_success() && (&*name.service, &*name.action) == ("acm", "ImportCertificate") {
            self.certificates.import(&body, &answer.body);
        }
        if answer.status.is_success() && (&*name.service, &*name.action) == ("ecr", "GetDownloadUrlForLayer") {
            self.guard.lend(name, &mut answer);
        }
        self.events.take(self.clock, &mut answer);
        if (&*name.service, &*name.action) == ("events", "PutEvents") {
            self.events.keep_put((name.account(), &name.region), &body, &answer);
        }
        if let Some(form) = form.as_ref().filter(|_| answer.status.is_success()) {
            return self.follow(name, form).await.unwrap_or(answer);
        }
        // Of these services the emulator knows who calls and whether they may, and nothing more.
        match form {
            Some(form) if is_permitted(&answer) => {
                if name.protocol == Protocol::Json {
                    self.ecs.answer(self, name, &body).await
                } else {
                    let answer = self.asg.answer(self, name, &form).await;
                    self.pulse.notify_one();
                    answer
                }
            }
            _ => answer,
        }
    }

    /// What the emulator cannot know and asks permissions by: the tags of what a call is to change, those that a policy of
    /// skydeck's can ask for; and under `roles` those of the task definition that it gives to a service.
    fn told(&self, name: &Name, form: Option<&BTreeMap<String, String>>, body: &[u8]) -> String {
        if !name.writes() || !matches!(&*name.service, "ecs" | "autoscaling") {
            return String::new();
        }
        let place = Place::of(name);
        let mut told = if name.service == "ecs" { self.ecs.tags_named(&place, body) } else { BTreeMap::new() };
        let said = String::from_utf8_lossy(body);
        let named = |group: &str| match form {
            Some(form) if name.service == "autoscaling" => form.values().any(|value| value == group),
            _ => said.contains(&format!("autoScalingGroupName/{group}\"")),
        };
        self.asg.with(&place, self.clock.now(), |groups| {
            for group in groups.values().filter(|group| named(&group.name)) {
                let tags = group.tags.iter().map(|(key, tag)| (key.clone(), tag.value.clone()));
                told.insert(group.name.clone(), tags.collect());
            }
        });
        told.values_mut().for_each(|tags| tags.retain(|key, _| key.starts_with("skydeck:")));
        let mut told = json!(told);
        if name.service == "ecs" && matches!(&*name.action, "CreateService" | "UpdateService") {
            told["roles"] = json!(self.ecs.roles_given(&place, body));
        }
        told.to_string()
    }

    /// What else follows from a call that the emulator has carried out; an answer where its own is not the one.
    async fn follow(&self, name: &Name, form: &BTreeMap<String, String>) -> Option<Answer> {
        match (&*name.service, &*name.action) {
            ("elasticloadbalancing", _) => self.alb.answer(self, name, form).await,
            ("ec2", "TerminateInstances" | "StopInstances") => {
                let ids = (1..).map_while(|number| form.get(&format!("InstanceId.{number}")).cloned()).collect();
                self.asg.lose(self, &Place::of(name), ids).await;
                self.pulse.notify_one();
                None
            }
            _ => None,
        }
    }
}
