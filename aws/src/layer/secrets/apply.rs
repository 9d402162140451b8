//! Carries out the parameters' changes, one call each.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging};
use skydeck_core::layer::secrets::{Change, value};
use skydeck_core::scope::Scope;

use crate::error::{Error, Explain, Result, look_again, tolerate};
use crate::tag::to_ssm;

pub(super) async fn apply(ssm: &Client, scope: &Scope, change: &Change) -> Result<()> {
    match change {
        Change::CreateParameter { name, key, tags } => {
            // Without leave to overwrite: a name that somebody took since we looked stays theirs.
            let request = ssm.put_parameter().name(name).r#type(ParameterType::SecureString);
            let request = request.value(text(scope, key)?).set_tags(Some(to_ssm(tags)));
            look_again(request.send().await.during("create parameter", name), &["ParameterAlreadyExists"])?;
        }
        Change::OverwriteParameter { name, key } => {
            let request = ssm.put_parameter().name(name).r#type(ParameterType::SecureString).overwrite(true);
            request.value(text(scope, key)?).send().await.during("overwrite parameter", name)?;
        }
        Change::SetTags { name, new, .. } => {
            let request = ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
            let request = request.resource_id(name).set_tags(Some(to_ssm(new)));
            request.send().await.during("tag parameter", name)?;
        }
        Change::DeleteParameter { name } => {
            // Gone already: a retry after a lost answer, or a person who was faster.
            let answer = ssm.delete_parameter().name(name).send().await.during("delete parameter", name);
            tolerate(answer, &["ParameterNotFound"])?;
        }
    }
    Ok(())
}

/// The value to write, which is in no plan.
fn text(scope: &Scope, key: &str) -> Result<String> {
    value(scope, key)?.ok_or_else(|| Error::Broken(format!("the platform file says no value for secrets.{key}")))
}
