//! Reads the parameters: those that the file names in batches of ten, and those that carry the platform's tags.
//!
//! A value is decrypted only where the platform file says what it should be, and stays in this module.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ResourceTypeForTagging};
use futures::try_join;
use skydeck_core::layer::secrets::{Parameter, World, value};
use skydeck_core::plan::Found;
use skydeck_core::scope::{Scope, TAG_INSTALLATION, Tags};

use crate::client::Clients;
use crate::error::{Error, Explain, Result};
use crate::execute::all;
use crate::tag::from_ssm;

/// How many names one call takes
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>).
const BATCH: usize = 10;

pub(super) async fn observe(clients: &Clients, scope: &Scope) -> Result<World> {
    let ssm = clients.ssm();
    let (mut a_persons, mut ours) = (Vec::new(), BTreeMap::new());
    for (key, secret) in &scope.platform.secrets {
        match value(scope, key)? {
            None => a_persons.push(secret.parameter.clone()),
            Some(value) => drop(ours.insert(secret.parameter.clone(), value)),
        }
    }
    let names: Vec<String> = ours.keys().cloned().collect();
    let (a_persons, ours_found, tagged) =
        try_join!(read(ssm, &a_persons, None), read(ssm, &names, Some(&ours)), tagged(ssm, scope))?;
    let mut parameters: BTreeMap<String, Found<Parameter>> = a_persons.into_iter().chain(ours_found).collect();
    for (name, found) in tagged {
        let tags = found.settings.tags.clone();
        parameters.entry(name).or_insert(found).settings.tags = tags;
    }
    let others = parameters.iter_mut().filter(|(_, found)| found.settings.tags.is_empty());
    all(others.map(async |(name, found)| {
        // What else a person has tagged it with is nobody's business.
        let tags = tags(ssm, name).await?.unwrap_or_default();
        found.settings.tags = tags.into_iter().filter(|(key, _)| key == TAG_INSTALLATION).collect();
        Ok(())
    }))
    .await?;
    Ok(World { parameters })
}

/// Existence and type of these parameters; with `values` also whether each holds the value it should.
async fn read(
    ssm: &Client,
    names: &[String],
    values: Option<&BTreeMap<String, String>>,
) -> Result<Vec<(String, Found<Parameter>)>> {
    let batch = async |names: &[String]| {
        let request = ssm.get_parameters().set_names(Some(names.to_vec())).with_decryption(values.is_some());
        let answer = request.send().await.during("read parameters", &names.join(", "))?;
        Ok(answer.parameters.unwrap_or_default())
    };
    let found = all(names.chunks(BATCH).map(batch)).await?.into_iter().flatten();
    Ok(found
        .map(|parameter| {
            let name = parameter.name().unwrap_or_default().to_owned();
            let settings = Parameter {
                kind: parameter.r#type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                right: values.map(|values| parameter.value() == values.get(&name).map(String::as_str)),
                tags: Tags::new(),
            };
            (name, Found { id: parameter.arn().unwrap_or_default().to_owned(), settings })
        })
        .collect())
}

/// The parameters that carry the platform's tags. The tags themselves are not in the list's answer.
async fn tagged(ssm: &Client, scope: &Scope) -> Result<Vec<(String, Found<Parameter>)>> {
    let filter = |(key, value): (&String, &String)| {
        ParameterStringFilter::builder().key(format!("tag:{key}")).option("Equals").values(value).build()
    };
    // The builder fails only without a key, and that is given.
    let filters = scope.ownership().iter().map(filter).collect::<std::result::Result<Vec<_>, _>>();
    let filters = filters.map_err(|_| Error::Broken("a filter of parameters has no key".into()))?;
    let request = ssm.describe_parameters().set_parameter_filters(Some(filters)).max_results(50);
    let mut pages = request.into_paginator().send();
    let mut listed: Vec<ParameterMetadata> = Vec::new();
    while let Some(page) = pages.next().await {
        listed.extend(page.during("list", "parameters")?.parameters.unwrap_or_default());
    }
    let described = all(listed.iter().map(async |parameter| {
        let name = parameter.name().unwrap_or_default().to_owned();
        let tags = tags(ssm, &name).await?.unwrap_or_default();
        let kind = parameter.r#type().map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let id = parameter.arn().unwrap_or_default().to_owned();
        Ok((name, Found { id, settings: Parameter { kind, right: None, tags } }))
    }));
    Ok(described.await?.into_iter().filter(|(_, found)| scope.owns(&found.settings.tags)).collect())
}

/// The tags of a parameter, if it is there.
pub(crate) async fn tags(ssm: &Client, name: &str) -> Result<Option<Tags>> {
    let request = ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    let gone = ["InvalidResourceId", "ParameterNotFound"];
    let answer = request.send().await.find(&gone, "list the tags of parameter", name)?;
    Ok(answer.map(|answer| from_ssm(answer.tag_list())))
}
