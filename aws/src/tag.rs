//! Tags, between skydeck's map and each service's own list type.

use skydeck_core::scope::Tags;

/// For one service: tags as its calls take them, and as its answers give them. Some services' builders can fail
/// (`fallible`) and have keys that are always there; in others everything is optional.
macro_rules! service_tags {
    (optional $to:ident, $from:ident, $tag:ty) => {
        #[doc = concat!("Tags as calls of `", stringify!($tag), "`'s service take them.")]
        #[must_use]
        pub fn $to(tags: &Tags) -> Vec<$tag> {
            tags.iter().map(|(key, value)| <$tag>::builder().key(key).value(value).build()).collect()
        }

        #[doc = concat!("Tags of a list of `", stringify!($tag), "`.")]
        #[must_use]
        pub fn $from(tags: &[$tag]) -> Tags {
            let pair = |tag: &$tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
            tags.iter().filter_map(pair).collect()
        }
    };
    (required $to:ident, $from:ident, $tag:ty) => {
        #[doc = concat!("Tags as calls of `", stringify!($tag), "`'s service take them.")]
        #[must_use]
        pub fn $to(tags: &Tags) -> Vec<$tag> {
            // The builder fails only without key or value, and both are given.
            tags.iter().filter_map(|(key, value)| <$tag>::builder().key(key).value(value).build().ok()).collect()
        }

        #[doc = concat!("Tags of a list of `", stringify!($tag), "`.")]
        #[must_use]
        pub fn $from(tags: &[$tag]) -> Tags {
            tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
        }
    };
}

service_tags!(optional to_ec2, from_ec2, aws_sdk_ec2::types::Tag);
service_tags!(required to_iam, from_iam, aws_sdk_iam::types::Tag);
service_tags!(required to_ecr, from_ecr, aws_sdk_ecr::types::Tag);
service_tags!(required to_s3, from_s3, aws_sdk_s3::types::Tag);
service_tags!(required to_ssm, from_ssm, aws_sdk_ssm::types::Tag);
service_tags!(optional to_elb, from_elb, aws_sdk_elasticloadbalancingv2::types::Tag);
service_tags!(optional to_ecs, from_ecs, aws_sdk_ecs::types::Tag);
