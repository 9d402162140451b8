//! Services that run, answer and are balanced, as the real SDK clients and HTTP clients see them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{HealthCheck, HealthStatus, LoadBalancer, Secret};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime, VpcConfig};
use aws_sdk_ssm::types::ParameterType;
use common::stack::{Spec, Stack, forward, not_found, uri};
use skydeck_sandbox::Image;
use skydeck_sandbox::venv::{AWSCLI, MOTO, Venv};

/// SkyFox's three services behind their two load balancers; the DNS names of the external and the internal one.
async fn skyfox(provided: bool) -> (Stack, [Spec; 3], String, String) {
    let mut stack = Stack::new(2, 4, provided).await;
    let (mut backend, payment, movie) = (Spec::backend(), Spec::payment(), Spec::movie());
    let (internal, inside) = stack.balancer("internal", true, not_found()).await;
    for (spec, priority, pattern) in [(&payment, 100, "/payment-service*"), (&movie, 200, "/movie-service*")] {
        let group = stack.target_group(spec).await;
        stack.rule(&internal, priority, pattern, &group).await;
    }
    let group = stack.target_group(&backend).await;
    let (_, outside) = stack.balancer("external", false, forward(&group)).await;
    backend.environment = vec![
        ("MOVIE_SERVICE_URL".into(), format!("http://{inside}/movie-service")),
        ("PAYMENT_GATEWAY_URL".into(), format!("http://{inside}/payment-service")),
    ];
    let specs = [backend, payment, movie];
    for spec in &specs {
        stack.repository(spec).await;
        stack.release(spec, "v1", &Image::new("1")).await;
        stack.serve(spec, 2).await;
    }
    for spec in &specs {
        stack.stable(spec).await;
        common::until("health", || async { stack.healthy(spec).await == 2 }).await;
    }
    (stack, specs, outside, inside)
}

#[tokio::test]
async fn skyfox_answers_through_both_load_balancers() {
    let (stack, specs, outside, inside) = skyfox(true).await;
    let ask = async |within, method, url: String| stack.ask(within, method, &url).await.map(|(status, _)| status);
    let (_, health) = stack.ask(false, "GET", &format!("http://{outside}/health")).await.unwrap();
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"status\":\"healthy\""), "{health}");
    // From outside through the backend and the internal load balancer to the movies.
    let (_, movies) = stack.ask(false, "GET", &format!("http://{outside}/movies")).await.unwrap();
    assert!(movies.contains("The Fox"), "{movies}");
    assert_eq!(ask(false, "POST", format!("http://{outside}/payment")).await, Some(200));
    for (path, status) in [
        ("/payment-service/pshealth", 200),
        ("/movie-service/mshealth", 200),
        ("/movie-service/nothing", 404),
        ("/pshealth", 404),
    ] {
        assert_eq!(ask(true, "GET", format!("http://{inside}{path}")).await, Some(status), "{path}");
    }
    let (_, own) = stack.ask(true, "GET", &format!("http://{inside}/else")).await.unwrap();
    assert!(own.contains("server: awselb/2.0") && own.ends_with("Not Found"), "{own}");
    assert_eq!(ask(false, "GET", format!("http://{inside}/payment-service/pshealth")).await, None);
    assert_eq!(ask(false, "GET", format!("http://{outside}:8080/health")).await, None);
    assert_eq!(ask(true, "GET", "http://nobody.example.org/".into()).await, None);

    // A new image rolls out by its digest; requests are answered all the while.
    let digest = stack.release(&specs[0], "v2", &Image::new("2")).await;
    let begun = stack.sandbox.clock().now();
    stack.roll(&specs[0]).await;
    common::until("rolling out", || async {
        assert_eq!(ask(false, "GET", format!("http://{outside}/health")).await, Some(200));
        stack.is_stable(&specs[0]).await
    })
    .await;
    let history = stack.sandbox.target_history(&stack.groups["backend"]);
    assert_eq!(history.fewest_healthy(begun), 2, "{history:?}");
    assert!(history.changes().iter().any(|counts| counts.healthy > 2), "{history:?}");
    let listed = stack.ecs.list_tasks().cluster("c").service_name("backend").send().await.unwrap();
    let tasks = stack.ecs.describe_tasks().cluster("c").set_tasks(listed.task_arns).send().await.unwrap();
    assert_eq!(tasks.tasks().len(), 2);
    let container = &tasks.tasks()[0].containers()[0];
    assert_eq!(container.image_digest(), Some(digest.as_str()));
    assert!((32768..=60999).contains(&container.network_bindings()[0].host_port().unwrap()));
    assert!(
        stack.asg.describe_auto_scaling_groups().send().await.unwrap().auto_scaling_groups()[0].instances().len() > 2
    );
}

