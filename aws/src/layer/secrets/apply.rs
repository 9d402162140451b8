//! Carries out the parameters' changes, one call each.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging};
use skydeck_core::layer::secrets::{Change, tags, value};
use skydeck_core::scope::{Scope, Tags};

use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::tag::to_ssm;

pub(super) async fn apply(ssm: &Client, scope: &Scope, change: &Change) -> Result<()> {
    match change {
        Change::CreateParameter { name, key, tags } => create(ssm, scope, (name, key), tags).await?,
        Change::OverwriteParameter { name, key } => {
            let request = ssm.put_parameter().name(name).r#type(ParameterType::SecureString).overwrite(true);
            match request.value(text(scope, key)?).send().await.during("overwrite parameter", name) {
                // That AWS looks at the parameter's tags here is not documented. Where it does not, none may be overwritten,
                // and what is deleted is made anew.
                Err(error) if error.error_type() == "AccessDenied" => {
                    delete(ssm, name).await?;
                    create(ssm, scope, (name, key), &tags(scope, key, name)).await?;
                }
                answer => drop(answer?),
            }
        }
        Change::SetTags { name, new, .. } => {
            let request = ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
            let request = request.resource_id(name).set_tags(Some(to_ssm(new)));
            request.send().await.during("tag parameter", name)?;
        }
        Change::DeleteParameter { name } => delete(ssm, name).await?,
    }
    Ok(())
}

/// Without leave to overwrite: a name that somebody took since we looked stays theirs.
async fn create(ssm: &Client, scope: &Scope, (name, key): (&str, &str), tags: &Tags) -> Result<()> {
    let request = ssm.put_parameter().name(name).r#type(ParameterType::SecureString);
    let request = request.value(text(scope, key)?).set_tags(Some(to_ssm(tags)));
    look_again(request.send().await.during("create parameter", name).map(drop), &["ParameterAlreadyExists"])
}

async fn delete(ssm: &Client, name: &str) -> Result<()> {
    // Gone already: a retry after a lost answer, or a person who was faster.
    let answer = ssm.delete_parameter().name(name).send().await.during("delete parameter", name);
    tolerate(answer, &["ParameterNotFound"]).map(drop)
}

/// The value to write, which is in no plan.
fn text(scope: &Scope, key: &str) -> Result<String> {
    value(scope, key)?.ok_or_else(|| Error::Broken(format!("the platform file says no value for secrets.{key}")))
}
