//! Events of AWS's services: the emulator says with each answer what AWS would tell (`tell.py`); here they are kept for
//! tests and people to read, and delivered to EventBridge: once, at once and in order, or as a fault wants it.

mod courier;
mod fault;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::answer::Answer;
use crate::clock::Clock;
use crate::gateway::Shared;
use crate::{ACCOUNT, Error};
pub(crate) use courier::Courier;
pub use fault::{EventFault, EventFaultKind};
use fault::{Fate, Faults};

/// What an answer of the emulator carries its events in.
const HEADER: &str = "x-sandbox-events";
/// Older ones than these are forgotten.
const KEPT: usize = 10_000;

/// An event, as a target of a rule gets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Envelope {
    /// Always `0`.
    pub version: String,
    /// Its own id; a doubled event has the same twice.
    pub id: String,
    /// Such as `ECR Image Action`.
    pub detail_type: String,
    /// Such as `aws.ecr`, or `skydeck` for what a client has put.
    pub source: String,
    /// Whose it is.
    pub account: String,
    /// When it happened, in whole seconds.
    pub time: String,
    /// Where it happened.
    pub region: String,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// What it says.
    pub detail: Value,
}

/// An event and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, in the order in which they happened, from 1.
    pub seq: u64,
    /// The event itself.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The faults that it met, such as `lose`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// How often it has been delivered to EventBridge, which asks its rules.
    pub delivered: u32,
    /// How many deliveries are still to come.
    pub waiting: u32,
}

/// A delivery that is due.
#[derive(Debug, Clone)]
struct Due {
    at: f64,
    seq: u64,
    envelope: Envelope,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    log: VecDeque<Event>,
    queue: Vec<Due>,
    faults: Faults,
}

/// All events of a sandbox.
#[derive(Debug, Default)]
pub(crate) struct Events {
    inner: Mutex<Inner>,
    /// There is something to deliver.
    wake: Notify,
}

impl Events {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the events off an answer, and has them delivered.
    pub(crate) fn take(&self, clock: Clock, answer: &mut Answer) {
        let Some(value) = answer.headers.remove(HEADER) else { return };
        let Ok(happened) = serde_json::from_slice::<Vec<Envelope>>(value.as_bytes()) else { return };
        let mut inner = self.inner();
        for envelope in happened {
            inner.happen(clock, envelope);
        }
        self.wake.notify_one();
    }

    /// Keeps what a client has put itself, which the emulator has delivered already.
    pub(crate) fn keep_put(&self, (account, region): (&str, &str), body: &[u8], answer: &Answer) {
        let (Ok(asked), Ok(told)) = (serde_json::from_slice::<Value>(body), serde_json::from_slice(&answer.body))
        else {
            return;
        };
        let told: Value = told;
        let entries = |value: &Value| value["Entries"].as_array().cloned().unwrap_or_default();
        let mut inner = self.inner();
        for (entry, put) in entries(&asked).iter().zip(entries(&told)) {
            let Some(id) = put["EventId"].as_str() else { continue };
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let envelope = Envelope {
                version: "0".into(),
                id: id.to_owned(),
                detail_type: text("DetailType"),
                source: text("Source"),
                account: account.to_owned(),
                time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                region: region.to_owned(),
                resources: serde_json::from_value(entry["Resources"].clone()).unwrap_or_default(),
                detail: serde_json::from_str(&text("Detail")).unwrap_or_else(|_| json!({})),
            };
            inner.log(envelope, Vec::new(), (1, 0));
        }
    }

    /// The events after number `seq`.
    pub(crate) fn since(&self, seq: u64) -> Vec<Event> {
        self.inner().log.iter().filter(|event| event.seq > seq).cloned().collect()
    }

    pub(crate) fn arm(&self, fault: EventFault) {
        self.inner().faults.arm(fault);
    }

    /// Takes all faults back; what a reordering still holds is delivered.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner();
        for (seq, envelope) in inner.faults.clear() {
            inner.queue.push(Due { at: 0.0, seq, envelope });
        }
        self.wake.notify_one();
    }
}

/// Makes a schedule of the sandbox's account due.
pub(crate) async fn fire(shared: &Shared, name: &str) -> Result<(), Error> {
    let request = json!({ "Name": name });
    let fired = shared.upstream.json(ACCOUNT, &shared.region, "events", "AWSEvents.SandboxFire", &request).await;
    fired.map(|_| ())
}

impl Inner {
    fn happen(&mut self, clock: Clock, envelope: Envelope) {
        let (fate, labels) = self.faults.strike(self.last + 1, &envelope);
        let deliveries = match &fate {
            Fate::Deliver(after) => u32::try_from(after.len()).unwrap_or(u32::MAX),
            Fate::Held | Fate::Release(_) => 1,
        };
        let seq = self.log(envelope.clone(), labels, (0, deliveries));
        let now = clock.now();
        match fate {
            Fate::Deliver(after) => {
                let due = |after| Due { at: now + clock.scaled(after), seq, envelope: envelope.clone() };
                self.queue.extend(after.into_iter().map(due));
            }
            Fate::Held => {}
            Fate::Release(held) => {
                self.queue.extend(held.into_iter().map(|(seq, envelope)| Due { at: now, seq, envelope }));
            }
        }
    }

    fn log(&mut self, envelope: Envelope, faults: Vec<String>, (delivered, waiting): (u32, u32)) -> u64 {
        self.last += 1;
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(Event { seq: self.last, envelope, faults, delivered, waiting });
        self.last
    }

    /// The next delivery that is due, in the order of their times; else when the next one is.
    fn next(&mut self, now: f64) -> Result<Due, f64> {
        let first = (0..self.queue.len()).min_by(|a, b| self.queue[*a].at.total_cmp(&self.queue[*b].at));
        match first {
            Some(place) if self.queue[place].at <= now => Ok(self.queue.remove(place)),
            Some(place) => Err(self.queue[place].at),
            None => Err(f64::INFINITY),
        }
    }

    fn delivered(&mut self, seq: u64) {
        if let Some(event) = self.log.iter_mut().find(|event| event.seq == seq) {
            event.delivered += 1;
            event.waiting = event.waiting.saturating_sub(1);
        }
    }
}
