//! Parameters: our own and those that a person gives.

use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};
use skydeck_aws::client::Clients;
use skydeck_aws::layer::secrets::Secrets;
use skydeck_core::Scope;
use skydeck_core::run::Mode;

use super::harness::{Emulator, apply, destroy, emulators, refusal, repair, run};

#[tokio::test]
async fn only_our_own_parameter_is_written_and_removed() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let mut scope = emulator.scope("words").await;
        let (jwt, bucket) = ("/words-backend/jwt-secret", "/words-backend/s3-bucket");
        put(clients, jwt, "hush", ParameterType::SecureString).await;
        put(clients, "/words-backend/foreign", "theirs", ParameterType::String).await;

        let attempt = apply::<Secrets>(&emulator, &mut scope).await;
        let facts = attempt.facts.secrets.expect("facts");
        assert_eq!(facts.parameter_arns["s3-bucket"], scope.arn("ssm", &format!("parameter{bucket}")));
        assert_eq!(facts.missing.len(), 3, "{facts:?}");
        assert_eq!(attempt.report.notes.len(), 3);
        assert!(attempt.report.notes[0].contains("skydeck secret set /words-backend/database-url"));
        let found = read(clients, bucket).await.expect("our parameter");
        assert_eq!(found, ("words-devprod-profile-images".into(), ParameterType::SecureString));
        assert_eq!(tag(clients, bucket, "skydeck:resource").await.as_deref(), Some("parameter/s3-bucket"));
        assert_eq!(tag(clients, jwt, "skydeck:platform").await, None);
        withheld(&emulator, &scope, jwt).await;

        let request = clients.ssm().put_parameter().name(bucket).value("other").overwrite(true);
        request.r#type(ParameterType::SecureString).send().await.expect("drift");
        repair::<Secrets>(&emulator, &scope, "value").await;
        let request = clients.ssm().remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
        request.resource_id(bucket).tag_keys("Team").send().await.expect("drift");
        repair::<Secrets>(&emulator, &scope, "tags.Team").await;

        destroy::<Secrets>(&emulator, &scope).await;
        assert_eq!(read(clients, bucket).await, None);
        assert!(read(clients, "/words-backend/foreign").await.is_some());
        assert_eq!(read(clients, jwt).await, Some(("hush".into(), ParameterType::SecureString)));
    }
}

/// A person's parameter is in the way until it has the installation's tag, and a plan says so.
async fn withheld(emulator: &Emulator, scope: &Scope, name: &str) {
    let lacks = format!("SSM parameter {name} lacks the tag skydeck:installation={}", scope.platform.region);
    let warned = async || run::<Secrets>(emulator, scope, Mode::Plan).await.warnings;
    let told = warned().await;
    assert!(told.len() == 1 && told[0].starts_with(&lacks), "{told:?}");
    let tag = Tag::builder().key("skydeck:installation").value(&scope.platform.region).build().expect("a tag");
    let request = emulator.clients.ssm().add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
    request.resource_id(name).tags(tag).send().await.expect("a person's tag");
    assert_eq!(warned().await, [""; 0]);
}

async fn put(clients: &Clients, name: &str, value: &str, kind: ParameterType) {
    clients.ssm().put_parameter().name(name).value(value).r#type(kind).send().await.expect("a person's parameter");
}

async fn read(clients: &Clients, name: &str) -> Option<(String, ParameterType)> {
    let answer = clients.ssm().get_parameters().names(name).with_decryption(true).send().await.expect("parameters");
    let found = answer.parameters().first()?;
    Some((found.value()?.to_owned(), found.r#type()?.clone()))
}

async fn tag(clients: &Clients, name: &str, key: &str) -> Option<String> {
    let request = clients.ssm().list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
    let answer = request.resource_id(name).send().await.expect("tags");
    answer.tag_list().iter().find(|tag| tag.key() == key).map(|tag| tag.value().to_owned())
}

#[tokio::test]
async fn a_parameter_in_clear_text_and_one_with_another_value_are_refused() {
    for emulator in emulators().await {
        let clients = &emulator.clients;
        let scope = emulator.scope("open").await;
        put(clients, "/open-backend/jwt-secret", "hush", ParameterType::String).await;
        let (kind, text) = refusal::<Secrets>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(kind, "Refused");
        assert!(text.contains("/open-backend/jwt-secret (String)") && !text.contains("hush"), "{text}");
        clients.ssm().delete_parameter().name("/open-backend/jwt-secret").send().await.expect("a deletion");

        put(clients, "/open-backend/s3-bucket", "hush", ParameterType::SecureString).await;
        let (kind, text) = refusal::<Secrets>(&emulator, &scope, Mode::Apply).await;
        assert_eq!(kind, "Taken");
        assert!(text.contains("/open-backend/s3-bucket") && !text.contains("hush"), "{text}");
        clients.ssm().delete_parameter().name("/open-backend/s3-bucket").send().await.expect("a deletion");
        run::<Secrets>(&emulator, &scope, Mode::Apply).await;
        destroy::<Secrets>(&emulator, &scope).await;
    }
}
