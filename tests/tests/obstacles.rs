//! What of the platform's own keeps a run from its end: it is told, with what a person can do, before anything is touched.

use aws_sdk_autoscaling::types::Tag as GroupTag;
use aws_sdk_ec2::types::Tag as Ec2Tag;
use aws_sdk_ecs::types::Tag as EcsTag;
use aws_sdk_elasticloadbalancingv2::types::Tag as ElbTag;
use skydeck_aws::Clients;
use skydeck_sandbox::{Fault, FaultKind, Image};
use skydeck_tests::rollouts::Stage;

const TAG: &str = "skydeck:installation";
const PLATFORM: &str = "skyfox-devprod";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_lost_its_tag_is_named_before_anything_is_touched_with_the_command_that_gives_it_back() {
    let (stage, file) = stage_with_contents().await;
    let aws = &stage.rig.aws;
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    assert_eq!(stage.ended(&first.digest).await.output["verdict"], "succeeded");

    let fenced = Box::pin(strip_fenced(aws)).await;
    let planned = stage.rig.skydeck(["plan", &file]).await;
    names_each(&planned.stdout, &fenced);

    let second = stage.push("movie", "v2", &Image::new("2")).await;
    let ended = stage.ended(&second.digest).await;
    assert_eq!(ended.error.as_deref(), Some("Refused"), "{ended:#?}");
    let cause = ended.cause.unwrap_or_default();
    assert!(cause.contains("was not released") && cause.contains("aws ecs tag-resource"), "{cause}");

    let before = stage.rig.sandbox.last_call();
    let applied = stage.rig.skydeck(["apply", &file]).await;
    assert_eq!(applied.code, Some(1), "{applied:#?}");
    names_each(&applied.stdout, &fenced);

    // What an apply may tag again keeps a destroy, which does not.
    let more = strip_the_rest(aws).await;
    let destroyed = stage.rig.skydeck(["destroy", PLATFORM, "--yes"]).await;
    assert_eq!(destroyed.code, Some(1), "{destroyed:#?}");
    let told = &destroyed.stdout;
    names_each(told, &fenced);
    names_each(told, &more);
    assert!(told.contains(&format!("ECR repository {PLATFORM}-movie-service holds images")), "{told}");
    assert!(told.contains(&format!("S3 bucket {} holds objects", bucket(aws).await)), "{told}");
    let writes = stage.rig.writes_since(before);
    assert!(writes.iter().all(|call| call.caller == "test"), "nothing was touched: {writes:#?}");

    for line in told.lines() {
        if let Some((_, command)) = line.split_once("Give it back: ") {
            Box::pin(carry_out(aws, command)).await;
        }
    }
    stage.rig.skydeck(["apply", &file]).await.succeeded();
    stage.sweep().await;
    let last = stage.endings(&second.digest, 2).await;
    assert!(last.iter().any(|ended| ended.output["verdict"] == "succeeded"), "{last:#?}");
    let destroyed = stage.rig.skydeck(["destroy", PLATFORM, "--yes"]).await;
    let told = &destroyed.stdout;
    assert!(!told.contains(TAG), "only what they hold is left: {told}");
    assert!(told.contains("holds images") && told.contains("holds objects"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_denied_leaves_nothing_to_take_back() {
    let stage = Stage::standing().await;
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    assert_eq!(stage.ended(&first.digest).await.output["verdict"], "succeeded");

    stage.rig.sandbox.inject(Fault::next("ecs", "UpdateService", FaultKind::Deny).from(1, 0));
    let before = stage.rig.sandbox.last_call();
    let second = stage.push("movie", "v2", &Image::new("2")).await;
    let ended = stage.ended(&second.digest).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:#?}");
    let cause = ended.cause.unwrap_or_default();
    assert!(cause.contains("could not be released") && cause.contains("AccessDenied"), "{cause}");
    assert!(cause.contains("the service was not touched"), "{cause}");
    let calls = stage.rig.sandbox.calls_since(before);
    let again = calls.iter().filter(|call| call.caller == "rollback" && call.action == "UpdateService").count();
    assert_eq!(again, 0, "the same call would be denied again");
    assert_eq!(stage.serving("movie").await.as_deref(), Some(first.digest.as_str()));

    stage.rig.sandbox.clear_faults();
    stage.sweep().await;
    let ended = stage.endings(&second.digest, 2).await;
    assert!(ended.iter().any(|ended| ended.output["verdict"] == "succeeded"), "the image is not at fault: {ended:#?}");
}

/// What the seed's own `aws ssm put-parameter` makes has no tag, and no service's role reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_a_person_made_without_the_tag_is_named_before_anything_is_touched() {
    let stage = Stage::ready().await;
    let (rig, aws) = (&stage.rig, &stage.rig.aws);
    let (jwt, key) = ("/skyfox-backend/jwt-secret", "/skyfox-backend/movie-service-api-key");
    let told_of = |said: &str, name: &str| {
        let told =
            format!("SSM parameter {name} lacks the tag {TAG}=ap-south-1, without which no service may read it.");
        let command = said.split_once(&told)?.1.split_once("the tag alone: ")?.1;
        Some(command.split_once(" --region ap-south-1")?.0.to_owned())
    };
    take_off(aws, jwt).await;
    let before = rig.sandbox.last_call();
    let applied = rig.skydeck(["apply", "platforms/skyfox.toml"]).await;
    assert_eq!(applied.code, Some(1), "{applied:#?}");
    let command = told_of(&applied.stdout, jwt).expect(&applied.stdout);
    let writes = rig.writes_since(before);
    assert!(writes.is_empty(), "nothing was touched: {writes:#?}");
    Box::pin(carry_out(aws, &command)).await;
    rig.skydeck(["apply", "platforms/skyfox.toml"]).await.succeeded();
    let first = stage.push("movie", "v1", &Image::new("1")).await;
    assert_eq!(stage.ended(&first.digest).await.output["verdict"], "succeeded");

    // Somebody deletes it and makes it anew, or takes the tag off.
    take_off(aws, key).await;
    let planned = rig.skydeck(["plan"]).await;
    assert!(told_of(&planned.stdout, key).is_some(), "{planned:#?}");
    let second = stage.push("movie", "v2", &Image::new("2")).await;
    let ended = stage.ended(&second.digest).await;
    assert_eq!(ended.error.as_deref(), Some("Refused"), "{ended:#?}");
    let command = ended.cause.as_deref().and_then(|cause| told_of(cause, key)).expect("it is named");
    stage.quiet().await;
    stage.sweep().await;
    stage.quiet().await;
    let told = stage.told();
    let refusals = told.iter().filter(|event| event["detail"]["digest"] == second.digest.as_str()).count();
    assert_eq!(refusals, 1, "the sweep does not tell it again: {told:#?}");
    Box::pin(carry_out(aws, &command)).await;
    stage.sweep().await;
    let last = stage.endings(&second.digest, 2).await;
    assert!(last.iter().any(|ended| ended.output["verdict"] == "succeeded"), "{last:#?}");
}

async fn take_off(aws: &Clients, parameter: &str) {
    let request = aws.ssm().remove_tags_from_resource().resource_type("Parameter".into());
    request.resource_id(parameter).tag_keys(TAG).send().await.expect("without it");
}

/// SkyFox with a repository and a bucket whose contents nobody has given up, and an object.
async fn stage_with_contents() -> (Stage, String) {
    let stage = Stage::ready().await;
    let text = std::fs::read_to_string(skydeck_tests::root().join("platforms/skyfox.toml")).expect("the file");
    let text = text.replace("delete-with-images = true\n", "").replace("delete-with-objects = true\n", "");
    let path = stage.rig.sandbox.dir().join("kept.toml");
    std::fs::write(&path, text).expect("a file");
    let file = path.display().to_string();
    stage.rig.skydeck(["apply", &file]).await.succeeded();
    let bucket = bucket(&stage.rig.aws).await;
    let object = stage.rig.aws.s3().put_object().bucket(bucket).key("one").body(b"1".to_vec().into());
    object.send().await.expect("an object");
    (stage, file)
}

async fn bucket(aws: &Clients) -> String {
    let buckets = aws.s3().list_buckets().prefix(PLATFORM).send().await.expect("buckets");
    buckets.buckets()[0].name().expect("a name").to_owned()
}

#[track_caller]
fn names_each(told: &str, lost: &[String]) {
    for id in lost {
        assert!(told.contains(&format!("{id} has lost its tag {TAG}=ap-south-1")), "{id} is not named: {told}");
    }
}

/// Takes the tag off one of each kind that no function may tag again. Returns their ids and ARNs.
async fn strip_fenced(aws: &Clients) -> Vec<String> {
    let found = aws.ec2().describe_tags().send().await.expect("tags");
    let mut ids: Vec<String> = Vec::new();
    // The emulator takes no tag off a launch template.
    for begin in ["vpc-", "subnet-", "igw-", "rtb-", "sg-"] {
        let marked = found.tags().iter().filter(|tag| tag.key() == Some(TAG)).filter_map(|tag| tag.resource_id());
        ids.extend(marked.filter(|id| id.starts_with(begin)).take(1).map(Into::into));
    }
    assert_eq!(ids.len(), 5, "{ids:?}");
    let tag = Ec2Tag::builder().key(TAG).build();
    aws.ec2().delete_tags().set_resources(Some(ids.clone())).tags(tag).send().await.expect("without it");
    let elb = aws.elb();
    // The one that sends to two services has a rule.
    let balancer = elb.describe_load_balancers().names(format!("{PLATFORM}-internal")).send().await.expect("it");
    let balancer = balancer.load_balancers()[0].load_balancer_arn().expect("an ARN").to_owned();
    let listeners = elb.describe_listeners().load_balancer_arn(&balancer).send().await.expect("listeners");
    let listener = listeners.listeners()[0].listener_arn().expect("an ARN").to_owned();
    let rules = elb.describe_rules().listener_arn(&listener).send().await.expect("rules");
    let rule = rules.rules().iter().find(|rule| rule.is_default() != Some(true)).and_then(|rule| rule.rule_arn());
    let groups = elb.describe_target_groups().send().await.expect("target groups");
    let group = groups.target_groups()[0].target_group_arn().expect("an ARN").to_owned();
    let arns = vec![balancer, listener, rule.expect("a rule").to_owned(), group];
    elb.remove_tags().set_resource_arns(Some(arns.clone())).tag_keys(TAG).send().await.expect("without it");
    ids.extend(arns);
    for resource in [
        format!("cluster/{PLATFORM}"),
        format!("capacity-provider/{PLATFORM}-instances"),
        format!("service/{PLATFORM}/movie"),
    ] {
        let arn = format!("arn:aws:ecs:ap-south-1:{}:{resource}", skydeck_sandbox::ACCOUNT);
        aws.ecs().untag_resource().resource_arn(&arn).tag_keys(TAG).send().await.expect("without it");
        ids.push(arn);
    }
    ids
}

/// Takes it off what an apply may tag again.
async fn strip_the_rest(aws: &Clients) -> Vec<String> {
    let arn =
        |service: &str, resource: &str| format!("arn:aws:{service}:ap-south-1:{}:{resource}", skydeck_sandbox::ACCOUNT);
    let group = format!("{PLATFORM}-instances");
    let tag = GroupTag::builder().resource_id(&group).resource_type("auto-scaling-group").key(TAG).build();
    aws.autoscaling().delete_tags().tags(tag).send().await.expect("without it");
    let repository = arn("ecr", &format!("repository/{PLATFORM}-backend"));
    aws.ecr().untag_resource().resource_arn(&repository).tag_keys(TAG).send().await.expect("without it");
    let logs = arn("logs", &format!("log-group:/ecs/{PLATFORM}"));
    aws.logs().untag_resource().resource_arn(&logs).tag_keys(TAG).send().await.expect("without it");
    let probe = arn("lambda", &format!("function:skydeck-{PLATFORM}-probe"));
    aws.lambda().untag_resource().resource(&probe).tag_keys(TAG).send().await.expect("without it");
    let parameter = "/skyfox-backend/s3-bucket".to_owned();
    let request = aws.ssm().remove_tags_from_resource().resource_type("Parameter".into()).resource_id(&parameter);
    request.tag_keys(TAG).send().await.expect("without it");
    vec![group, repository, logs, probe, parameter]
}

/// Does what a command of the AWS CLI does.
async fn carry_out(aws: &Clients, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let option = |name: &str| {
        let place = words.iter().position(|word| *word == format!("--{name}"));
        words[place.unwrap_or_else(|| panic!("{command}: no --{name}")) + 1]
    };
    let value = |text: &str| {
        let named = ["Value=", "value="].iter().find_map(|key| text.split_once(key).map(|(_, value)| value));
        let value = named.or_else(|| text.rsplit_once('=').map(|(_, value)| value)).unwrap_or_default();
        assert!(text.contains(TAG), "{command}");
        value.split(',').next().unwrap_or_default().to_owned()
    };
    let value = value(option("tags"));
    match words[1..3] {
        ["ec2", "create-tags"] => {
            let tag = Ec2Tag::builder().key(TAG).value(value).build();
            aws.ec2().create_tags().resources(option("resources")).tags(tag).send().await.map(drop).expect(command);
        }
        ["elbv2", "add-tags"] => {
            let tag = ElbTag::builder().key(TAG).value(value).build();
            let request = aws.elb().add_tags().resource_arns(option("resource-arns")).tags(tag);
            request.send().await.map(drop).expect(command);
        }
        ["ecs", "tag-resource"] => {
            let tag = EcsTag::builder().key(TAG).value(value).build();
            let request = aws.ecs().tag_resource().resource_arn(option("resource-arn")).tags(tag);
            request.send().await.map(drop).expect(command);
        }
        ["autoscaling", "create-or-update-tags"] => {
            let said = option("tags").trim_start_matches("ResourceId=").split(',').next().unwrap_or_default();
            let tag = GroupTag::builder().resource_id(said).resource_type("auto-scaling-group").key(TAG).value(value);
            let tag = tag.propagate_at_launch(true).build();
            aws.autoscaling().create_or_update_tags().tags(tag).send().await.map(drop).expect(command);
        }
        ["ecr", "tag-resource"] => {
            let tag = aws_sdk_ecr::types::Tag::builder().key(TAG).value(value).build().expect("a tag");
            let request = aws.ecr().tag_resource().resource_arn(option("resource-arn")).tags(tag);
            request.send().await.map(drop).expect(command);
        }
        ["logs", "tag-resource"] => {
            let request = aws.logs().tag_resource().resource_arn(option("resource-arn")).tags(TAG, value);
            request.send().await.map(drop).expect(command);
        }
        ["lambda", "tag-resource"] => {
            let request = aws.lambda().tag_resource().resource(option("resource")).tags(TAG, value);
            request.send().await.map(drop).expect(command);
        }
        ["ssm", "add-tags-to-resource"] => {
            let tag = aws_sdk_ssm::types::Tag::builder().key(TAG).value(value).build().expect("a tag");
            let kind = option("resource-type").into();
            let request = aws.ssm().add_tags_to_resource().resource_type(kind).resource_id(option("resource-id"));
            request.tags(tag).send().await.map(drop).expect(command);
        }
        _ => panic!("an unknown command: {command}"),
    }
}
