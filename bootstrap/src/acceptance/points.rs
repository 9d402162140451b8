//! The points that an acceptance run can see, by their ids in docs/fidelity.md: what was seen makes each confirmed, contradicted or
//! not seen. Pure, so that a test can show what would contradict.

use serde::Serialize;

use super::seen::{Answer, Seen};

/// What was found of a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "answer")]
pub enum Finding {
    /// AWS does what is assumed; and what it answered.
    Confirmed(String),
    /// It does not; and what it answered.
    Contradicted(String),
    /// The run did not come so far, or what it saw says neither; and why.
    NotSeen(String),
}

/// A point.
#[derive(Debug)]
pub struct Point {
    /// The row of docs/fidelity.md.
    pub id: &'static str,
    /// What should be so.
    pub says: &'static str,
    judge: fn(&Seen) -> Option<Finding>,
}

impl Point {
    /// What the run has found of it.
    #[must_use]
    pub fn judge(&self, seen: &Seen) -> Finding {
        (self.judge)(seen).unwrap_or_else(|| Finding::NotSeen("the run did not come so far".to_owned()))
    }
}

/// All points, in the order of the page.
pub const POINTS: [Point; 14] = [
    Point {
        id: "F-ASG-8",
        says: "an instance refresh may take a group above its largest size",
        judge: |seen| {
            let most = seen.refresh.iter().max_by_key(|sample| sample.instances)?;
            let told = format!("{} instances at once, and the largest size is {}", most.instances, most.largest);
            Some(holds(most.instances > most.largest, told))
        },
    },
    Point {
        id: "F-ASG-11",
        says: "an instance refresh is Successful only when the last instance that it has replaced is gone",
        judge: |seen| {
            // One that is not going on any more was not seen at work, and says nothing of its end.
            let _at_work = seen.refresh.iter().find(|sample| sample.status == "InProgress" && sample.old > 0)?;
            let end = seen.refresh.iter().find(|sample| sample.status == "Successful")?;
            Some(holds(end.old == 0, format!("{} of the instances before were there when it was Successful", end.old)))
        },
    },
    Point {
        id: "F-ASG-16",
        says: "a t4g.small registers 2048 CPU units, and 1846 MiB or up to a twentieth more",
        judge: |seen| {
            let found = seen.instance.as_ref()?;
            let as_said = found.kind == "t4g.small" && found.cpu == 2048 && (1846..=1946).contains(&found.memory);
            Some(holds(as_said, format!("{}: {} CPU units, {} MiB", found.kind, found.cpu, found.memory)))
        },
    },
    Point {
        id: "F-ECS-1",
        says: "a deleted cluster is INACTIVE, or not told any more",
        judge: |seen| {
            let status = seen.cluster.as_ref()?;
            Some(holds(["INACTIVE", "MISSING"].contains(&status.as_str()), status.clone()))
        },
    },
    Point {
        id: "F-EVENT-1",
        says: "a push of the same image under the same tag tells nothing",
        judge: |seen| {
            // Where it was taken, it may tell; where it was refused, there is nothing to tell.
            seen.again.as_ref()?;
            let told = seen.rollouts_of_image?;
            let finding = match told {
                0 => Finding::NotSeen("not even the first push was told".to_owned()),
                1 => Finding::Confirmed("of two pushes one was told".to_owned()),
                more => Finding::Contradicted(format!("two pushes have started {more} executions")),
            };
            Some(finding)
        },
    },
    Point {
        id: "F-EVENT-11",
        says: "PutRule takes the pattern anything-but of a wildcard, and keeps it",
        judge: |seen| {
            let pattern = seen.push_rule.as_ref()?;
            let tags = &pattern["detail"]["image-tag"];
            Some(holds(!tags[0]["anything-but"]["wildcard"].is_null(), tags.to_string()))
        },
    },
    Point {
        id: "F-IMAGE-12",
        says: "ECS tells the digest of the index that was pushed, or of the image in it",
        judge: |seen| {
            let task = seen.task.as_ref()?;
            let which = match &task.told {
                told if *told == task.pushed => "the index's",
                told if *told == task.child => "that of the image for ARM64",
                _ => "neither",
            };
            Some(holds(which != "neither", format!("{which}: {}", task.told)))
        },
    },
    Point {
        id: "F-IMAGE-19",
        says: "GetDownloadUrlForLayer gives a configuration, and an agent takes an index's entry that names no platform",
        judge: |seen| {
            let asked = seen.configuration.as_ref()?;
            let agent = seen.unsaid.as_deref();
            let told = format!("{}; the entry without a platform: {}", text(asked), agent.unwrap_or("not seen"));
            let Answer::Took(_) = asked else { return Some(Finding::Contradicted(told)) };
            Some(match agent {
                Some("succeeded") => Finding::Confirmed(told),
                Some(_) => Finding::Contradicted(told),
                None => Finding::NotSeen(told),
            })
        },
    },
    Point {
        id: "F-IMAGE-21",
        says: "imagePushedAt has milliseconds, and a further tag does not change it",
        judge: |seen| {
            let image = seen.image.as_ref()?;
            let told = format!("{} after the push; {} with {} tags", image.first, image.later, image.tags);
            let moved = (image.first - image.later).abs() > f64::EPSILON;
            if moved {
                return Some(Finding::Contradicted(told));
            }
            if image.tags < 2 {
                return Some(Finding::NotSeen(format!("it got no further tag: {told}")));
            }
            Some(holds(image.first.fract() > 0.0, told))
        },
    },
    Point {
        id: "F-IMAGE-7",
        says: "PutImage of a digest with a tag that it has is ImageAlreadyExistsException",
        judge: |seen| {
            let again = seen.again.as_ref()?;
            let as_said = matches!(again, Answer::Refused { code, .. } if code == "ImageAlreadyExistsException");
            Some(holds(as_said, text(again)))
        },
    },
    Point {
        id: "F-REFUSE-6",
        says: "AssociateRouteTable of what is associated already is told as the first",
        judge: |seen| {
            let found = seen.association.as_ref()?;
            Some(holds(found.again == Answer::Took(found.had.clone()), text(&found.again)))
        },
    },
    Point {
        id: "F-TASK-13",
        says: "going back to a task definition that still has tasks starts new ones",
        judge: |seen| {
            let found = seen.returned.as_ref()?;
            if found.before.is_empty() || found.after.is_empty() {
                return Some(Finding::NotSeen("nothing served before, or after".to_owned()));
            }
            let new = found.after.iter().filter(|task| !found.before.contains(task)).count();
            Some(holds(new > 0, format!("{new} of {} tasks afterwards were new", found.after.len())))
        },
    },
    Point {
        id: "F-TASK-15",
        says: "tasks are tagged as their service says: with its tags, and with ECS's own",
        judge: |seen| {
            let tags = &seen.task.as_ref()?.tags;
            let has = |key: &str| tags.iter().any(|tag| tag == key);
            Some(holds(has("skydeck:platform") && has("aws:ecs:serviceName"), tags.join(", ")))
        },
    },
    Point {
        id: "F-TASK-19",
        says: "a lost instance's tasks stop with TerminationNotice, and words that name the instance",
        judge: |seen| {
            let task = seen.lost.as_ref()?;
            let as_said = task.code == "TerminationNotice" && task.reason.contains("Host EC2 (instance");
            Some(holds(as_said, format!("{}: {}", task.code, task.reason)))
        },
    },
];

/// Rows that are only assumed, and why a run cannot look at them.
pub const UNOBSERVABLE: [(&str, &str); 3] = [
    (
        "F-ASG-20",
        "skydeck never deletes a group under a capacity provider, and a group of the run's own under a provider would be in the way \
         of its destroy where AWS refuses",
    ),
    (
        "F-ELB-3",
        "from outside, a change that holds at once and one that holds a moment later look the same: the first answer comes \
         after the change in both",
    ),
    ("F-ELB-10", "the run's platform has no certificate, which takes a domain name"),
];

fn holds(as_said: bool, told: String) -> Finding {
    if as_said { Finding::Confirmed(told) } else { Finding::Contradicted(told) }
}

fn text(answer: &Answer) -> String {
    match answer {
        Answer::Took(told) => format!("taken: {told}"),
        Answer::Refused { code, message } => format!("{code}: {message}"),
    }
}

#[cfg(test)]
mod tests;