/// Good images, then one that never comes up: whatever the percents allow, somebody healthy answers every request.
#[tokio::test]
async fn no_request_fails_while_a_service_rolls() {
    let mut stack = Stack::new(3, 3, false).await;
    let group = stack.target_group(&Spec::movie()).await;
    let (_, dns) = stack.balancer("b", false, forward(&group)).await;
    let spec = Spec { cpu: 100, memory: 200, ..Spec::movie() };
    stack.repository(&spec).await;
    stack.release(&spec, "v1", &Image::new("1")).await;
    stack.serve(&spec, 4).await;
    stack.stable(&spec).await;
    common::until("health", || async { stack.healthy(&spec).await == 4 }).await;
    let begun = stack.sandbox.clock().now();
    let (url, rolling) = (format!("http://{dns}/mshealth"), std::cell::Cell::new(true));
    let ask = || async {
        let mut asked = 0;
        while rolling.get() {
            let (status, text) = stack.ask(false, "GET", &url).await.unwrap();
            assert_eq!(status, 200, "{text}");
            asked += 1;
        }
        asked
    };
    let roll = async {
        for (tag, how) in [("v2", "healthy"), ("v3", "slow:1"), ("v4", "crash"), ("v5", "healthy")] {
            stack.release(&spec, tag, &Image::new(tag).behaving(how)).await;
            stack.roll(&spec).await;
            if how == "crash" {
                stack.stopped(&spec).await;
                common::until("failing", || async { stack.service(&spec).await.deployments()[0].failed_tasks() >= 3 })
                    .await;
                continue;
            }
            stack.stable(&spec).await;
        }
        rolling.set(false);
    };
    let (first, second, third, ()) = tokio::join!(ask(), ask(), ask(), roll);
    assert!(first.min(second).min(third) > 0);
    // Half of four is the minimum of its percents.
    let fewest = stack.sandbox.target_history(&group).fewest_healthy(begun);
    assert!(fewest >= 2, "{fewest}");
}

#[tokio::test]
async fn the_references_numbers_stall_without_a_capacity_provider() {
    let (stack, specs, ..) = skyfox(false).await;
    stack.roll(&specs[0]).await;
    common::until("stalling", || async {
        let service = stack.service(&specs[0]).await;
        let said = |part: &str| service.events().iter().any(|event| event.message().unwrap().contains(part));
        said("(service backend) was unable to place a task because no container instance met all of its requirements.")
            && said("has insufficient memory available.")
    })
    .await;
    let service = stack.service(&specs[0]).await;
    assert_eq!((service.deployments().len(), service.running_count()), (2, 2));
    assert_eq!(service.deployments()[0].running_count(), 0);
}

