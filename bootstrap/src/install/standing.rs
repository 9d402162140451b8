//! What an installation is still needed for: platforms that stand, and runs that go on.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;
use aws_sdk_iam::types::Role;
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_ssm::types::ParameterStringFilter;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::home::Home;
use skydeck_aws::{Clients, Error, Result, tag};
use skydeck_core::run::outputs_key;
use skydeck_core::scope::{TAG_ENVIRONMENT, TAG_INSTALLATION, TAG_PLATFORM, Tags};

use super::definition::MACHINES;
use super::{all, bucket};
use crate::context::Account;

/// Stands for the name of a platform where the tags that name it are lost.
pub const UNNAMED: &str = "a platform whose tags are lost";

/// What an installation is still needed for.
#[derive(Debug, Default)]
pub struct Busy {
    /// What there is of each platform.
    pub platforms: BTreeMap<String, Vec<String>>,
    /// The executions that go on.
    pub runs: Vec<String>,
    /// Buckets of which AWS does not tell whose they are: a policy of their own forbids it.
    pub untold: Vec<String>,
}

impl Busy {
    fn stands(&mut self, platform: String, thing: String) {
        self.platforms.entry(platform).or_default().push(thing);
    }

    /// Counts a resource in, where its tags say that it is a platform's of this installation.
    fn tagged(&mut self, account: &Account, tags: &Tags, thing: String) {
        if tags.get(TAG_INSTALLATION) == Some(&account.region) {
            self.stands(platform(tags), thing);
        }
    }
}

/// The platform that these tags name.
fn platform(tags: &Tags) -> String {
    match (tags.get(TAG_PLATFORM), tags.get(TAG_ENVIRONMENT)) {
        (Some(platform), Some(environment)) => format!("{platform}-{environment}"),
        _ => UNNAMED.to_owned(),
    }
}

/// Finds them: by what skydeck's bucket says, and by the tags of what every platform has and of what holds its data.
///
/// # Errors
/// What AWS refuses to tell.
pub async fn busy(clients: &Clients, account: &Account) -> Result<Busy> {
    let mut busy = Busy { runs: runs(clients, account).await?, ..Busy::default() };
    if bucket::is_there(clients, account).await? {
        let home = Home::new(clients.s3(), &account.bucket());
        for platform in home.folders().await? {
            // A destroy that has succeeded takes them away.
            if home.read(&outputs_key(&platform), None).await?.is_some() {
                busy.stands(platform, "its outputs".to_owned());
            }
        }
    }
    vpcs(clients, account, &mut busy).await?;
    roles(clients, account, &mut busy).await?;
    repositories(clients, account, &mut busy).await?;
    buckets(clients, account, &mut busy).await?;
    parameters(clients, account, &mut busy).await?;
    Ok(busy)
}

/// The executions that go on.
///
/// # Errors
/// What AWS refuses to tell.
pub async fn runs(clients: &Clients, account: &Account) -> Result<Vec<String>> {
    let of = async |(name, _): (&'static str, &'static str)| {
        let request = clients.sfn().list_executions().state_machine_arn(account.machine(name));
        let request = request.status_filter(ExecutionStatus::Running).into_paginator().items().send();
        let found = request.collect::<std::result::Result<Vec<_>, _>>().await.during("list runs of", name);
        // An installation that is not complete lacks some of them.
        let found = tolerate(found, &["StateMachineDoesNotExist"])?.unwrap_or_default();
        Ok(found.into_iter().map(|run| run.name).collect::<Vec<_>>())
    };
    Ok(all(MACHINES, of).await?.into_iter().flatten().collect())
}

async fn vpcs(clients: &Clients, account: &Account, busy: &mut Busy) -> Result<()> {
    let ours = Filter::builder().name(format!("tag:{TAG_INSTALLATION}")).values(&account.region).build();
    let answer = clients.ec2().describe_vpcs().filters(ours).send().await.during("list VPCs of", "skydeck")?;
    for vpc in answer.vpcs() {
        busy.tagged(account, &tag::from_ec2(vpc.tags()), format!("VPC {}", vpc.vpc_id().unwrap_or_default()));
    }
    Ok(())
}

