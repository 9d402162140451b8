//! `skydeck sandbox events`: what AWS's services and skydeck have told, and faults for what they will tell.

use serde_json::{Value, json};
use skydeck_sandbox::{Event, EventFault, EventFaultKind};

use crate::cli::{Disturb, Events, Which};
use crate::context::{Context, sandbox_error};

pub(super) async fn run(context: &Context, options: Events) -> miette::Result<()> {
    let running = context.running().await?;
    let admin = running.admin();
    let Some(disturb) = options.disturb else {
        let mut events = sandbox_error(admin.events(options.since).await)?;
        events.retain(|event| options.source.as_ref().is_none_or(|source| event.envelope.source == *source));
        if !context.terminal.json() {
            events.iter().for_each(|event| context.terminal.say(line(event)));
        }
        return context.terminal.document(&events);
    };
    let Some((fault, told)) = fault(disturb) else {
        sandbox_error(admin.clear_event_faults().await)?;
        context.terminal.say("Events come as they happen.");
        return context.terminal.document(&json!({ "fault": Value::Null }));
    };
    sandbox_error(admin.disturb(&fault).await)?;
    context.terminal.say(told);
    context.terminal.document(&json!({ "fault": fault }))
}

/// The fault that a verb means, and the sentence for it; none where all are taken back.
fn fault(disturb: Disturb) -> Option<(EventFault, String)> {
    let (kind, which, told) = match disturb {
        Disturb::Clear => return None,
        Disturb::Lose(which) => (EventFaultKind::Lose, which, "never come".to_owned()),
        Disturb::Double { after, which } => {
            (EventFaultKind::Double { after }, which, format!("come twice, {after} s apart"))
        }
        Disturb::Delay { seconds, which } => {
            (EventFaultKind::Delay { seconds }, which, format!("come {seconds} s late"))
        }
        Disturb::Reorder { among, matching } => {
            let which = Which { matching, times: among };
            (EventFaultKind::Reorder { among }, which, "come in reverse".to_owned())
        }
    };
    let whose = which.matching.as_ref().map(|text| format!(" with {text}")).unwrap_or_default();
    let many = match which.times {
        0 => "All events".to_owned(),
        1 => "The next event".to_owned(),
        times => format!("The next {times} events"),
    };
    let fault = EventFault { matching: which.matching, times: which.times, kind };
    Some((fault, format!("{many}{whose} will {told}.")))
}

fn line(event: &Event) -> String {
    let envelope = &event.envelope;
    let about = ["repository-name", "image-tag", "name", "service", "operation", "action-type"];
    let about: Vec<&str> = about.iter().filter_map(|key| envelope.detail[*key].as_str()).collect();
    let waiting = if event.waiting > 0 { format!(", {} to come", event.waiting) } else { String::new() };
    let faults = if event.faults.is_empty() { String::new() } else { format!(" ({})", event.faults.join(", ")) };
    format!(
        "{:>6}  {}  {:<10}  {}  {}  delivered {}{waiting}{faults}",
        event.seq,
        envelope.time,
        envelope.source,
        envelope.detail_type,
        about.join(" "),
        event.delivered
    )
}
