//! What skydeck costs on SkyFox: counted in the sandbox, and multiplied by AWS's list prices. See docs/cost.md.

mod page;
mod usage;

use serde::Serialize;
use skydeck_sandbox::{ACCOUNT, Image};

use crate::rollouts::{Stage, until};
use usage::{Meter, Usage};

pub use page::page;
pub use skydeck_bootstrap::prices::{Price, Prices};

/// What was used for each of what skydeck does.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Measured {
    /// The first apply.
    pub first_apply: Usage,
    /// An apply that changes nothing.
    pub idle_apply: Usage,
    /// A push that is rolled out while another image serves.
    pub rollout: Usage,
    /// A sweep, with the plan that looks for drift.
    pub sweep: Usage,
}

/// Lets skydeck work on SkyFox in a sandbox of its own, and counts. What the schedule would start is started here.
///
/// # Panics
/// Where something fails.
pub async fn measure() -> Measured {
    let stage = Stage::ready().await;
    let aws = &stage.rig.aws;
    aws.events().disable_rule().name("skydeck-sweep").send().await.expect("the schedule is off");
    let apply = async || {
        let meter = Meter::start(&stage.rig).await;
        stage.rig.skydeck(["apply", "platforms/skyfox.toml"]).await.succeeded();
        meter.read().await
    };
    let first_apply = apply().await;
    for service in ["backend", "payment", "movie"] {
        roll_out(&stage, service, "v1").await;
    }
    let meter = Meter::start(&stage.rig).await;
    roll_out(&stage, "movie", "v2").await;
    let rollout = meter.read().await;
    let idle_apply = apply().await;
    // The first plan writes what the later ones compare with.
    sweep(&stage, 1).await;
    let meter = Meter::start(&stage.rig).await;
    sweep(&stage, 2).await;
    Measured { first_apply, idle_apply, rollout, sweep: meter.read().await }
}

async fn roll_out(stage: &Stage, service: &str, tag: &str) {
    let pushed = stage.push(service, tag, &Image::new(&format!("{service} {tag}"))).await;
    let ended = stage.ended(&pushed.digest).await;
    assert_eq!(ended.output["verdict"], "succeeded", "{ended:#?}");
    stage.quiet().await;
}

/// Starts what the schedule starts, and waits until the plan that it starts has ended, so many in all.
async fn sweep(stage: &Stage, plans: usize) {
    let machine = |name: &str| format!("arn:aws:states:ap-south-1:{ACCOUNT}:stateMachine:skydeck-{name}");
    let sfn = stage.rig.aws.sfn();
    sfn.start_execution().state_machine_arn(machine("sweep")).input("{}").send().await.expect("a sweep");
    until(async || {
        let listed = sfn.list_executions().state_machine_arn(machine("drift")).send().await;
        let listed = listed.expect("executions").executions;
        let has_ended = listed.len() == plans && listed.iter().all(|run| run.status.as_str() == "SUCCEEDED");
        if has_ended { Ok(()) } else { Err(format!("the plan does not end: {listed:#?}")) }
    })
    .await;
}