/// The roles of platforms lie under a path of their own: whatever lies there is a platform's, with tags or without.
async fn roles(clients: &Clients, account: &Account, busy: &mut Busy) -> Result<()> {
    let path = format!("/skydeck/{}/", account.region);
    let request = clients.iam().list_roles().path_prefix(&path).into_paginator().items().send();
    let found = request.collect::<std::result::Result<Vec<_>, _>>().await.during("list roles under", &path)?;
    let read = async |role: Role| {
        let tags = clients.iam().list_role_tags().role_name(role.role_name()).send().await;
        // One that goes just now.
        let tags = tags.find(&["NoSuchEntity"], "read tags of role", role.role_name())?;
        let tags: Vec<_> = tags.map(|tags| tags.tags).unwrap_or_default();
        Ok((role, tag::from_iam(&tags)))
    };
    for (role, tags) in all(found, read).await? {
        busy.stands(platform(&tags), format!("role {}", role.role_name()));
    }
    Ok(())
}

async fn repositories(clients: &Clients, account: &Account, busy: &mut Busy) -> Result<()> {
    let request = clients.ecr().describe_repositories().into_paginator().items().send();
    let found = request.collect::<std::result::Result<Vec<_>, _>>().await.during("list", "repositories")?;
    let read = async |found: aws_sdk_ecr::types::Repository| {
        let (name, arn) = (found.repository_name.unwrap_or_default(), found.repository_arn.unwrap_or_default());
        let tags = clients.ecr().list_tags_for_resource().resource_arn(&arn).send().await;
        let tags = tags.find(&["RepositoryNotFoundException"], "read tags of repository", &name)?;
        let tags = tags.and_then(|tags| tags.tags).unwrap_or_default();
        Ok((name, tag::from_ecr(&tags)))
    };
    for (name, tags) in all(found, read).await? {
        busy.tagged(account, &tags, format!("repository {name}"));
    }
    Ok(())
}

async fn buckets(clients: &Clients, account: &Account, busy: &mut Busy) -> Result<()> {
    let listed = clients.s3().list_buckets().bucket_region(&account.region).into_paginator().items().send();
    let found = listed.collect::<std::result::Result<Vec<_>, _>>().await.during("list", "buckets")?;
    let read = async |found: aws_sdk_s3::types::Bucket| {
        let name = found.name.unwrap_or_default();
        let tags = clients.s3().get_bucket_tagging().bucket(&name).send().await;
        let tags = tags.find(&["NoSuchTagSet", "NoSuchBucket"], "read tags of bucket", &name);
        let tags = tags.map(|tags| tag::from_s3(&tags.map(|tags| tags.tag_set).unwrap_or_default()));
        // A team's bucket may have a policy against it. That it is a platform's cannot be ruled out, so that it is told.
        Ok((name, tolerate(tags, &["AccessDenied"])?))
    };
    for (name, tags) in all(found, read).await? {
        match tags {
            Some(tags) => busy.tagged(account, &tags, format!("bucket {name}")),
            None => busy.untold.push(name),
        }
    }
    Ok(())
}

async fn parameters(clients: &Clients, account: &Account, busy: &mut Busy) -> Result<()> {
    let ours = ParameterStringFilter::builder().key(format!("tag:{TAG_INSTALLATION}")).values(&account.region).build();
    let ours = ours.map_err(|error| Error::Broken(error.to_string()))?;
    let request = clients.ssm().describe_parameters().parameter_filters(ours).into_paginator().send();
    let pages = request.collect::<std::result::Result<Vec<_>, _>>().await.during("list", "parameters")?;
    let found = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default());
    let read = async |found: aws_sdk_ssm::types::ParameterMetadata| {
        let name = found.name.unwrap_or_default();
        let kind = aws_sdk_ssm::types::ResourceTypeForTagging::Parameter;
        let tags = clients.ssm().list_tags_for_resource().resource_type(kind).resource_id(&name).send().await;
        let tags = tags.find(&["InvalidResourceId"], "read tags of parameter", &name)?;
        let tags = tags.and_then(|tags| tags.tag_list).unwrap_or_default();
        Ok((name, tag::from_ssm(&tags)))
    };
    for (name, tags) in all(found, read).await? {
        // What `secret set` makes has no platform's tags: it is a person's, and outlives platforms.
        if tags.contains_key(TAG_PLATFORM) {
            busy.tagged(account, &tags, format!("parameter {name}"));
        }
    }
    Ok(())
}
