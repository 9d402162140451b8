//! What skydeck costs on SkyFox, by what it uses in the sandbox and AWS's list prices (docs/cost.md).

use clap::Parser;
use skydeck_tests::cost::{Prices, measure, page};

/// What skydeck costs on SkyFox, by what it uses in the sandbox and AWS's list prices.
#[derive(Debug, Parser)]
struct Arguments {
    /// Prints the page docs/cost.md, and not what was counted as JSON.
    #[arg(long)]
    markdown: bool,
}

#[tokio::main]
async fn main() -> serde_json::Result<()> {
    let arguments = Arguments::parse();
    let measured = measure().await;
    if arguments.markdown {
        print!("{}", page(&measured, &Prices::list()));
    } else {
        println!("{}", serde_json::to_string_pretty(&measured)?);
    }
    Ok(())
}
