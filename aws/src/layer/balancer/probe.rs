//! The probe function.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types as lambda;
use skydeck_core::layer::balancer::{Code, Configuration, PROBE_CODE_KEY, Probe, probe_name, wants_probe};
use skydeck_core::plan::Found;
use skydeck_core::scope::{Scope, Tags};

use crate::error::{Error, Explain, Result, tolerate};
use crate::number;

/// Metadata that bootstrap writes on the code's object: base64 of the archive's SHA-256, and what it is built for.
const HASH: &str = "code-sha256";
const ARCHITECTURE: &str = "architecture";

/// The function, and whether Lambda is still at its last change.
pub(super) async fn find(lambda: &Client, scope: &Scope) -> Result<(Option<Found<Probe>>, bool)> {
    let name = probe_name(scope);
    let result = lambda.get_function().function_name(&name).send().await;
    let Some(answer) = result.find(&["ResourceNotFoundException"], "find function", &name)? else {
        return Ok((None, false));
    };
    let Some(found) = answer.configuration() else {
        return Err(Error::Broken(format!("Lambda gives function {name} without its configuration")));
    };
    let tags = answer.tags().map(|tags| tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
    let busy = found.state() == Some(&lambda::State::Pending)
        || found.last_update_status() == Some(&lambda::LastUpdateStatus::InProgress);
    let settings = Probe {
        code: Code {
            sha256: found.code_sha256().unwrap_or_default().into(),
            // Functions without the field are older than ARM64 in Lambda.
            architecture: found.architectures().first().map_or("x86_64", |found| found.as_str()).into(),
        },
        configuration: configuration(found),
        tags: tags.unwrap_or_default(),
    };
    Ok((Some(Found { id: found.function_arn().unwrap_or_default().into(), settings }), busy))
}

fn configuration(found: &lambda::FunctionConfiguration) -> Configuration {
    let vpc = found.vpc_config();
    Configuration {
        runtime: found.runtime().map(|runtime| runtime.as_str()).unwrap_or_default().into(),
        handler: found.handler().unwrap_or_default().into(),
        role: found.role().unwrap_or_default().into(),
        memory_mib: number::from_aws(found.memory_size()),
        timeout_seconds: number::from_aws(found.timeout()),
        subnets: vpc.map(|vpc| vpc.subnet_ids().iter().cloned().collect()).unwrap_or_default(),
        groups: vpc.map(|vpc| vpc.security_group_ids().iter().cloned().collect()).unwrap_or_default(),
    }
}

/// The code that bootstrap uploaded; not asked for where no function is wanted.
pub(super) async fn published(s3: &aws_sdk_s3::Client, scope: &Scope) -> Result<Option<Code>> {
    if !wants_probe(scope) {
        return Ok(None);
    }
    let result = s3.head_object().bucket(&scope.home).key(PROBE_CODE_KEY).send().await;
    let place = format!("s3://{}/{PROBE_CODE_KEY}", scope.home);
    let Some(found) = result.find(&["NotFound", "NoSuchKey"], "find", &place)? else { return Ok(None) };
    let metadata = |key: &str| found.metadata().and_then(|metadata| metadata.get(key)).cloned();
    let (Some(sha256), Some(architecture)) = (metadata(HASH), metadata(ARCHITECTURE)) else {
        return Err(Error::Broken(format!(
            "{place} lacks the metadata {HASH} and {ARCHITECTURE}; run `skydeck bootstrap`"
        )));
    };
    Ok(Some(Code { sha256, architecture }))
}

fn vpc(configuration: &Configuration) -> lambda::VpcConfig {
    lambda::VpcConfig::builder()
        .set_subnet_ids(Some(configuration.subnets.iter().cloned().collect()))
        .set_security_group_ids(Some(configuration.groups.iter().cloned().collect()))
        .build()
}

fn map(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

pub(super) async fn create(lambda: &Client, scope: &Scope, name: &str, settings: &Probe) -> Result<()> {
    let configuration = &settings.configuration;
    let code = lambda::FunctionCode::builder().s3_bucket(&scope.home).s3_key(PROBE_CODE_KEY).build();
    let request = lambda
        .create_function()
        .function_name(name)
        .runtime(configuration.runtime.as_str().into())
        .handler(&configuration.handler)
        .role(&configuration.role)
        .architectures(settings.code.architecture.as_str().into())
        .memory_size(number::to_aws(configuration.memory_mib))
        .timeout(number::to_aws(configuration.timeout_seconds))
        .vpc_config(vpc(configuration))
        .code(code)
        .set_tags(Some(map(&settings.tags)));
    let result = request.send().await.during("create function", name);
    // A retry after a lost answer finds the function there; a stranger's shows in the next observation.
    tolerate(result, &["ResourceConflictException"])?;
    Ok(())
}

pub(super) async fn configure(lambda: &Client, name: &str, new: &Configuration) -> Result<()> {
    let request = lambda
        .update_function_configuration()
        .function_name(name)
        .runtime(new.runtime.as_str().into())
        .handler(&new.handler)
        .role(&new.role)
        .memory_size(number::to_aws(new.memory_mib))
        .timeout(number::to_aws(new.timeout_seconds))
        .vpc_config(vpc(new));
    request.send().await.during("configure function", name).map(drop)
}

pub(super) async fn publish(lambda: &Client, scope: &Scope, name: &str, new: &Code) -> Result<()> {
    let request = lambda
        .update_function_code()
        .function_name(name)
        .s3_bucket(&scope.home)
        .s3_key(PROBE_CODE_KEY)
        .architectures(new.architecture.as_str().into());
    request.send().await.during("update the code of function", name).map(drop)
}

pub(super) async fn tag(lambda: &Client, arn: &str, name: &str, new: &Tags) -> Result<()> {
    let request = lambda.tag_resource().resource(arn).set_tags(Some(map(new)));
    request.send().await.during("tag function", name).map(drop)
}

pub(super) async fn delete(lambda: &Client, name: &str) -> Result<()> {
    let result = lambda.delete_function().function_name(name).send().await.during("delete function", name);
    // Gone already: a retry after a lost answer, or a person who was faster.
    tolerate(result, &["ResourceNotFoundException"]).map(drop)
}
