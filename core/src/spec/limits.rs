//! What AWS takes: every number that a platform file is checked against, with its source.

/// Numbers that a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The smallest.
    pub(super) least: u32,
    /// The largest.
    pub(super) most: u32,
}

const fn limit(least: u32, most: u32) -> Limit {
    Limit { least, most }
}

/// Availability zones. An ALB needs subnets in two
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>); no region has
/// more than six.
pub(super) const ZONES: Limit = limit(2, 6);
/// Prefix length of a VPC's block (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).
pub(super) const VPC_PREFIX: Limit = limit(16, 28);
/// Longest prefix of a subnet that an ALB stands in: 32 addresses, so that AWS's 5 and the 8 that an ALB wants free
/// are there (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#subnets-load-balancer>).
pub(super) const ALB_SUBNET_PREFIX: u32 = 27;
/// What Docker takes on every container instance. A container in bridge mode that calls an address in it never leaves
/// the instance (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>).
pub(super) const DOCKER_BLOCK: &str = "172.17.0.0/16";

/// `countNumber` of a lifecycle rule that counts images, below the rule that keeps what runs
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>); a repository holds
/// 100,000 images.
pub(super) const KEEP_IMAGES: Limit = limit(1, 100_000);
/// `countNumber` of a lifecycle rule that counts days (as above); ten years.
pub(super) const EXPIRE_UNTAGGED_DAYS: Limit = limit(1, 3650);

/// What `PutRetentionPolicy` takes
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>).
pub(super) const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// Container instances: a cluster has at most 5,000
/// (<https://docs.aws.amazon.com/general/latest/gr/ecs-service.html#limits_ecs>).
pub(super) const INSTANCES: Limit = limit(1, 5_000);
/// Grace period of an Auto Scaling group; AWS names no largest one, two hours are skydeck's
/// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-check-grace-period.html>).
pub(super) const INSTANCE_GRACE_SECONDS: Limit = limit(0, 7_200);

/// Services of a platform: half of the 100 rules and 100 target groups that a load balancer takes
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>), so that every
/// service can be moved behind one load balancer while it is replaced.
pub(super) const SERVICES: Limit = limit(1, 50);
/// TCP ports.
pub(super) const PORT: Limit = limit(1, 65_535);
/// CPU units. Linux gives a container no fewer than 2
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>), and a task has at most 192 vCPU
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>).
pub(super) const CPU: Limit = limit(2, 196_608);
/// Memory in MiB. Docker takes at least 6
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>); no ARM64 instance has more
/// than 4 TiB.
pub(super) const MEMORY: Limit = limit(6, 4_194_304);
/// Tasks of a service (<https://docs.aws.amazon.com/general/latest/gr/ecs-service.html#limits_ecs>).
pub(super) const DESIRED: Limit = limit(1, 5_000);
/// `maximumPercent` of a replica service
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>). AWS names no range, this
/// is skydeck's: below 100 a service cannot have the tasks it wants, and above 200 nothing is replaced any sooner.
pub(super) const MAXIMUM_PERCENT: Limit = limit(100, 200);
/// `minimumHealthyPercent` of a replica service (as above).
pub(super) const MINIMUM_HEALTHY_PERCENT: Limit = limit(0, 100);
/// `healthCheckGracePeriodSeconds`: AWS takes 2³¹-1
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>). Two hours are skydeck's: a rollout
/// waits this long for a task that never becomes healthy.
pub(super) const SERVICE_GRACE_SECONDS: Limit = limit(0, 7_200);
/// `deregistration_delay.timeout_seconds`
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>).
pub(super) const DEREGISTRATION_DELAY_SECONDS: Limit = limit(0, 3_600);
/// Revisions of a task definition that stay registered: the one that runs and the one that a rollback returns to, at
/// least. The most is skydeck's.
pub(super) const KEEP_REVISIONS: Limit = limit(2, 100);
/// Priority of a listener rule
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html>).
pub(super) const PRIORITY: Limit = limit(1, 50_000);

