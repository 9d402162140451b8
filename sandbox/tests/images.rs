//! Images as a push makes them, and how tasks of them fare.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_ecs::types::HealthCheck;
use common::stack::{Spec, Stack, forward, uri};
use skydeck_sandbox::Image;

#[tokio::test]
async fn images_that_do_not_start_say_why() {
    let stack = Stack::new(1, 1, false).await;
    for (number, (image, reason, exit)) in [
        (Some(Image::new("a").behaving("crash")), "Essential container in task exited", Some(1)),
        (Some(Image::new("b").behaving("too-big")), "Essential container in task exited", Some(137)),
        (Some(Image::new("c").built_for(&["amd64"]).plain()), "Essential container in task exited", Some(255)),
        (Some(Image::new("e").behaving("other-processor")), "Essential container in task exited", Some(255)),
        (Some(Image::new("d").behaving("amd64")), "no matching manifest for linux/arm64/v8", None),
        (None, "CannotPullContainerError: pull image manifest has been retried 1 time(s)", None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = ["s0", "s1", "s2", "s3", "s4", "s5"][number];
        let spec = Spec { name, ..Spec::payment() };
        stack.repository(&spec).await;
        match &image {
            Some(image) => drop(stack.release(&spec, "v1", image).await),
            None => stack.define(&spec, &format!("{}:none", uri(&spec))).await,
        }
        stack.serve(&spec, 1).await;
        let task = stack.stopped(&spec).await;
        assert!(task.stopped_reason().unwrap().contains(reason), "{task:?}");
        assert_eq!(task.containers()[0].exit_code(), exit, "{task:?}");
        let code = if exit.is_some() { "EssentialContainerExited" } else { "TaskFailedToStart" };
        assert_eq!(task.stop_code().unwrap().as_str(), code);
        stack.ecs.update_service().cluster("c").service(name).desired_count(0).send().await.unwrap();
    }
}

#[tokio::test]
async fn images_that_serve_badly_are_found_out() {
    let mut stack = Stack::new(2, 2, false).await;
    for (number, (how, reason, word)) in [
        ("error", "Target.ResponseCodeMismatch", "[500]"),
        ("slow:6", "Target.Timeout", "timed out"),
        ("hang", "Target.Timeout", "timed out"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = ["s0", "s1", "s2"][number];
        let spec = Spec { name, cpu: 10, memory: 50, ..Spec::payment() };
        let group = stack.target_group(&spec).await;
        let (_, dns) = stack.balancer(name, false, forward(&group)).await;
        stack.repository(&spec).await;
        stack.release(&spec, "v1", &Image::new(name).behaving(how).having("sh wget")).await;
        stack.serve(&spec, 1).await;
        common::until("being found out", || async {
            let health = stack.elb.describe_target_health().target_group_arn(&group).send().await.unwrap();
            let targets = health.target_health_descriptions();
            targets.iter().filter_map(|target| target.target_health()).any(|health| {
                health.reason().is_some_and(|code| code.as_str() == reason)
                    && health.description().unwrap_or_default().contains(word)
            })
        })
        .await;
        let task = stack.stopped(&spec).await;
        let text = format!("Task failed ELB health checks in (target-group {group})");
        assert_eq!(task.stopped_reason(), Some(text.as_str()));
        stack.ecs.update_service().cluster("c").service(name).desired_count(0).send().await.unwrap();
        common::until("emptying", || async {
            let health = stack.elb.describe_target_health().target_group_arn(&group).send().await.unwrap();
            health.target_health_descriptions().is_empty()
        })
        .await;
        assert_eq!(stack.ask(false, "GET", &format!("http://{dns}/")).await.unwrap().0, 503);
    }
}

/// Only who asks through the load balancer finds these out: their health checks are answered.
#[tokio::test]
async fn images_that_pass_their_health_checks_and_do_not_last() {
    let mut stack = Stack::new(2, 2, false).await;
    let mut names = Vec::new();
    for (name, how) in [("s0", "wrong-path"), ("s1", "crash-later")] {
        let spec = Spec { name, cpu: 10, memory: 50, ..Spec::movie() };
        let group = stack.target_group(&spec).await;
        names.push(stack.balancer(name, false, forward(&group)).await.1);
        stack.repository(&spec).await;
        let digest =
            stack.sandbox.push(name, "v1", &Image::new(name).behaving(how).having("sh wget")).await.unwrap().digest;
        let command = "wget -qO- http://localhost:4567/mshealth || exit 1";
        let check = HealthCheck::builder().command("CMD-SHELL").command(command).interval(30).build().unwrap();
        let image = format!("{}@{digest}", uri(&spec));
        stack.define_with(&spec, &image, |container| container.health_check(check)).await;
        stack.serve(&spec, 1).await;
        common::until(how, || async {
            stack
                .service(&spec)
                .await
                .events()
                .iter()
                .any(|event| event.message().unwrap().ends_with("has reached a steady state."))
        })
        .await;
        if how == "wrong-path" {
            let asked = stack.ask(false, "GET", &format!("http://{}/mshealth", names[0])).await;
            assert_eq!((asked.unwrap().0, stack.healthy(&spec).await), (404, 1));
            continue;
        }
        let task = stack.stopped(&spec).await;
        assert_eq!(
            (task.stopped_reason(), task.containers()[0].exit_code()),
            (Some("Essential container in task exited"), Some(1))
        );
    }
}

#[tokio::test]
async fn a_pushed_image_stands_in_ecr_as_buildx_makes_it() {
    let stack = Stack::new(0, 1, false).await;
    let spec = Spec::movie();
    stack.repository(&spec).await;
    let image = Image::new("1").built_for(&["arm64", "amd64"]);
    let pushed = stack.sandbox.admin().push(spec.name, "v1.2.3", &image).await.unwrap();
    assert_eq!(pushed.children.len(), 4);
    let ecr = aws_sdk_ecr::Client::new(&stack.config);
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("v1.2.3").build();
    let found = ecr.batch_get_image().repository_name(spec.name).image_ids(id).send().await.unwrap();
    let index = &found.images()[0];
    assert_eq!(index.image_id().unwrap().image_digest(), Some(pushed.digest.as_str()));
    assert_eq!(index.image_manifest_media_type(), Some("application/vnd.oci.image.index.v1+json"));
    let manifest: serde_json::Value = serde_json::from_str(index.image_manifest().unwrap()).unwrap();
    let platform = |n: usize| manifest["manifests"][n]["platform"]["architecture"].clone();
    assert_eq!([platform(0), platform(1), platform(2)], ["arm64", "amd64", "unknown"]);
    let described = ecr.describe_images().repository_name(spec.name).send().await.unwrap();
    assert_eq!(described.image_details().len(), 5);
    let mut pages = ecr.describe_images().repository_name(spec.name).max_results(2).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().image_details().len());
    }
    assert_eq!(sizes, [2, 2, 1]);
    let missing = stack.sandbox.push("nowhere", "v1", &image).await.unwrap_err();
    assert!(missing.to_string().contains("nowhere"), "{missing}");
    let plain = stack.sandbox.push(spec.name, "v2", &Image::new("1").plain()).await.unwrap();
    assert!(plain.children.is_empty());
}

