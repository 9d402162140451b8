//! What the parameters should hold, by the platform file alone; and what they hand on.

use super::World;
use crate::facts::{Facts, SecretsFacts};
use crate::obstacle::Obstacle;
use crate::plan::Refusal;
use crate::scope::{Scope, Tags};
use crate::spec::{Part, Secret, Template};

/// What skydeck writes into a parameter; `None` where a person gives the value.
///
/// # Errors
/// Where the value refers to what is known only after this layer has run.
pub fn value(scope: &Scope, key: &str) -> Result<Option<String>, Refusal> {
    let template = scope.platform.secrets.get(key).and_then(|secret| secret.value.as_ref());
    template.map(|template| resolve(scope, key, template)).transpose()
}

fn resolve(scope: &Scope, key: &str, Template(parts): &Template) -> Result<String, Refusal> {
    let part = |part: &Part| match part {
        Part::Text(text) => Ok(text.clone()),
        Part::BucketName(bucket) => Ok(scope.bucket_name(bucket)),
        Part::BucketArn(bucket) => Ok(format!("arn:{}:s3:::{}", scope.partition, scope.bucket_name(bucket))),
        Part::LoadBalancerUrl(name) | Part::ServiceUrl(name) => Err(Refusal::Impossible {
            what: format!(
                "secrets.{key}.value refers to the URL of {name}, which is not known when parameters are written"
            ),
            advice: "Give the URL to the service as an environment variable".into(),
        }),
    };
    parts.iter().map(part).collect()
}

/// ARNs of the parameters, those included that a person has yet to make: the names decide them.
#[must_use]
pub fn facts(scope: &Scope, world: &World) -> Facts {
    let secrets = &scope.platform.secrets;
    let arn = |secret: &Secret| match world.parameters.get(&secret.parameter) {
        Some(found) => found.id.clone(),
        // An ARN has one slash between `parameter` and the name, whether or not the name begins with one.
        None => scope.arn("ssm", &format!("parameter/{}", secret.parameter.trim_start_matches('/'))),
    };
    let missing = secrets.values().filter(|secret| is_missing(secret, world));
    Facts {
        secrets: Some(SecretsFacts {
            parameter_arns: secrets.iter().map(|(key, secret)| (key.clone(), arn(secret))).collect(),
            missing: missing.map(|secret| secret.parameter.clone()).collect(),
        }),
        ..Facts::default()
    }
}

/// Whether a person has yet to give a value.
pub(super) fn is_missing(secret: &Secret, world: &World) -> bool {
    secret.value.is_none() && !world.parameters.contains_key(&secret.parameter)
}

/// What is wrong with a parameter that is there and lacks the installation's tag.
#[must_use]
pub fn withheld(scope: &Scope, parameter: &str) -> Obstacle {
    Obstacle::Withheld { parameter: parameter.to_owned(), value: scope.platform.region.clone() }
}

/// The tags of a parameter that skydeck makes.
#[must_use]
pub fn tags(scope: &Scope, key: &str, name: &str) -> Tags {
    scope.tags(&format!("parameter/{key}"), name, None)
}