#[tokio::test]
async fn a_lost_instance_is_replaced_and_its_tasks_too() {
    let (stack, specs, outside, _) = skyfox(true).await;
    let groups = stack.asg.describe_auto_scaling_groups().send().await.unwrap();
    let lost = groups.auto_scaling_groups()[0].instances()[0].instance_id().unwrap().to_owned();
    let ec2 = aws_sdk_ec2::Client::new(&stack.config);
    ec2.terminate_instances().instance_ids(&lost).send().await.unwrap();
    let stopped = stack.stopped(&specs[0]).await;
    assert_eq!(stopped.stopped_reason(), Some(&*format!("Host EC2 (instance {lost}) terminated.")));
    // Both hops are balanced over what is left; only a request under way when its target went may have failed.
    let failed = std::cell::Cell::new(0);
    for spec in &specs {
        common::until("recovery", || async {
            let (status, _) = stack.ask(false, "GET", &format!("http://{outside}/movies")).await.unwrap();
            failed.set(failed.get() + u32::from(status != 200));
            stack.healthy(spec).await == 2 && stack.is_stable(spec).await
        })
        .await;
    }
    assert!(failed.get() <= 1, "{} requests failed", failed.get());
    let groups = stack.asg.describe_auto_scaling_groups().send().await.unwrap();
    assert!(groups.auto_scaling_groups()[0].instances().iter().all(|i| i.instance_id() != Some(&*lost)));
}

#[tokio::test]
async fn a_large_image_takes_its_time_to_be_pulled() {
    let stack = Stack::new(1, 1, false).await;
    let spec = Spec::payment();
    stack.repository(&spec).await;
    stack.release(&spec, "v1", &Image::new("1").behaving("large:100")).await;
    stack.serve(&spec, 1).await;
    stack.stable(&spec).await;
    let tasks = stack.ecs.list_tasks().cluster("c").send().await.unwrap().task_arns.unwrap();
    let tasks = stack.ecs.describe_tasks().cluster("c").set_tasks(Some(tasks)).send().await.unwrap();
    let task = &tasks.tasks()[0];
    let (from, to) = (task.pull_started_at().unwrap(), task.pull_stopped_at().unwrap());
    let seconds = (to.as_secs_f64() - from.as_secs_f64()) * stack.sandbox.clock().speed();
    assert!(seconds > 100.0, "{seconds}");
}

#[tokio::test]
async fn secrets_and_container_health_checks_count() {
    let stack = Stack::new(1, 1, false).await;
    let ssm = aws_sdk_ssm::Client::new(&stack.config);
    let spec = Spec { percents: (200, 100), ..Spec::movie() };
    stack.repository(&spec).await;
    let digest = stack.sandbox.push(spec.name, "v1", &Image::new("1")).await.unwrap().digest;
    let image = format!("{}@{digest}", uri(&spec));
    let check = |path: &str| {
        let command = format!("wget -qO- http://localhost:4567{path} || exit 1");
        HealthCheck::builder().command("CMD-SHELL").command(command).interval(30).retries(2).build().unwrap()
    };
    let secret = || Secret::builder().name("API_KEY").value_from("/skyfox/key").build().unwrap();
    stack.execution_role("*").await;
    stack.define_with(&spec, &image, |container| container.secrets(secret()).health_check(check("/mshealth"))).await;
    stack.serve(&spec, 1).await;
    let task = stack.stopped(&spec).await;
    let text = "Fetching secret data from SSM Parameter Store in ap-south-1: invalid parameters: /skyfox/key";
    assert_eq!(task.stopped_reason(), Some(text));
    let put = ssm.put_parameter().name("/skyfox/key").value("k").r#type(ParameterType::SecureString);
    put.send().await.unwrap();
    common::until("health", || async {
        let listed = stack.ecs.list_tasks().cluster("c").service_name(spec.name).send().await.unwrap();
        if listed.task_arns().is_empty() {
            return false;
        }
        let tasks = stack.ecs.describe_tasks().cluster("c").set_tasks(listed.task_arns).send().await.unwrap();
        tasks.tasks().iter().any(|task| task.health_status() == Some(&HealthStatus::Healthy))
    })
    .await;
    stack.stable(&spec).await;
    stack.define_with(&spec, &image, |container| container.health_check(check("/elsewhere"))).await;
    stack.roll(&spec).await;
    common::until("failing", || async {
        let service = stack.service(&spec).await;
        service.events().iter().any(|event| event.message().unwrap().ends_with("failed container health checks."))
    })
    .await;
}

