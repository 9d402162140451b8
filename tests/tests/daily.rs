//! Who uses skydeck daily needs no administrator's rights: an operator, a pipeline and a viewer do their work with the policies that
//! `skydeck policies` prints, and nothing else.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::Stdio;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{ImageIdentifier, Tag};
use aws_sdk_ssm::types::ParameterType;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skydeck_aws::Clients;
use skydeck_sandbox::{ACCOUNT, Image};
use skydeck_tests::permissions::actions;
use skydeck_tests::{Ended, Rig, canary, role_keys};
use tokio::io::AsyncWriteExt;

const PLATFORM: &str = "skyfox-devprod";
const REPOSITORY: &str = "skyfox-devprod-movie-service";

/// Somebody with a role of the name, and the policy that is printed for it.
struct Person<'a> {
    rig: &'a Rig,
    name: &'static str,
    policy: Value,
    keys: Credentials,
    aws: Clients,
}

impl<'a> Person<'a> {
    async fn new(rig: &'a Rig, name: &'static str) -> Self {
        let words = ["policies", "--account", ACCOUNT, "--region", "ap-south-1", "--json"];
        let policy = rig.skydeck(words).await.succeeded().json()[name].clone();
        let keys = role_keys(&rig.aws, name, &policy).await;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(rig.sandbox.endpoint())
            .region(Region::new("ap-south-1"))
            .credentials_provider(keys.clone());
        Person { rig, name, policy, keys, aws: Clients::load(config, "tests").await }
    }

    /// Runs `skydeck` with these keys and no others; `typed` is what it reads.
    async fn does(&self, words: &[&str], typed: &str) -> Ended {
        let keys = self.keys.provide_credentials().await.expect("keys");
        let mut command = self.rig.command(words);
        command.env("AWS_ACCESS_KEY_ID", keys.access_key_id()).env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key());
        command.env("AWS_SESSION_TOKEN", keys.session_token().expect("a role's keys have one"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("skydeck can be started");
        let mut input = child.stdin.take().expect("a pipe");
        // A command that reads nothing may be over by now.
        drop(input.write_all(typed.as_bytes()).await);
        drop(input);
        let ended = child.wait_with_output().await.expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) }
    }

    async fn may(&self, words: &[&str]) -> Ended {
        let ended = self.does(words, "").await;
        assert_eq!(ended.code, Some(0), "{} {words:?}: {ended:#?}", self.name);
        ended
    }

    /// It is denied, and nothing has been started or written by then.
    async fn may_not(&self, words: &[&str]) {
        let before = self.rig.sandbox.last_call();
        let ended = self.does(words, "another value").await;
        // A HEAD has no body: of a bucket that may not be looked at nobody says whose it is.
        let denied = ended.stderr.contains("AccessDenied") || words[0] == "bootstrap";
        assert!(ended.code != Some(0) && denied, "{} {words:?}: {ended:#?}", self.name);
        let calls = self.rig.sandbox.calls_since(before).into_iter();
        let done: Vec<String> = calls
            .filter(|call| call.caller == "skydeck-command" && call.write && call.error.is_none())
            .map(|call| format!("{}:{}", call.service, call.action))
            .collect();
        assert_eq!(done, Vec::<String>::new(), "{} {words:?}", self.name);
    }

    /// The actions of the policy that it was not asked for, and those that it was asked for and does not have.
    fn unused(&self) -> BTreeSet<String> {
        let actions = actions(&self.policy);
        let asked = self.rig.sandbox.asked().into_iter().filter(|asked| asked.role == self.name && asked.allowed);
        let used: BTreeSet<String> = asked.map(|asked| asked.action).collect();
        assert!(used.is_subset(&actions), "{}: {used:?}", self.name);
        &actions - &used
    }
}

