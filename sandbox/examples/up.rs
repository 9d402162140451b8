//! Serves a sandbox until Ctrl-C: `cargo run -p skydeck-sandbox --example up [directory]`.

use skydeck_sandbox::{Error, Options, serve};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "target/sandbox".to_owned());
    serve(&Options::new(dir), &|text| eprintln!("{text}")).await
}
