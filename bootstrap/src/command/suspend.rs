//! `skydeck suspend` and `skydeck resume`.

use serde_json::json;
use skydeck_aws::rollout::people;

use super::site::{Site, told};
use crate::cli::{Resume, Suspend};
use crate::context::Context;
use crate::error::Ending;
use crate::run::installed;

pub(super) async fn suspend(context: &Context, options: &Suspend) -> miette::Result<Ending> {
    let (site, service) = (Site::find(context, options.platform.as_deref()).await?, &options.service);
    people::services(&site.backend, &site.machine, &site.platform, Some(service)).await.map_err(told)?;
    people::suspend(&site.backend, site.keys(service), &options.reason).await.map_err(installed)?;
    context.terminal.say(format!(
        "Service {service} is suspended: pushes are held until `{} resume {service} --platform {}`. A rollout that goes on is not \
         stopped.",
        context.invocation(),
        site.platform
    ));
    let document =
        json!({ "platform": site.platform, "service": service, "suspended": true, "reason": options.reason });
    context.terminal.document(&document)?;
    Ok(Ending::Done)
}

pub(super) async fn resume(context: &Context, options: &Resume) -> miette::Result<Ending> {
    let (site, service) = (Site::find(context, options.platform.as_deref()).await?, &options.service);
    people::services(&site.backend, &site.machine, &site.platform, Some(service)).await.map_err(told)?;
    let was = people::resume(&site.backend, site.keys(service)).await.map_err(installed)?;
    context.terminal.say(if was {
        format!(
            "Service {service} takes pushes again. What was pushed meanwhile is picked up by the next sweep, within 15 \
             minutes, or now by `{} rollout {service} --platform {}`.",
            context.invocation(),
            site.platform
        )
    } else {
        format!("Service {service} was not suspended.")
    });
    let document = json!({ "platform": site.platform, "service": service, "suspended": false, "was_suspended": was });
    context.terminal.document(&document)?;
    Ok(Ending::Done)
}
