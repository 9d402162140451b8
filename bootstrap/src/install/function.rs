//! A function: its code in the bucket, its settings, a version that holds both, and the alias that runs call.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Architecture as LambdaArchitecture, Environment, FunctionCode, FunctionConfiguration,
    LastUpdateStatus, Runtime, State,
};
use aws_sdk_s3::primitives::ByteStream;
use skydeck_aws::error::{Explain, tolerate};
use skydeck_aws::function::{ALIAS, MEMORY_MIB, TIMEOUT_SECONDS};
use skydeck_aws::{Clients, Error, Result};

use super::step::{Change, Step};
use super::{Plan, TAG, TAG_VALUE, log_group, propagated, taken};
use crate::context::Account;
use crate::package::Package;

const FUNCTION: &str = "function";
const LOG_GROUP: &str = "log group";
/// What the functions know from their environment: their bucket, and nothing else.
const BUCKET: &str = "SKYDECK_BUCKET";
/// Every run's reports are in the bucket; the log is for looking into what went wrong lately.
const RETENTION_DAYS: i32 = 30;
/// Metadata of the uploaded code, by which a second upload is spared.
const SHA256: &str = "code-sha256";
const ARCHITECTURE: &str = "architecture";

/// The version that runs and two to go back to.
const VERSIONS_KEPT: usize = 3;

/// Lambda makes a function active within seconds.
const SETTLING: Duration = Duration::from_secs(60);
const SETTLING_STEP: Duration = Duration::from_millis(500);

/// Where a function's code lies in the bucket.
pub(super) fn code_key(name: &str) -> String {
    format!("functions/{name}.zip")
}

/// Looks at a function's code. It goes through S3, since Lambda takes no more than 50 MB directly.
pub(super) async fn look_at_code<'a>(
    clients: &'a Clients,
    plan: &'a Plan<'a>,
    name: &str,
    package: &'a Package,
) -> Result<Step<'a>> {
    let (bucket, key, s3) = (plan.account.bucket(), code_key(name), clients.s3());
    let found = s3.head_object().bucket(&bucket).key(&key).send().await.find(&["NotFound"], "find code", &key)?;
    let metadata = found.as_ref().and_then(|found| found.metadata().cloned()).unwrap_or_default();
    let is = |key: &str, value: &str| metadata.get(key).is_some_and(|found| found == value);
    let same = is(SHA256, &package.sha256) && is(ARCHITECTURE, plan.architecture.name());
    let change = if found.is_some() { Change::updated_if(!same) } else { Change::Created };
    Ok(Step::new("code", key.clone(), change, async move {
        let request = s3
            .put_object()
            .bucket(&bucket)
            .expected_bucket_owner(&plan.account.id)
            .key(&key)
            .metadata(SHA256, &package.sha256)
            .metadata(ARCHITECTURE, plan.architecture.name())
            .content_type("application/zip")
            .body(ByteStream::from(package.zip.clone()));
        request.send().await.during("upload code", &key).map(drop)
    }))
}

/// Retention in days of each log group of skydeck's functions; `None` keeps for ever.
pub(super) async fn log_groups(clients: &Clients) -> Result<BTreeMap<String, Option<i32>>> {
    let request = clients.logs().describe_log_groups().log_group_name_prefix(log_group(""));
    let mut pages = request.into_paginator().send();
    let mut groups = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.during("list log groups", &log_group("*"))?;
        for group in page.log_groups.unwrap_or_default() {
            groups.insert(group.log_group_name.unwrap_or_default(), group.retention_in_days);
        }
    }
    Ok(groups)
}