/// ECS asks with the execution role for the parameters that become secrets.
#[tokio::test]
async fn a_task_whose_execution_role_may_not_read_a_secret_stops_with_what_aws_says() {
    let stack = Stack::new(1, 1, false).await;
    let ssm = aws_sdk_ssm::Client::new(&stack.config);
    let spec = Spec::movie();
    stack.repository(&spec).await;
    let digest = stack.sandbox.push(spec.name, "v1", &Image::new("1")).await.unwrap().digest;
    let secret = Secret::builder().name("API_KEY").value_from("/skyfox/key").build().unwrap();
    stack.define_with(&spec, &format!("{}@{digest}", uri(&spec)), |container| container.secrets(secret)).await;
    stack.serve(&spec, 1).await;
    let text = stack.stopped(&spec).await.stopped_reason.unwrap_or_default();
    assert!(text.starts_with("ECS was unable to assume the role 'arn:aws:iam::000000000000:role/execution'"), "{text}");

    let put = ssm.put_parameter().name("/skyfox/key").value("k").r#type(ParameterType::SecureString);
    put.send().await.unwrap();
    let arn = "arn:aws:ssm:ap-south-1:000000000000:parameter/skyfox/key";
    stack.execution_role(&format!("{arn}-of-another")).await;
    let denied = "is not authorized to perform: ssm:GetParameters";
    let began = "Fetching secret data from SSM Parameter Store in ap-south-1: AccessDeniedException: User: ";
    common::until("a denial", || async {
        let reasons = stack.stopped_reasons(&spec).await;
        reasons.iter().any(|text| text.starts_with(began) && text.contains(denied))
    })
    .await;
    stack.execution_role(arn).await;
    stack.stable(&spec).await;
}

#[tokio::test]
async fn a_target_group_without_a_load_balancer_is_refused() {
    let mut stack = Stack::new(0, 1, false).await;
    let spec = Spec::payment();
    stack.target_group(&spec).await;
    stack.define(&spec, "public.ecr.aws/docker/library/nginx:1").await;
    let create = |group: &str| {
        let balancer = LoadBalancer::builder().target_group_arn(group).container_name(spec.name);
        let balancer = balancer.container_port(spec.port).build();
        let create = stack.ecs.create_service().cluster("c").service_name("s").task_definition(spec.name);
        create.desired_count(0).load_balancers(balancer).send()
    };
    let group = stack.groups[spec.name].clone();
    let refused = create(&group).await.unwrap_err();
    assert!(refused.message().unwrap().ends_with("does not have an associated load balancer."), "{refused:?}");
    let refused = create(&group.replace("payment", "nobody")).await.unwrap_err();
    assert_eq!(refused.message(), Some("The specified target group does not exist."));
    stack.balancer("b", false, forward(&group)).await;
    create(&group).await.unwrap();
}

/// AWS's own Python client waits for a service as `aws ecs wait services-stable` does, and reads all that it answers.
#[tokio::test]
async fn boto3_waits_for_a_stable_service() {
    let stack = Stack::new(1, 1, false).await;
    let spec = Spec::payment();
    stack.define(&spec, "public.ecr.aws/docker/library/nginx:1").await;
    stack.serve(&spec, 2).await;
    let venv = Venv::make(&common::dir().join("venv-moto"), MOTO, &|_| ()).await.unwrap();
    let script = "\
import boto3
ecs = boto3.client('ecs')
kept = dict(cluster='c', services=['payment-service'])
ecs.get_waiter('services_stable').wait(**kept, WaiterConfig={'Delay': 1, 'MaxAttempts': 20})
service = ecs.describe_services(**kept)['services'][0]
tasks = ecs.describe_tasks(cluster='c', tasks=ecs.list_tasks(cluster='c')['taskArns'])['tasks']
host = ecs.describe_container_instances(cluster='c', containerInstances=[tasks[0]['containerInstanceArn']])
left = {r['name']: r.get('integerValue') for r in host['containerInstances'][0]['remainingResources']}
print(service['runningCount'], service['events'][0]['message'], left['MEMORY'], tasks[0]['startedAt'] > tasks[0]['createdAt'])
";
    let mut python = tokio::process::Command::new(venv.python());
    let output = python.args(["-c", script]).envs(stack.sandbox.env()).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.trim(), "2 (service payment-service) has reached a steady state. 1026 True", "{errors}");
}

