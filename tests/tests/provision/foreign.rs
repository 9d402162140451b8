//! Somebody else's resources beside ours: names that look alike, tags that are not ours.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use skydeck_aws::Clients;

const NAME: &str = "skyfox-devprod-foreign";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub(crate) async fn place(aws: &Clients) {
    // The same name as our VPC's, and the same platform in another environment.
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Vpc)
        .tags(tag("Name", "skyfox-devprod-vpc"))
        .tags(tag("skydeck:environment", "devprod"))
        .tags(tag("owner", "somebody-else"));
    aws.ec2().create_vpc().cidr_block("10.0.0.0/16").tag_specifications(tags.build()).send().await.expect("a VPC");
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::ApSouth1).build();
    aws.s3().create_bucket().bucket(NAME).create_bucket_configuration(place).send().await.expect("a bucket");
    aws.iam().create_role().role_name(NAME).assume_role_policy_document(TRUST).send().await.expect("a role");
    aws.ecr().create_repository().repository_name(NAME).send().await.expect("a repository");
}

pub(crate) async fn assert_untouched(aws: &Clients) {
    let theirs = Filter::builder().name("tag:owner").values("somebody-else").build();
    let vpcs = aws.ec2().describe_vpcs().filters(theirs).send().await.expect("VPCs");
    let [vpc] = vpcs.vpcs() else { panic!("their VPC is gone: {vpcs:?}") };
    assert_eq!(vpc.tags().len(), 3, "nobody has tagged it: {vpc:?}");
    aws.s3().head_bucket().bucket(NAME).send().await.expect("their bucket");
    let role = aws.iam().get_role().role_name(NAME).send().await.expect("their role");
    assert!(role.role().expect("a role").tags().is_empty());
    let repositories = aws.ecr().describe_repositories().repository_names(NAME).send().await.expect("their repository");
    assert_eq!(repositories.repositories().len(), 1);
}