/// Looks at a function's log group. One that Lambda has made on its own is taken over: no other thing logs under that name.
pub(super) async fn look_at_log_group<'a>(
    clients: &'a Clients,
    account: &Account,
    name: &str,
    groups: &BTreeMap<String, Option<i32>>,
) -> Result<Step<'a>> {
    let (logs, name) = (clients.logs(), log_group(name));
    let arn = account.arn("logs", &format!("log-group:{name}"));
    let (found, keeps) = (groups.contains_key(&name), groups.get(&name) == Some(&Some(RETENTION_DAYS)));
    let ours = found && is_our_log_group(clients, &arn).await?;
    let change = if found { Change::updated_if(!(keeps && ours)) } else { Change::Created };
    Ok(Step::new(LOG_GROUP, name.clone(), change, async move {
        if !found {
            let request = logs.create_log_group().log_group_name(&name).tags(TAG, TAG_VALUE);
            // Lambda makes the group itself when the function logs before this call.
            tolerate(request.send().await.during("create log group", &name), &["ResourceAlreadyExistsException"])?;
        } else if !ours {
            let request = logs.tag_resource().resource_arn(&arn).tags(TAG, TAG_VALUE);
            request.send().await.during("tag log group", &name)?;
        }
        let request = logs.put_retention_policy().log_group_name(&name).retention_in_days(RETENTION_DAYS);
        request.send().await.during("set retention of log group", &name).map(drop)
    }))
}

/// Takes a function's log group away.
pub(super) async fn remove_log_group<'a>(
    clients: &'a Clients,
    account: &Account,
    name: &str,
    groups: &BTreeMap<String, Option<i32>>,
) -> Result<Option<Step<'a>>> {
    let name = log_group(name);
    let arn = account.arn("logs", &format!("log-group:{name}"));
    if !groups.contains_key(&name) || !is_our_log_group(clients, &arn).await? {
        return Ok(None);
    }
    Ok(Some(Step::new(LOG_GROUP, name.clone(), Change::Deleted, async move {
        let request = clients.logs().delete_log_group().log_group_name(&name);
        request.send().await.during("delete log group", &name).map(drop)
    })))
}

async fn is_our_log_group(clients: &Clients, arn: &str) -> Result<bool> {
    let request = clients.logs().list_tags_for_resource().resource_arn(arn);
    let answer = request.send().await.during("read tags of log group", arn)?;
    Ok(answer.tags().is_some_and(|tags| tags.get(TAG).is_some_and(|value| value == TAG_VALUE)))
}

/// Looks at a function, and at the version that the alias points at.
pub(super) async fn look<'a>(
    clients: &'a Clients,
    plan: &'a Plan<'a>,
    name: &'a str,
    package: &'a Package,
) -> Result<Step<'a>> {
    let function = Wanted { clients, plan, name, full: format!("skydeck-{name}"), package };
    let found = function.find().await?;
    let change = match &found {
        None => Change::Created,
        Some(found) if !is_ours(found) => return Err(taken(FUNCTION, &function.full)),
        Some(found) => {
            let config = settings(Some(found));
            let live = function.live().await?;
            let same = function.has_code(&config) && function.has_settings(&config) && function.is_live(live.as_ref());
            Change::updated_if(!same || !function.surplus().await?.is_empty())
        }
    };
    Ok(Step::new(FUNCTION, function.full.clone(), change, async move {
        if found.is_some() {
            let config = settings(found.as_ref());
            function.update_code(&config).await?;
            function.update_settings(&config).await?;
        } else {
            function.create().await?;
        }
        function.publish().await
    }))
}

/// Takes a function away, with all its versions.
pub(super) async fn remove<'a>(clients: &'a Clients, name: &str) -> Result<Option<Step<'a>>> {
    let (full, lambda) = (format!("skydeck-{name}"), clients.lambda());
    let found = lambda.get_function().function_name(&full).send().await;
    let found = found.find(&["ResourceNotFoundException"], "read function", &full)?;
    if !found.as_ref().is_some_and(is_ours) {
        return Ok(None);
    }
    Ok(Some(Step::new(FUNCTION, full.clone(), Change::Deleted, async move {
        // The retry of a deletion whose answer was lost.
        let deleted = lambda.delete_function().function_name(&full).send().await.during("delete function", &full);
        tolerate(deleted, &["ResourceNotFoundException"]).map(drop)
    })))
}