// fidelity: F-IMAGE-22
#[tokio::test]
async fn a_layer_is_uploaded_in_parts_and_is_what_its_digest_says() {
    let stack = Stack::new(0, 1, false).await;
    let spec = Spec::movie();
    stack.repository(&spec).await;
    let ecr = aws_sdk_ecr::Client::new(&stack.config);
    let begin = async || {
        let begun = ecr.initiate_layer_upload().repository_name(spec.name).send().await.unwrap();
        begun.upload_id.unwrap()
    };
    let part = async |upload: &str, first: usize, text: &str| {
        let request = ecr.upload_layer_part().repository_name(spec.name).upload_id(upload);
        let last = i64::try_from(first + text.len() - 1).unwrap();
        let request = request.part_first_byte(i64::try_from(first).unwrap()).part_last_byte(last);
        let sent = request.layer_part_blob(aws_sdk_ecr::primitives::Blob::new(text)).send().await;
        sent.map(|answer| answer.last_byte_received())
            .map_err(|error| error.into_service_error().meta().code().map(str::to_owned))
    };
    let complete = async |upload: &str, digest: &str| {
        let request = ecr.complete_layer_upload().repository_name(spec.name).upload_id(upload).layer_digests(digest);
        request.send().await.map(drop).map_err(|error| error.into_service_error().meta().code().map(str::to_owned))
    };
    let refused = |code: &str| Some(code.to_owned());
    let digest = skydeck_core::oci::digest(b"a layer");
    let upload = begin().await;
    assert_eq!(complete(&upload, &digest).await, Err(refused("EmptyUploadException")));
    assert_eq!(part(&upload, 0, "a ").await, Ok(Some(1)));
    assert_eq!(part(&upload, 3, "ayer").await, Err(refused("InvalidLayerPartException")));
    assert_eq!(complete(&upload, &digest).await, Err(refused("InvalidLayerException")));
    assert_eq!(part(&upload, 2, "layer").await, Ok(Some(6)));
    assert_eq!(complete(&upload, &digest).await, Ok(()));
    assert_eq!(part(&upload, 7, "more").await, Err(refused("UploadNotFoundException")));
    let again = begin().await;
    assert_eq!(part(&again, 0, "a layer").await, Ok(Some(6)));
    assert_eq!(complete(&again, &digest).await, Err(refused("LayerAlreadyExistsException")));
    let lent = ecr.get_download_url_for_layer().repository_name(spec.name).layer_digest(&digest).send().await.unwrap();
    assert!(lent.download_url().is_some_and(|url| url.contains(&digest)), "{lent:#?}");
}
