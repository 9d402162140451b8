//! The launch template and its versions.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types as ec2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use skydeck_core::layer::cluster::{Launch, Template};
use skydeck_core::scope::Tags;

use crate::error::{Error, Explain, Result, not_yet, tolerate};
use crate::tag::{from_ec2, to_ec2};

/// The newest version, whatever its number.
const LATEST: &str = "$Latest";

/// The root volume of Amazon Linux 2023, of its image for ECS too, which the instances run
/// (<https://docs.aws.amazon.com/linux/al2023/ug/ec2.html>).
const ROOT: &str = "/dev/xvda";

/// The launch template of this name, if there is one.
pub(super) async fn find(client: &Client, name: &str) -> Result<Option<Template>> {
    // By filter: asking by name is an error where there is none.
    let filter = ec2::Filter::builder().name("launch-template-name").values(name).build();
    let answer =
        client.describe_launch_templates().filters(filter).send().await.during("find launch template", name)?;
    let Some(found) = answer.launch_templates().first() else { return Ok(None) };
    let id = found.launch_template_id().unwrap_or_default();
    let request = client.describe_launch_template_versions().launch_template_id(id).versions(LATEST);
    let answer = request.send().await.during("describe launch template", name)?;
    let version = answer.launch_template_versions().first();
    let Some((version, data)) = version.and_then(|version| Some((version, version.launch_template_data()?))) else {
        return Err(Error::Broken(format!("AWS gives launch template {name} without a version")));
    };
    Ok(Some(Template {
        id: id.into(),
        latest: version.version_number().unwrap_or_default(),
        default: found.default_version_number().unwrap_or_default(),
        settings: read(data),
        tags: from_ec2(found.tags()),
    }))
}

fn read(data: &ec2::ResponseLaunchTemplateData) -> Launch {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let user_data = data.user_data().and_then(|encoded| BASE64.decode(encoded).ok());
    let metadata = data.metadata_options();
    let root = data.block_device_mappings().iter().find(|mapping| mapping.device_name() == Some(ROOT));
    let tags = |kind: &ec2::ResourceType| {
        let found = data.tag_specifications().iter().find(|found| found.resource_type() == Some(kind));
        found.map(|found| from_ec2(found.tags())).unwrap_or_default()
    };
    Launch {
        ami: text(data.image_id()),
        instance_type: text(data.instance_type().map(|kind| kind.as_str())),
        profile: text(data.iam_instance_profile().and_then(|profile| profile.arn())),
        groups: data.security_group_ids().iter().cloned().collect(),
        user_data: String::from_utf8_lossy(&user_data.unwrap_or_default()).into_owned(),
        http_tokens: text(metadata.and_then(|found| found.http_tokens()).map(|tokens| tokens.as_str())),
        hop_limit: metadata.and_then(|found| found.http_put_response_hop_limit()).unwrap_or_default(),
        encrypted: root.and_then(|root| root.ebs()?.encrypted()).unwrap_or_default(),
        instance_tags: tags(&ec2::ResourceType::Instance),
        volume_tags: tags(&ec2::ResourceType::Volume),
    }
}

fn request(settings: &Launch) -> ec2::RequestLaunchTemplateData {
    let tagged = |kind: ec2::ResourceType, tags: &Tags| {
        ec2::LaunchTemplateTagSpecificationRequest::builder().resource_type(kind).set_tags(Some(to_ec2(tags))).build()
    };
    let profile = ec2::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().arn(&settings.profile).build();
    let metadata = ec2::LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(settings.http_tokens.as_str().into())
        .http_put_response_hop_limit(settings.hop_limit)
        .build();
    // Its size is the image's. The key is the account's own for EBS, by which Auto Scaling may launch without a grant.
    let volume = ec2::LaunchTemplateEbsBlockDeviceRequest::builder().encrypted(settings.encrypted).build();
    let root = ec2::LaunchTemplateBlockDeviceMappingRequest::builder().device_name(ROOT).ebs(volume).build();
    ec2::RequestLaunchTemplateData::builder()
        .image_id(&settings.ami)
        .instance_type(settings.instance_type.as_str().into())
        .iam_instance_profile(profile)
        .set_security_group_ids(Some(settings.groups.iter().cloned().collect()))
        .user_data(BASE64.encode(&settings.user_data))
        .metadata_options(metadata)
        .block_device_mappings(root)
        .tag_specifications(tagged(ec2::ResourceType::Instance, &settings.instance_tags))
        .tag_specifications(tagged(ec2::ResourceType::Volume, &settings.volume_tags))
        .build()
}

/// Makes the template. Without a client token: the name guards, and a token that is always the same would, for as long
/// as EC2 remembers it, answer with a template that was deleted meanwhile.
pub(super) async fn create(client: &Client, name: &str, settings: &Launch, tags: &Tags) -> Result<String> {
    let tagged = ec2::TagSpecification::builder().resource_type(ec2::ResourceType::LaunchTemplate);
    let call = client
        .create_launch_template()
        .launch_template_name(name)
        .launch_template_data(request(settings))
        .tag_specifications(tagged.set_tags(Some(to_ec2(tags))).build());
    // A retry after a lost answer finds the name in use; the next attempt observes whose it is, and its id.
    let answer = not_yet(call.send().await.during("create launch template", name), |error| {
        error.code() == Some("InvalidLaunchTemplateName.AlreadyExistsException")
    })?;
    let id = answer.launch_template().and_then(|found| found.launch_template_id());
    id.map(Into::into).ok_or_else(|| Error::Broken(format!("AWS made launch template {name} and gave no id for it")))
}

/// Makes a version. Versions have no name that would guard them, so a token does: the same for the same settings on
/// top of the same version.
pub(super) async fn create_version(
    client: &Client,
    id: &str,
    name: &str,
    after: i64,
    settings: &Launch,
) -> Result<String> {
    let text = serde_json::to_string(&(id, after, settings)).unwrap_or_default();
    let call = client
        .create_launch_template_version()
        .launch_template_id(id)
        .client_token(hex::encode(Sha256::digest(text.as_bytes())))
        .launch_template_data(request(settings));
    let answer = call.send().await.during("create a version of launch template", name)?;
    let number = answer.launch_template_version().and_then(|version| version.version_number());
    number.map(|number| number.to_string()).ok_or_else(|| Error::Broken(format!("a version of {name} has no number")))
}

pub(super) async fn set_default(client: &Client, id: &str, name: &str, version: &str) -> Result<()> {
    let request = client.modify_launch_template().launch_template_id(id).default_version(version);
    request.send().await.during("set the default version of launch template", name).map(drop)
}

pub(super) async fn tag(client: &Client, id: &str, name: &str, new: &Tags) -> Result<()> {
    let request = client.create_tags().resources(id).set_tags(Some(to_ec2(new)));
    request.send().await.during("tag launch template", name).map(drop)
}

pub(super) async fn delete(client: &Client, id: &str, name: &str) -> Result<()> {
    let result = client.delete_launch_template().launch_template_id(id).send().await;
    // Gone already: a retry after a lost answer, or a person who was faster.
    let gone = ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.NotFoundException"];
    tolerate(result.during("delete launch template", name), &gone).map(drop)
}