/// AWS's own command line writes, waits for a stable service, and reads.
#[tokio::test]
async fn the_aws_command_line_sizes_a_service_waits_for_it_and_reads_it() {
    let stack = Stack::new(1, 1, false).await;
    let spec = Spec::payment();
    stack.define(&spec, "public.ecr.aws/docker/library/nginx:1").await;
    stack.serve(&spec, 1).await;
    let venv = Venv::make(&common::dir().join("venv-awscli"), AWSCLI, &|_| ()).await.unwrap();
    let aws = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(venv.python());
        command.args(["-m", "awscli", "ecs"]).args(arguments).args(["--cluster", "c"]).envs(stack.sandbox.env());
        // What a person has set up for AWS is not the sandbox's.
        let output = command.env_remove("AWS_PROFILE").env_remove("AWS_CA_BUNDLE").output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let query = ["--output", "text", "--query"];
    let wanted = ["update-service", "--service", "payment-service", "--desired-count", "3"];
    assert_eq!(aws(&[&wanted[..], &query, &["service.desiredCount"]].concat()).await, "3");
    aws(&["wait", "services-stable", "--services", "payment-service"]).await;
    let read = ["describe-services", "--services", "payment-service"];
    assert_eq!(aws(&[&read[..], &query, &["services[0].[runningCount,length(deployments)]"]].concat()).await, "3\t1");
}

/// A function's way to load balancers goes through the gateway under its own name; its VPC decides where it leads.
#[tokio::test]
async fn a_function_in_the_vpc_reaches_the_internal_load_balancer() {
    let stack = Stack::new(0, 1, false).await;
    let (_, inside) = stack.balancer("internal", true, not_found()).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let iam = aws_sdk_iam::Client::new(&stack.config);
    iam.create_role().role_name("r").assume_role_policy_document(trust).send().await.unwrap();
    let lambda = aws_sdk_lambda::Client::new(&stack.config);
    let vpc = VpcConfig::builder().subnet_ids(&stack.subnets[0]).build();
    for (name, vpc, expected) in [("in", Some(vpc), "404"), ("out", None, "none")] {
        let zip = Blob::new(function(&format!("http://{inside}/")));
        let create = lambda.create_function().function_name(name).runtime(Runtime::Providedal2023).handler("bootstrap");
        let create = create.role("arn:aws:iam::000000000000:role/r").set_vpc_config(vpc);
        create.code(FunctionCode::builder().zip_file(zip).build()).send().await.unwrap();
        let answer = lambda.invoke().function_name(name).payload(Blob::new("{}")).send().await.unwrap();
        let text = String::from_utf8(answer.payload.unwrap().into_inner()).unwrap();
        assert_eq!(text, format!("\"{expected}\""), "{name}");
    }
}

/// A function that asks an address through its proxy and answers with the status.
fn function(url: &str) -> Vec<u8> {
    let program = format!(
        "#!/usr/bin/env python3
import json, os, urllib.request, urllib.error
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
direct = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
while True:
    event = direct.open(api + 'next')
    try:
        answer = str(urllib.request.urlopen('{url}').status)
    except urllib.error.HTTPError as error:
        answer = str(error.code)
    except Exception:
        answer = 'none'
    direct.open(api + event.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', json.dumps(answer).encode()).read()
"
    );
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).unwrap();
    std::io::Write::write_all(&mut zip, program.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}
