//! What an installation keeps has a bound: objects of its bucket, versions of its functions, logs; and so has what its functions hand
//! on to each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skydeck_aws::home::Home;
use skydeck_core::preview::plan_key;
use skydeck_core::run::{outputs_key, spec_key};
use skydeck_sandbox::{ACCOUNT, Image};
use skydeck_tests::Rig;
use skydeck_tests::rollouts::Stage;

const FUNCTION: &str = "skydeck-network";

async fn versions(rig: &Rig) -> Vec<u64> {
    let listed = rig.aws.lambda().list_versions_by_function().function_name(FUNCTION).send().await.unwrap();
    let mut numbers: Vec<u64> =
        listed.versions().iter().filter_map(|version| version.version()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn reports_pass_and_records_stay_and_of_old_versions_two() {
    let rig = Rig::installed().await;
    let bucket = format!("skydeck-{ACCOUNT}-ap-south-1");
    let rules = rig.aws.s3().get_bucket_lifecycle_configuration().bucket(&bucket).send().await.unwrap().rules.unwrap();
    let by_tag: Vec<_> = rules.iter().filter_map(|rule| rule.filter()?.tag()).map(|tag| tag.key()).collect();
    assert_eq!(by_tag, ["skydeck:passing"]);
    let days = rules.iter().filter_map(|rule| rule.noncurrent_version_expiration()?.noncurrent_days());
    assert_eq!(days.collect::<Vec<_>>(), [90]);
    assert!(rules.iter().any(|rule| rule.abort_incomplete_multipart_upload().is_some()));
    // No rule lets an object go by its name: what stands under one name may be needed for ever.
    let by_name = rules.iter().filter(|rule| rule.expiration().is_some_and(|it| it.days().is_some()));
    assert!(by_name.into_iter().all(|rule| rule.filter().is_some_and(|filter| filter.tag().is_some())), "{rules:#?}");

    let home = Home::new(rig.aws.s3(), &bucket);
    for (key, passes) in [
        ("platforms/p-e/runs/x/network.json".to_owned(), true),
        (plan_key("p-e", "1"), true),
        (spec_key("p-e"), false),
        (outputs_key("p-e"), false),
    ] {
        home.write_json(&key, &1).await.unwrap();
        let tags = rig.aws.s3().get_object_tagging().bucket(&bucket).key(&key).send().await.unwrap();
        let found = tags.tag_set().iter().any(|tag| tag.key() == "skydeck:passing" && tag.value() == "true");
        assert_eq!(found, passes, "{key}: {tags:?}");
    }

    // A team that ships new code again and again, and then installs once more.
    let lambda = rig.aws.lambda();
    for memory in [300, 301, 302, 303, 304] {
        lambda.update_function_configuration().function_name(FUNCTION).memory_size(memory).send().await.unwrap();
        lambda.publish_version().function_name(FUNCTION).send().await.unwrap();
    }
    let before = versions(&rig).await;
    let last = before.last().unwrap().to_string();
    lambda.update_alias().function_name(FUNCTION).name("live").function_version(last).send().await.unwrap();
    assert_eq!(before.len(), 6, "{before:?}");
    rig.install().await;
    let after = versions(&rig).await;
    assert_eq!((after.len(), after.last() > before.last()), (3, true), "{before:?} became {after:?}");

    // The same where nothing is left to be installed.
    let mut last = String::new();
    for memory in [305, 306, 512] {
        lambda.update_function_configuration().function_name(FUNCTION).memory_size(memory).send().await.unwrap();
        last = lambda.publish_version().function_name(FUNCTION).send().await.unwrap().version.unwrap();
    }
    lambda.update_alias().function_name(FUNCTION).name("live").function_version(&last).send().await.unwrap();
    rig.install().await;
    let after = versions(&rig).await;
    assert_eq!((after.len(), after.last().map(u64::to_string)), (3, Some(last)), "{after:?}");

    let groups = rig.aws.logs().describe_log_groups().send().await.unwrap();
    let groups = groups.log_groups();
    assert!(groups.len() >= 19, "{groups:#?}");
    assert!(groups.iter().all(|group| group.retention_in_days().is_some()), "{groups:#?}");
}

/// How many services, and how many bytes of environment each has: in all more than the 256 KiB that Step Functions hands on.
const SERVICES: usize = 26;
const ENVIRONMENT: usize = 12 * 1024;

/// A platform whose services have much to be told.
fn talkative() -> String {
    let mut text = "[platform]\nname = \"talk\"\nenvironment = \"dev\"\nregion = \"ap-south-1\"\n\
                    [cluster.instances]\ntype = \"t4g.small\"\nmin = 1\ndesired = 2\nmax = 4\n\
                    [load-balancers.public]\nscheme = \"internet-facing\"\n"
        .to_owned();
    let (much, first) = ("x".repeat(ENVIRONMENT), 3000);
    for number in 0..SERVICES {
        text += &format!(
            "[services.s{number}]\nport = {}\npath = \"/s{number}*\"\npriority = {}\ncpu = 64\nmemory = 64\ndesired = 1\n\
             health = {{ path = \"/health\" }}\n[services.s{number}.environment]\nMUCH = \"{much}\"\n",
            first + number,
            number + 1
        );
    }
    text
}

// fidelity: F-SFN-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_larger_than_a_payload_is_applied_and_rolled_out() {
    let rig = Rig::installed().await;
    let file = rig.sandbox.dir().join("talk.toml");
    std::fs::write(&file, talkative()).unwrap();
    let file = file.display().to_string();
    let applied = rig.skydeck(["apply", &file, "--json"]).await.succeeded().json();
    assert_eq!(applied["conclusion"]["outputs"]["services"].as_object().map(serde_json::Map::len), Some(SERVICES));
    let outputs = rig.skydeck(["outputs", "--json"]).await.succeeded().json();
    assert_eq!(outputs["environments"]["s7"]["MUCH"].as_str().map(str::len), Some(ENVIRONMENT));

    let stage = Stage { rig };
    let pushed = stage.rig.sandbox.push("talk-dev-s7", "v1", &Image::new("1")).await.unwrap();
    let ended = stage.ended(&pushed.digest).await;
    assert_eq!(ended.output["verdict"], "succeeded", "{ended:#?}");
}
