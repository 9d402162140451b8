//! `skydeck secret`.

use std::io::{IsTerminal, Read};

use aws_sdk_ssm::types::ParameterType;
use console::Term;
use miette::IntoDiagnostic;
use skydeck_aws::error::Explain;
use skydeck_aws::home::Home;
use skydeck_aws::rollout::people;
use skydeck_aws::run::Context as Backend;

use crate::cli::Secret;
use crate::context::Context;
use crate::error::{Ending, Usage};

pub(super) async fn run(context: &Context, command: &Secret) -> miette::Result<Ending> {
    let Secret::Set { name } = command;
    let value = read(name)?;
    let (clients, account) = context.connect().await?;
    let request = clients.ssm().put_parameter().name(name).value(value).r#type(ParameterType::SecureString);
    request.overwrite(true).send().await.during("write parameter", name).into_diagnostic()?;
    let home = Home::new(clients.s3(), &account.bucket());
    let backend = Backend { clients, home };
    let readers = people::readers(&backend, &account.machine("rollout"), name).await;
    context.terminal.say(format!("{name} has its value. {}", followed(readers)));
    Ok(Ending::Done)
}

/// What comes of it. The value is written, whatever is known of who reads it.
fn followed(readers: skydeck_aws::Result<Vec<(String, String)>>) -> String {
    match readers.as_deref() {
        Ok([]) => "No service of an applied platform reads it yet.".into(),
        Ok(some) => {
            let names: Vec<String> =
                some.iter().map(|(platform, service)| format!("{service} of {platform}")).collect();
            format!("It is read by {}: rolled out with it now, where an image is there.", names.join(", "))
        }
        Err(_) => "Services that read it are rolled out with it now.".into(),
    }
}

/// The value: typed unseen, or all of standard input but one line end, which an editor adds.
fn read(name: &str) -> miette::Result<String> {
    let value = if std::io::stdin().is_terminal() {
        eprint!("Value of {name}: ");
        Term::stderr().read_secure_line().into_diagnostic()?
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).into_diagnostic()?;
        text.strip_suffix('\n').map_or(text.clone(), |text| text.strip_suffix('\r').unwrap_or(text).to_owned())
    };
    if value.is_empty() {
        return Err(Usage::new("the value is empty", "type it, or pass it on standard input").into());
    }
    Ok(value)
}
