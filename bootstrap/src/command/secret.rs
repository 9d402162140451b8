//! `skydeck secret`.

use std::io::{IsTerminal, Read};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};
use console::Term;
use miette::IntoDiagnostic;
use skydeck_aws::error::{Error, Explain};
use skydeck_aws::home::Home;
use skydeck_aws::rollout::people;
use skydeck_aws::run::Context as Backend;
use skydeck_core::scope::TAG_INSTALLATION;

use crate::cli::Secret;
use crate::context::Context;
use crate::error::{Ending, Usage};

pub(super) async fn run(context: &Context, command: &Secret) -> miette::Result<Ending> {
    let Secret::Set { name } = command;
    let value = read(name)?;
    let (clients, account) = context.connect().await?;
    write(clients.ssm(), &account.region, name, &value).await.into_diagnostic()?;
    let home = Home::new(clients.s3(), &account.bucket());
    let backend = Backend { clients, home };
    let readers = people::readers(&backend, &account.machine("rollout"), name).await;
    context.terminal.say(format!("{name} has its value. {}", followed(readers)));
    Ok(Ending::Done)
}

/// Gives a parameter a value, and the installation's tag, without which no service may read it.
pub(super) async fn write(ssm: &Client, region: &str, name: &str, value: &str) -> skydeck_aws::Result<()> {
    let tag = Tag::builder().key(TAG_INSTALLATION).value(region).build();
    // The builder fails only without key or value, and both are given.
    let tag = tag.map_err(|_| Error::Broken("the tag of the installation is incomplete".into()))?;
    let put = || ssm.put_parameter().name(name).value(value).r#type(ParameterType::SecureString);
    match put().tags(tag.clone()).send().await.during("create parameter", name) {
        // AWS takes no tags with a value that is overwritten. They come before it: a change of the value starts rollouts.
        Err(error) if error.code() == Some("ParameterAlreadyExists") => {
            let request = ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
            request.resource_id(name).tags(tag).send().await.during("tag parameter", name)?;
            put().overwrite(true).send().await.during("write parameter", name).map(drop)
        }
        answer => answer.map(drop),
    }
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