/// Seconds between two health checks of a target group
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>).
pub(super) const HEALTH_INTERVAL_SECONDS: Limit = limit(5, 300);
/// Seconds for an answer (as above).
pub(super) const HEALTH_TIMEOUT_SECONDS: Limit = limit(2, 120);
/// Successes or failures in a row, of a target group (as above).
pub(super) const HEALTH_THRESHOLD: Limit = limit(2, 10);
/// Seconds between two runs of a container's own check
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>).
pub(super) const CHECK_INTERVAL_SECONDS: Limit = limit(5, 300);
/// Seconds in which its command has to end (as above).
pub(super) const CHECK_TIMEOUT_SECONDS: Limit = limit(2, 60);
/// Failures in a row that make a container unhealthy (as above).
pub(super) const CHECK_RETRIES: Limit = limit(1, 10);
/// Seconds after its start in which failures do not count (as above).
pub(super) const CHECK_START_SECONDS: Limit = limit(0, 300);
/// HTTP status codes that an ALB's matcher takes
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Matcher.html>).
pub(super) const HEALTH_CODES: Limit = limit(200, 499);
/// Characters of a health check's path
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>).
pub(super) const HEALTH_PATH: usize = 1_024;
/// Characters of a path pattern
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_PathPatternConditionConfig.html>).
pub(super) const PATH_PATTERN: usize = 128;
/// Wildcards of a listener rule
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>).
pub(super) const PATH_WILDCARDS: usize = 5;

/// Characters of an ALB's name
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).
pub(super) const BALANCER_NAME: usize = 32;
/// Characters of a bucket's name
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub(super) const BUCKET_NAME: usize = 63;
/// Characters of a role's name (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
pub(super) const ROLE_NAME: usize = 64;
/// Characters of a Lambda function's name
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>).
pub(super) const FUNCTION_NAME: usize = 64;
/// Characters of a repository's name
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>).
pub(super) const REPOSITORY_NAME: usize = 256;
/// Characters of an image's tag
/// (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>).
pub(super) const IMAGE_TAG: usize = 128;
/// Characters of a host name that a load balancer sends to
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html>).
pub(super) const HOST: usize = 128;
/// Characters between two dots of it (<https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4>).
pub(super) const HOST_LABEL: usize = 63;
/// Characters of a parameter's name: 1,011 with its ARN's beginning, which has up to 56
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>).
pub(super) const PARAMETER_NAME: usize = 1_011 - 56;
/// Levels of a parameter's name (as above).
pub(super) const PARAMETER_LEVELS: usize = 15;
/// Bytes of a standard parameter's value (as above).
pub(super) const PARAMETER_VALUE: usize = 4_096;
/// Bytes of a task definition, with everything that is in it
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>).
pub(super) const TASK_DEFINITION: usize = 65_536;
/// Characters of a role's own policies in all, without blanks
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
pub(super) const ROLE_POLICY: usize = 10_240;

/// Tags of a resource (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>).
pub(super) const TAGS: usize = 50;
/// Tags that skydeck sets, which a team cannot: on every resource four of its own, `Name`, `Project`, `Environment` and `Service`; on
/// a released task definition four more; and the one that ECS sets on the Auto Scaling group of a capacity provider,
/// `AmazonECSManaged`.
pub(super) const OWN_TAGS: [&str; 13] = [
    crate::scope::TAG_PLATFORM,
    crate::scope::TAG_ENVIRONMENT,
    crate::scope::TAG_INSTALLATION,
    crate::scope::TAG_RESOURCE,
    "Name",
    "Project",
    "Environment",
    "Service",
    crate::scope::TAG_DIGEST,
    crate::scope::TAG_TAG,
    crate::scope::TAG_PUSHED,
    crate::scope::TAG_EXECUTION,
    "AmazonECSManaged",
];
/// Tags of a team's: a released task definition has all of skydeck's but the group's.
pub(super) const TEAM_TAGS: usize = TAGS - (OWN_TAGS.len() - 1);
/// Characters of a tag's key (as above).
pub(super) const TAG_KEY: usize = 128;
/// Characters of a tag's value (as above).
pub(super) const TAG_VALUE: usize = 256;