fn is_ours(found: &GetFunctionOutput) -> bool {
    found.tags().is_some_and(|tags| tags.get(TAG).is_some_and(|value| value == TAG_VALUE))
}

/// An answer without a configuration is as good as one that differs in everything.
fn settings(found: Option<&GetFunctionOutput>) -> FunctionConfiguration {
    let found = found.and_then(|found| found.configuration.clone());
    found.unwrap_or_else(|| FunctionConfiguration::builder().build())
}

struct Wanted<'a> {
    clients: &'a Clients,
    plan: &'a Plan<'a>,
    name: &'a str,
    full: String,
    package: &'a Package,
}

impl Wanted<'_> {
    async fn find(&self) -> Result<Option<GetFunctionOutput>> {
        let request = self.clients.lambda().get_function().function_name(&self.full);
        request.send().await.find(&["ResourceNotFoundException"], "read function", &self.full)
    }

    fn role(&self) -> String {
        self.plan.account.role(self.name)
    }

    fn architecture(&self) -> LambdaArchitecture {
        LambdaArchitecture::from(self.plan.architecture.name())
    }

    async fn create(&self) -> Result<()> {
        let code = FunctionCode::builder().s3_bucket(self.plan.account.bucket()).s3_key(code_key(self.name)).build();
        let request = self
            .clients
            .lambda()
            .create_function()
            .function_name(&self.full)
            .description(format!("skydeck: {}", self.name))
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .architectures(self.architecture())
            .role(self.role())
            .memory_size(MEMORY_MIB)
            .timeout(TIMEOUT_SECONDS)
            .environment(Environment::builder().variables(BUCKET, self.plan.account.bucket()).build())
            .tags(TAG, TAG_VALUE)
            .code(code);
        propagated(async || {
            let created = request.clone().send().await.during("create function", &self.full);
            // The retry of a creation whose answer was lost.
            tolerate(created, &["ResourceConflictException"])
        })
        .await?;
        self.settle().await
    }

    fn has_code(&self, found: &FunctionConfiguration) -> bool {
        found.code_sha256() == Some(&self.package.sha256) && found.architectures() == [self.architecture()]
    }

    async fn update_code(&self, found: &FunctionConfiguration) -> Result<()> {
        if self.has_code(found) {
            return Ok(());
        }
        self.settle().await?;
        let request = self.clients.lambda().update_function_code().function_name(&self.full);
        let request = request.s3_bucket(self.plan.account.bucket()).s3_key(code_key(self.name));
        let request = request.architectures(self.architecture());
        request.send().await.during("change code of function", &self.full)?;
        self.settle().await
    }

    fn has_settings(&self, found: &FunctionConfiguration) -> bool {
        let bucket = self.plan.account.bucket();
        let variables = found.environment().and_then(|environment| environment.variables());
        found.role() == Some(&self.role())
            && found.memory_size() == Some(MEMORY_MIB)
            && found.timeout() == Some(TIMEOUT_SECONDS)
            && found.runtime() == Some(&Runtime::Providedal2023)
            // A person may have set more, such as a log level; that stays until something of ours changes.
            && variables.is_some_and(|variables| variables.get(BUCKET) == Some(&bucket))
    }

    async fn update_settings(&self, found: &FunctionConfiguration) -> Result<()> {
        if self.has_settings(found) {
            return Ok(());
        }
        self.settle().await?;
        let variables = found.environment().and_then(|environment| environment.variables()).cloned();
        let mut variables = variables.unwrap_or_default();
        variables.insert(BUCKET.into(), self.plan.account.bucket());
        let request = self
            .clients
            .lambda()
            .update_function_configuration()
            .function_name(&self.full)
            .runtime(Runtime::Providedal2023)
            .role(self.role())
            .memory_size(MEMORY_MIB)
            .timeout(TIMEOUT_SECONDS)
            .environment(Environment::builder().set_variables(Some(variables)).build());
        propagated(async || request.clone().send().await.during("change settings of function", &self.full)).await?;
        self.settle().await
    }

    /// Whether the alias points at a version with the wanted code and settings.
    fn is_live(&self, live: Option<&FunctionConfiguration>) -> bool {
        live.is_some_and(|live| self.has_code(live) && self.has_settings(live))
    }

    /// Lets the alias point at such a version, and deletes all but the newest.
    async fn publish(&self) -> Result<()> {
        let live = self.live().await?;
        if !self.is_live(live.as_ref()) {
            let lambda = self.clients.lambda();
            let request = lambda.publish_version().function_name(&self.full).code_sha256(&self.package.sha256);
            let published = request.send().await.during("publish version of function", &self.full)?;
            let version = published.version().unwrap_or_default();
            if live.is_some() {
                let request = lambda.update_alias().function_name(&self.full).name(ALIAS).function_version(version);
                // A weight that a person gave another version would send it a part of the calls for ever.
                let alone = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new()));
                let request = request.routing_config(alone.build());
                request.send().await.during("move alias of function", &self.full)?;
            } else {
                let request = lambda.create_alias().function_name(&self.full).name(ALIAS).function_version(version);
                let created = request.send().await.during("create alias of function", &self.full);
                // The retry of a creation whose answer was lost.
                tolerate(created, &["ResourceConflictException"])?;
            }
        }
        for version in self.surplus().await? {
            let request = self.clients.lambda().delete_function().function_name(&self.full).qualifier(&version);
            let deleted = request.send().await.during("delete old version of function", &self.full);
            // Another installation was faster, or somebody's own alias points at it by now.
            tolerate(deleted, &["ResourceNotFoundException", "ResourceConflictException"])?;
        }
        Ok(())
    }

    /// All but the newest versions, and those that an alias points at: each keeps its code, of which an account has 75 GB, and
    /// `cargo lambda deploy` publishes them too and deletes none.
    async fn surplus(&self) -> Result<Vec<String>> {
        let request = self.clients.lambda().list_versions_by_function().function_name(&self.full);
        let mut pages = request.into_paginator().send();
        let mut numbers: Vec<u64> = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.during("list versions of function", &self.full)?;
            // `$LATEST` is none that was published.
            numbers.extend(page.versions().iter().filter_map(|version| version.version()?.parse::<u64>().ok()));
        }
        if numbers.len() <= VERSIONS_KEPT {
            return Ok(Vec::new());
        }
        let request = self.clients.lambda().list_aliases().function_name(&self.full);
        let aliases = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let aliases = aliases.during("list aliases of function", &self.full)?;
        let named = |version: &String| aliases.iter().any(|alias| alias.function_version() == Some(version));
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let old = numbers.iter().skip(VERSIONS_KEPT).map(u64::to_string);
        Ok(old.filter(|version| !named(version)).collect())
    }

    /// What the alias points at.
    async fn live(&self) -> Result<Option<FunctionConfiguration>> {
        let request = self.clients.lambda().get_function().function_name(&self.full).qualifier(ALIAS);
        let found = request.send().await.find(&["ResourceNotFoundException"], "read alias of function", &self.full)?;
        Ok(found.and_then(|found| found.configuration))
    }

    /// Waits until Lambda has taken in what was changed; before, it refuses the next change.
    async fn settle(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let found = settings(self.find().await?.as_ref());
            let failed =
                found.state() == Some(&State::Failed) || found.last_update_status() == Some(&LastUpdateStatus::Failed);
            let busy = found.state() == Some(&State::Pending)
                || found.last_update_status() == Some(&LastUpdateStatus::InProgress);
            if failed {
                let why = found.last_update_status_reason().or(found.state_reason()).unwrap_or("no reason was given");
                return Err(Error::Broken(format!("Lambda could not take function {} in: {why}", self.full)));
            }
            if !busy {
                return Ok(());
            }
            if begun.elapsed() > SETTLING {
                return Err(Error::Broken(format!("function {} is still not active after a minute", self.full)));
            }
            tokio::time::sleep(SETTLING_STEP).await;
        }
    }
}
