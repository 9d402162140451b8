//! The usual life of a platform: all of skydeck's functions do in it what they are there for.

use std::fs;

use skydeck_sandbox::Image;

use crate::canary::canary;
use crate::rollouts::Stage;
use crate::root;
use crate::secret::give;

/// Faster than usual: AWS keeps the interfaces of a function for some 20 minutes, and a destroy waits for them.
pub const SPEED: f64 = 60.0;

/// What a changed platform file says otherwise: something of each layer.
const CHANGES: [(&str, &str); 6] = [
    ("[network]", "[platform.tags]\nTeam = \"cinema\"\n\n[network]"),
    ("keep-images = 4", "keep-images = 5"),
    ("https://skyfox.example", "https://fox.example"),
    ("type = \"t4g.small\"", "type = \"t4g.medium\""),
    ("priority = 100", "priority = 150"),
    ("path = \"/pshealth\"", "path = \"/payment-service/pshealth\""),
];

/// Leads such a life, where skydeck is installed and the secrets have values.
///
/// # Errors
/// What did not come to a good end.
pub async fn life(stage: &Stage) -> Result<(), String> {
    let file = root().join("platforms/skyfox.toml").display().to_string();
    command(stage, &["apply", &file]).await?;
    for service in ["backend", "payment", "movie"] {
        let first = stage.push(service, "v1.0.0", &Image::new(service)).await;
        serves(stage, &first.digest).await?;
    }
    command(stage, &["apply", &file]).await?;
    let bad = stage.push("movie", "v1.1.0", &Image::new("2").behaving("crash")).await;
    does_not_serve(stage, &bad.digest).await?;
    let better = stage.push("movie", "v1.2.0", &Image::new("3").built_for(&["amd64", "arm64"])).await;
    serves(stage, &better.digest).await?;
    command(stage, &["rollback", "movie"]).await?;
    // Of plain images the configuration says for which processor they are.
    let plain = stage.push("payment", "v1.1.0", &Image::new("4").unsaid()).await;
    serves(stage, &plain.digest).await?;
    let value = format!("{}-again", canary());
    give(&stage.rig.aws, "/skyfox-backend/jwt-secret", &value).await?;
    stage.sweep().await;
    stage.quiet().await;
    let mut text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    for (old, new) in CHANGES {
        text = text.replacen(old, new, 1);
    }
    let changed = stage.rig.sandbox.dir().join("changed.toml");
    fs::write(&changed, text).map_err(|error| error.to_string())?;
    let planned = stage.rig.skydeck(["plan", &changed.display().to_string(), "--json"]).await.json();
    let plan = planned["id"].as_str().ok_or_else(|| format!("no plan: {planned:#}"))?;
    command(stage, &["apply", "--plan", plan]).await?;
    command(stage, &["destroy", "skyfox-devprod", "--yes"]).await
}

async fn command(stage: &Stage, words: &[&str]) -> Result<(), String> {
    let ended = stage.rig.skydeck(words).await;
    if ended.code == Some(0) {
        return Ok(());
    }
    let told = stage.rig.skydeck(["rollouts"]).await.stdout;
    Err(format!("{}: {}{}\n{told}", words.join(" "), ended.stdout, ended.stderr))
}

async fn serves(stage: &Stage, digest: &str) -> Result<(), String> {
    let ended = stage.ended(digest).await;
    if ended.output["verdict"] == "succeeded" { Ok(()) } else { Err(format!("{digest} does not serve: {ended:#?}")) }
}

async fn does_not_serve(stage: &Stage, digest: &str) -> Result<(), String> {
    let ended = stage.ended(digest).await;
    if ended.error.as_deref() == Some("RolledBack") { Ok(()) } else { Err(format!("{digest} serves: {ended:#?}")) }
}
