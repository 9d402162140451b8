//! Resources of somebody else that look like ours: names that begin like ours, one of the two tags that mark ours.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use skydeck_aws::client::Clients;
use skydeck_core::Scope;
use skydeck_core::scope::TAG_ENVIRONMENT;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    Vpc,
    /// In our VPC, where it stands already.
    Group,
    Role,
    Repository,
    Bucket,
    Parameter,
    LogGroup,
    TargetGroup,
    Family,
    Cluster,
}

impl Stranger {
    pub(crate) const ALL: [Stranger; 10] = [
        Stranger::Vpc,
        Stranger::Group,
        Stranger::Role,
        Stranger::Repository,
        Stranger::Bucket,
        Stranger::Parameter,
        Stranger::LogGroup,
        Stranger::TargetGroup,
        Stranger::Family,
        Stranger::Cluster,
    ];

    /// Its name: as ours begin.
    fn name(scope: &Scope) -> String {
        scope.name("stranger")
    }

    pub(crate) async fn make(self, aws: &Clients, scope: &Scope) {
        let name = Self::name(scope);
        match self {
            Stranger::Vpc => drop(vpc(aws, scope).await),
            Stranger::Group => {
                let vpc = ours_or(aws, scope).await;
                let request = aws.ec2().create_security_group().group_name(&name).description("theirs").vpc_id(vpc);
                request.send().await.expect("a group");
            }
            Stranger::Role => {
                let request = aws.iam().create_role().role_name(&name).assume_role_policy_document(TRUST);
                request.send().await.expect("a role");
            }
            Stranger::Repository => {
                aws.ecr().create_repository().repository_name(&name).send().await.expect("a repository");
            }
            Stranger::Bucket => {
                let place = BucketLocationConstraint::ApSouth1;
                let place = CreateBucketConfiguration::builder().location_constraint(place).build();
                let request = aws.s3().create_bucket().bucket(&name).create_bucket_configuration(place);
                request.send().await.expect("a bucket");
            }
            Stranger::Parameter => {
                let kind = aws_sdk_ssm::types::ParameterType::String;
                let request = aws.ssm().put_parameter().name(parameter(scope)).value("theirs").r#type(kind);
                request.send().await.expect("a parameter");
            }
            Stranger::LogGroup => {
                aws.logs().create_log_group().log_group_name(log_group(scope)).send().await.expect("a log group");
            }
            Stranger::TargetGroup => {
                let vpc = vpc(aws, scope).await;
                let request = aws.elb().create_target_group().name(&name).port(80).vpc_id(vpc);
                request.protocol("HTTP".into()).send().await.expect("a target group");
            }
            Stranger::Family => {
                let container = aws_sdk_ecs::types::ContainerDefinition::builder().name("theirs").image("theirs");
                let request = aws.ecs().register_task_definition().family(&name);
                request.container_definitions(container.memory(64).build()).send().await.expect("a task definition");
            }
            Stranger::Cluster => {
                aws.ecs().create_cluster().cluster_name(&name).send().await.expect("a cluster");
            }
        }
    }

    /// All that AWS says of it, as text.
    pub(crate) async fn look(self, aws: &Clients, scope: &Scope) -> String {
        let name = Self::name(scope);
        match self {
            Stranger::Vpc => {
                let theirs = Filter::builder().name("tag:owner").values(&name).build();
                let found = aws.ec2().describe_vpcs().filters(theirs).send().await;
                text(&found.map(|found| found.vpcs.unwrap_or_default()))
            }
            Stranger::Group => {
                let named = Filter::builder().name("group-name").values(&name).build();
                let found = aws.ec2().describe_security_groups().filters(named).send().await;
                text(&found.map(|found| found.security_groups.unwrap_or_default()))
            }
            Stranger::Role => text(&aws.iam().get_role().role_name(&name).send().await.map(|found| found.role)),
            Stranger::Repository => {
                let found = aws.ecr().describe_repositories().repository_names(&name).send().await;
                text(&found.map(|found| found.repositories.unwrap_or_default()))
            }
            Stranger::Bucket => {
                let tags = aws.s3().get_bucket_tagging().bucket(&name).send().await.map(|found| found.tag_set).ok();
                let found = aws.s3().head_bucket().bucket(&name).send().await.is_ok();
                format!("{found} {tags:?}")
            }
            Stranger::Parameter => {
                let found = aws.ssm().get_parameter().name(parameter(scope)).send().await;
                text(&found.map(|found| found.parameter))
            }
            Stranger::LogGroup => {
                let found = aws.logs().describe_log_groups().log_group_name_prefix(log_group(scope)).send().await;
                text(&found.map(|found| found.log_groups.unwrap_or_default()))
            }
            Stranger::TargetGroup => {
                let found = aws.elb().describe_target_groups().names(&name).send().await;
                text(&found.map(|found| found.target_groups.unwrap_or_default()))
            }
            Stranger::Family => {
                let found = aws.ecs().describe_task_definition().task_definition(&name).send().await;
                text(&found.map(|found| found.task_definition))
            }
            Stranger::Cluster => {
                let found = aws.ecs().describe_clusters().clusters(&name).send().await;
                text(&found.map(|found| found.clusters.unwrap_or_default()))
            }
        }
    }
}

fn text<T: std::fmt::Debug, E: std::fmt::Debug>(found: &Result<T, E>) -> String {
    format!("{:?}", found.as_ref().expect("it is there"))
}

fn parameter(scope: &Scope) -> String {
    format!("/{}/theirs", scope.platform.name)
}

fn log_group(scope: &Scope) -> String {
    format!("/ecs/{}", Stranger::name(scope))
}

/// A VPC with our name, our block and one of the two tags that mark ours.
async fn vpc(aws: &Clients, scope: &Scope) -> String {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Vpc)
        .tags(tag("Name", &scope.name("vpc")))
        .tags(tag(TAG_ENVIRONMENT, &scope.platform.environment))
        .tags(tag("owner", &Stranger::name(scope)));
    let made = aws.ec2().create_vpc().cidr_block("10.0.0.0/16").tag_specifications(tags.build()).send().await;
    made.expect("a VPC").vpc.and_then(|vpc| vpc.vpc_id).expect("an id")
}

async fn ours_or(aws: &Clients, scope: &Scope) -> String {
    match &scope.facts.network {
        Some(network) => network.vpc_id.clone(),
        None => vpc(aws, scope).await,
    }
}