fn denied<T: Debug, E: Debug>(what: &str, answer: &Result<T, E>) {
    let told = format!("{answer:?}");
    assert!(answer.is_err() && told.contains("AccessDenied"), "{what}: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_a_pipeline_and_a_viewer_do_their_work_and_nothing_else() {
    // AWS keeps the interfaces of a function for some 20 minutes, and a destroy waits for them.
    let rig = Rig::installed_at(Some(60.0)).await;
    let operator = Person::new(&rig, "operator").await;
    let pipeline = Person::new(&rig, "pipeline").await;
    let viewer = Person::new(&rig, "viewer").await;
    for name in ["jwt-secret", "database-url", "movie-service-api-key", "payment-gateway-api-key"] {
        let set = operator.does(&["secret", "set", &format!("/skyfox-backend/{name}")], canary()).await;
        assert_eq!(set.code, Some(0), "{set:#?}");
    }
    given_by_hand(&rig, &operator).await;
    operator.may(&["apply", "platforms/skyfox.toml"]).await;
    pushed(&pipeline).await;
    let first = verdict(&pipeline, "v1.0.0", "healthy", 0).await;
    verdict(&pipeline, "v1.1.0", "crash", 1).await;
    watched(&viewer).await;
    operated(&operator, &first).await;
    refused_to_pipelines(&pipeline).await;
    refused_to_operators(&operator).await;
    operator.may(&["destroy", PLATFORM, "--yes"]).await;
    assert_eq!(operator.unused(), BTreeSet::new());
    // `wait` asks for it where no rollout has begun for a minute, and a viewer's for none of these: there is a verdict already.
    let late = ["ecs:DescribeTaskDefinition"];
    let never = ["ecr:BatchGetImage", "ecr:DescribeImages"];
    let rest = |unused: BTreeSet<String>, but: &[&str]| unused.into_iter().find(|action| !but.contains(&&**action));
    assert_eq!(rest(pipeline.unused(), &late), None);
    assert_eq!(rest(viewer.unused(), &[&late[..], &never].concat()), None);
}

/// A parameter that somebody made by hand gets the tag with its value, and none is made without.
async fn given_by_hand(rig: &Rig, operator: &Person<'_>) {
    let name = "/skyfox-backend/by-hand";
    let put = |aws: &Clients, overwrite: bool| {
        let request = aws.ssm().put_parameter().name(name).value(canary()).overwrite(overwrite);
        request.r#type(ParameterType::SecureString).send()
    };
    denied("a parameter without the tag", &put(&operator.aws, false).await);
    put(&rig.aws, false).await.expect("a person's parameter");
    let set = operator.does(&["secret", "set", name], canary()).await;
    assert_eq!(set.code, Some(0), "{set:#?}");
    let tags = rig.aws.ssm().list_tags_for_resource().resource_type("Parameter".into()).resource_id(name);
    let tags = tags.send().await.expect("tags").tag_list.unwrap_or_default();
    let tags: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("skydeck:installation", "ap-south-1")]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `docker push` asks of ECR, call by call.
async fn pushed(pipeline: &Person<'_>) {
    let ecr = pipeline.aws.ecr();
    ecr.get_authorization_token().send().await.expect("a login");
    let layer = b"a layer";
    let digest = format!("sha256:{}", hex(&Sha256::digest(layer)));
    let check = ecr.batch_check_layer_availability().repository_name(REPOSITORY).layer_digests(&digest);
    check.send().await.expect("what is there");
    let begun = ecr.initiate_layer_upload().repository_name(REPOSITORY).send().await.expect("an upload");
    let id = begun.upload_id().expect("its name");
    let part = ecr.upload_layer_part().repository_name(REPOSITORY).upload_id(id).part_first_byte(0);
    part.part_last_byte(6).layer_part_blob(Blob::new(layer)).send().await.expect("a part");
    let done = ecr.complete_layer_upload().repository_name(REPOSITORY).upload_id(id).layer_digests(&digest);
    done.send().await.expect("the layer");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest, "size": 7 },
        "layers": [{ "mediaType": "application/octet-stream", "digest": digest, "size": 7 }],
    });
    let put = ecr.put_image().repository_name(REPOSITORY).image_tag("no-image").image_manifest(manifest.to_string());
    put.send().await.expect("something with a tag, which is no image");
    let id = ImageIdentifier::builder().image_tag("no-image").build();
    ecr.batch_get_image().repository_name(REPOSITORY).image_ids(id).send().await.expect("it");
}

/// Pushes an image, and lets the pipeline wait for what becomes of it.
async fn verdict(pipeline: &Person<'_>, tag: &str, behaves: &str, code: i32) -> String {
    let image = Image::new(tag).behaving(behaves);
    let pushed = pipeline.rig.sandbox.push(REPOSITORY, tag, &image).await.expect("the repository is there");
    let waited = pipeline.does(&["wait", "movie", "--digest", &pushed.digest, "--timeout", "5m"], "").await;
    assert_eq!(waited.code, Some(code), "{waited:#?}");
    pushed.digest
}

