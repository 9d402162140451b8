//! Events that are lost, doubled, late or out of order, on purpose.

use serde::{Deserialize, Serialize};

use super::Envelope;

/// What happens to a chosen event on its way to EventBridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum EventFaultKind {
    /// It never comes.
    Lose,
    /// It comes twice, with the same id: the second one so many seconds of AWS after the first.
    Double {
        /// Seconds of AWS.
        after: f64,
    },
    /// It comes so many seconds of AWS late.
    Delay {
        /// Seconds of AWS.
        seconds: f64,
    },
    /// So many events are held until the last of them happens, and come in reverse.
    Reorder {
        /// How many.
        among: u32,
    },
}

/// Which events, and what happens to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFault {
    /// Only events in whose source, type or detail this text stands: a repository, a tag, a digest, a parameter.
    #[serde(default)]
    pub matching: Option<String>,
    /// How many matching events meet it; 0 is all of them from now on.
    #[serde(default = "one")]
    pub times: u32,
    /// What happens.
    #[serde(flatten)]
    pub kind: EventFaultKind,
}

fn one() -> u32 {
    1
}

impl EventFault {
    /// The next event meets it; of a reordering, the next so many.
    pub fn next(kind: EventFaultKind) -> Self {
        let times = if let EventFaultKind::Reorder { among } = kind { among } else { 1 };
        Self { matching: None, times, kind }
    }

    /// Only events that have this text somewhere.
    #[must_use]
    pub fn matching(mut self, text: &str) -> Self {
        self.matching = Some(text.to_owned());
        self
    }

    /// So many matching events; 0 is all of them from now on.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, envelope: &Envelope) -> bool {
        let Some(part) = &self.matching else { return true };
        // Media types have versions in them, which people mean by tags.
        let detail = envelope.detail.as_object().into_iter().flatten().filter(|(key, _)| !key.ends_with("media-type"));
        let said = detail.filter_map(|(_, value)| value.as_str());
        said.chain([&*envelope.source, &*envelope.detail_type]).any(|text| text.contains(part))
    }
}

impl EventFaultKind {
    fn label(&self) -> String {
        match self {
            Self::Lose => "lose".into(),
            Self::Double { .. } => "double".into(),
            Self::Delay { seconds } => format!("delay {seconds}"),
            Self::Reorder { .. } => "reorder".into(),
        }
    }
}

/// Events with their numbers.
type Held = Vec<(u64, Envelope)>;

/// How an event goes on.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// After each of these many seconds of AWS; nothing is a loss.
    Deliver(Vec<f64>),
    /// Others have to happen first.
    Held,
    /// It and those that were held go now, in this order.
    Release(Held),
}

#[derive(Debug)]
struct Armed {
    fault: EventFault,
    met: u32,
    held: Held,
}

/// The faults that wait for their events.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Armed>);

impl Faults {
    pub(super) fn arm(&mut self, fault: EventFault) {
        self.0.push(Armed { fault, met: 0, held: Vec::new() });
    }

    /// Forgets all, and gives back what was held.
    pub(super) fn clear(&mut self) -> Held {
        std::mem::take(&mut self.0).into_iter().flat_map(|armed| armed.held).collect()
    }

    /// What becomes of an event, and which faults did that: each that it matches, in the order of their arming. What is
    /// held meets no further one.
    pub(super) fn strike(&mut self, seq: u64, envelope: &Envelope) -> (Fate, Vec<String>) {
        let (mut after, mut labels, mut held) = (vec![0.0], Vec::new(), None);
        for armed in &mut self.0 {
            if held.is_some() || !armed.fault.matches(envelope) {
                continue;
            }
            armed.met += 1;
            labels.push(armed.fault.kind.label());
            match armed.fault.kind {
                EventFaultKind::Lose => after.clear(),
                EventFaultKind::Double { after: later } => {
                    let again: Vec<f64> = after.iter().map(|first| first + later).collect();
                    after.extend(again);
                }
                EventFaultKind::Delay { seconds } => after.iter_mut().for_each(|first| *first += seconds),
                EventFaultKind::Reorder { among } => {
                    armed.held.push((seq, envelope.clone()));
                    let complete = armed.held.len() >= usize::try_from(among).unwrap_or(usize::MAX);
                    held = Some(complete.then(|| armed.held.drain(..).rev().collect::<Held>()));
                }
            }
        }
        self.0.retain(|armed| !armed.held.is_empty() || armed.fault.times == 0 || armed.met < armed.fault.times);
        let fate = match held {
            None => Fate::Deliver(after),
            Some(None) => Fate::Held,
            Some(Some(all)) => Fate::Release(all),
        };
        (fate, labels)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn envelope(tag: &str) -> Envelope {
        serde_json::from_value(json!({
            "version": "0", "id": tag, "detail-type": "ECR Image Action", "source": "aws.ecr", "account": "1",
            "time": "2026-01-01T00:00:00Z", "region": "r", "resources": [], "detail": { "image-tag": tag, "manifest-media-type": "v2+json" },
        }))
        .unwrap()
    }

    fn strike(faults: &mut Faults, seq: u64, tag: &str) -> Fate {
        faults.strike(seq, &envelope(tag)).0
    }

    #[test]
    fn faults_meet_what_they_match_and_as_often_as_they_say() {
        let mut faults = Faults::default();
        faults.arm(EventFault::next(EventFaultKind::Lose).matching("v2").times(2));
        let fates = ["v1", "v2", "v2", "v2"].map(|tag| strike(&mut faults, 1, tag));
        let whole = || Fate::Deliver(vec![0.0]);
        assert_eq!(fates, [whole(), Fate::Deliver(vec![]), Fate::Deliver(vec![]), whole()]);
    }

    #[test]
    fn several_faults_add_up() {
        let mut faults = Faults::default();
        faults.arm(EventFault::next(EventFaultKind::Double { after: 5.0 }));
        faults.arm(EventFault::next(EventFaultKind::Delay { seconds: 2.0 }).times(0));
        let (fate, labels) = faults.strike(1, &envelope("v1"));
        assert_eq!(fate, Fate::Deliver(vec![2.0, 7.0]));
        assert_eq!(labels, ["double", "delay 2"]);
        assert_eq!(strike(&mut faults, 2, "v2"), Fate::Deliver(vec![2.0]));
    }

    #[test]
    fn a_reordering_holds_until_it_is_complete_or_cleared() {
        let mut faults = Faults::default();
        faults.arm(EventFault::next(EventFaultKind::Reorder { among: 2 }));
        assert_eq!(strike(&mut faults, 1, "v1"), Fate::Held);
        assert_eq!(strike(&mut faults, 2, "v2"), Fate::Release(vec![(2, envelope("v2")), (1, envelope("v1"))]));
        assert_eq!(strike(&mut faults, 3, "v3"), Fate::Deliver(vec![0.0]));
        faults.arm(EventFault::next(EventFaultKind::Reorder { among: 2 }));
        strike(&mut faults, 4, "v4");
        assert_eq!(faults.clear(), [(4, envelope("v4"))]);
    }
}