async fn watched(viewer: &Person<'_>) {
    viewer.may(&["version"]).await;
    let runs = viewer.may(&["status", "--json"]).await.json();
    let run = runs[0]["name"].as_str().expect("a run");
    assert!(viewer.may(&["follow", run]).await.stdout.contains("skyfox-devprod-apply"));
    assert!(viewer.may(&["outputs"]).await.stdout.contains("vpc_id"));
    let board = viewer.may(&["rollouts", "--json"]).await.json();
    assert_eq!(board["rollouts"][0]["verdict"], "rolled_back", "{board:#}");
    let digest = board["rollouts"][1]["digest"].as_str().expect("a digest").to_owned();
    viewer.may(&["wait", "movie", "--digest", &digest]).await;
    // Not in the bucket yet, as far as it could be.
    let text = std::fs::read_to_string(skydeck_tests::root().join("platforms/skyfox.toml")).expect("the file");
    let new = viewer.rig.sandbox.dir().join("new.toml");
    std::fs::write(&new, text + "# Somebody's.\n").expect("a file");
    let new = new.display().to_string();
    for words in [
        &["plan"][..],
        &["plan", &new],
        &["apply"],
        &["destroy", PLATFORM, "--yes"],
        &["rollout", "movie"],
        &["rollback", "movie"],
        &["suspend", "movie"],
        &["secret", "set", "/skyfox-backend/jwt-secret"],
    ] {
        viewer.may_not(words).await;
    }
    let images = viewer.aws.ecr().delete_repository().repository_name(REPOSITORY).send().await;
    denied("a viewer deletes a repository", &images);
}

async fn operated(operator: &Person<'_>, first: &str) {
    operator.may(&["version"]).await;
    operator.may(&["status"]).await;
    operator.may(&["outputs"]).await;
    operator.may(&["plan"]).await;
    operator.may(&["suspend", "movie", "--reason", "opening night"]).await;
    operator.may(&["resume", "movie"]).await;
    let second = operator.rig.sandbox.push(REPOSITORY, "v1.2.0", &Image::new("3")).await.expect("it is there").digest;
    operator.may(&["wait", "movie", "--digest", &second, "--timeout", "5m"]).await;
    operator.may(&["rollback", "movie"]).await;
    operator.may(&["rollout", "movie", "--image", first]).await;
    operator.may(&["rollouts"]).await;
}

async fn refused_to_pipelines(pipeline: &Person<'_>) {
    pipeline.may(&["version"]).await;
    for words in [
        &["apply"][..],
        &["apply", "platforms/skyfox.toml"],
        &["destroy", PLATFORM, "--yes"],
        &["rollout", "movie"],
        &["suspend", "movie"],
        &["secret", "set", "/skyfox-backend/jwt-secret"],
        &["status"],
    ] {
        pipeline.may_not(words).await;
    }
    let (rig, ecr) = (pipeline.rig, pipeline.aws.ecr());
    // Of another team, under a name that skydeck's could have; once with a tag of their own.
    let tag = Tag::builder().key("skydeck:installation").value("eu-central-1").build().expect("a tag");
    for (name, tags) in [("team-payroll", None), ("team-elsewhere", Some(vec![tag]))] {
        rig.aws.ecr().create_repository().repository_name(name).set_tags(tags).send().await.expect("a repository");
        denied("another team's", &ecr.initiate_layer_upload().repository_name(name).send().await);
        let put = ecr.put_image().repository_name(name).image_tag("v1").image_manifest("{}");
        denied("another team's", &put.send().await);
    }
    denied("a layer of the images", &ecr.list_images().repository_name(REPOSITORY).send().await);
    let id = ImageIdentifier::builder().image_tag("v1.0.0").build();
    let delete = ecr.batch_delete_image().repository_name(REPOSITORY).image_ids(id);
    denied("an image is deleted", &delete.send().await);
}

async fn refused_to_operators(operator: &Person<'_>) {
    operator.may_not(&["bootstrap", "--binaries", "target/debug"]).await;
    let (aws, bucket) = (&operator.aws, format!("skydeck-{ACCOUNT}-ap-south-1"));
    let value = aws.ssm().get_parameter().name("/skyfox-backend/jwt-secret").with_decryption(true).send().await;
    denied("a value is read", &value.map(drop));
    for key in ["applied.json", "platform.toml", "lock.json", "services/movie/ledger/a.json"] {
        let key = format!("platforms/{PLATFORM}/{key}");
        denied(&key, &aws.s3().put_object().bucket(&bucket).key(&key).send().await);
    }
    let code = aws.s3().put_object().bucket(&bucket).key("functions/network.zip").send().await;
    denied("a function's code is written", &code);
    let code = aws.lambda().update_function_code().function_name("skydeck-network").s3_bucket(&bucket).s3_key("a");
    denied("a function's code is changed", &code.send().await);
    denied(
        "an instance ends",
        &aws.ec2().terminate_instances().instance_ids("i-1").send().await.map_err(|error| {
            // EC2's own word.
            format!("{error:?}").replace("UnauthorizedOperation", "AccessDenied")
        }),
    );
    let made = aws.iam().create_role().role_name("mine").assume_role_policy_document("{}").send().await;
    denied("a role is made", &made);
}
