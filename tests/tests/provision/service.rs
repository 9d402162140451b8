//! Task definitions, and the ECS services, which have no tasks until their first image is pushed.

use aws_sdk_ecs::types::{Compatibility, NetworkMode, ServiceField, TaskDefinitionField};
use serde_json::Value;
use skydeck_aws::Clients;

/// A row of the reference's table.
struct Row {
    service: &'static str,
    port: i32,
    path: &'static str,
    cpu: i32,
    memory: i32,
    percents: (i32, i32),
    secrets: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const ROWS: [Row; 3] = [
    Row {
        service: "backend",
        port: 8080,
        path: "/health",
        cpu: 475,
        memory: 819,
        percents: (200, 100),
        secrets: &["DATABASE_URL", "JWT_SECRET_KEY", "MOVIE_SERVICE_API_KEY", "PAYMENT_GATEWAY_API_KEY"],
        environment: &[("AWS_REGION", "ap-south-1"), ("GIN_MODE", "release"), ("PORT", "8080")],
    },
    Row {
        service: "payment",
        port: 8082,
        path: "/pshealth",
        cpu: 230,
        memory: 410,
        percents: (150, 50),
        secrets: &["API_KEY"],
        environment: &[("APP_VERSION", "prod"), ("GIN_MODE", "release"), ("LOG_LEVEL", "info"), ("PORT", "8082")],
    },
    Row {
        service: "movie",
        port: 4567,
        path: "/mshealth",
        cpu: 230,
        memory: 410,
        percents: (150, 50),
        secrets: &["API_KEY"],
        environment: &[
            ("APP_VERSION", "prod"),
            ("GIN_MODE", "release"),
            ("LOG_LEVEL", "info"),
            ("MOVIES_DATA_PATH", "/app/data/movies.json"),
            ("PORT", "4567"),
        ],
    },
];

pub(crate) async fn assert_as_the_reference_says(aws: &Clients, outputs: &Value) {
    for row in &ROWS {
        let definition = assert_service(aws, row, outputs).await;
        assert_task_definition(aws, row, &definition, outputs).await;
    }
}

async fn assert_service(aws: &Clients, row: &Row, outputs: &Value) -> String {
    let request = aws.ecs().describe_services().cluster("skyfox-devprod").services(row.service);
    let answer = request.include(ServiceField::Tags).send().await.expect("the service");
    let [service] = answer.services() else { panic!("{}: {answer:?}", row.service) };
    assert_eq!((service.status(), service.desired_count(), service.running_count()), (Some("ACTIVE"), 0, 0));
    assert_eq!(service.launch_type(), None, "managed scaling never sees services with a launch type");
    let [strategy] = service.capacity_provider_strategy() else { panic!("one capacity provider: {service:?}") };
    assert_eq!(strategy.capacity_provider(), "skyfox-devprod-instances");
    let deployment = service.deployment_configuration().expect("a deployment configuration");
    let percents = (deployment.maximum_percent(), deployment.minimum_healthy_percent());
    assert_eq!(percents, (Some(row.percents.0), Some(row.percents.1)));
    let breaker = deployment.deployment_circuit_breaker().expect("a circuit breaker");
    assert!(breaker.enable() && !breaker.rollback(), "one rolls back, and that is skydeck");
    assert_eq!(service.health_check_grace_period_seconds(), Some(300));
    let [balancer] = service.load_balancers() else { panic!("one target group: {service:?}") };
    assert_eq!(balancer.target_group_arn(), outputs["target_groups"][row.service].as_str());
    assert_eq!((balancer.container_name(), balancer.container_port()), (Some(row.service), Some(row.port)));
    let tags: Vec<_> = service.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    for tag in [("Project", "skyfox"), ("Environment", "devprod"), ("Service", row.service)] {
        assert!(tags.contains(&(Some(tag.0), Some(tag.1))), "{tag:?}: {tags:?}");
    }
    service.task_definition().expect("a task definition").to_owned()
}

async fn assert_task_definition(aws: &Clients, row: &Row, arn: &str, outputs: &Value) {
    let request = aws.ecs().describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags);
    let answer = request.send().await.expect("the task definition");
    let definition = answer.task_definition().expect("a task definition");
    assert_eq!(definition.network_mode(), Some(&NetworkMode::Bridge));
    assert_eq!(definition.requires_compatibilities(), [Compatibility::Ec2]);
    let roles = &outputs["roles"];
    assert_eq!(definition.task_role_arn(), roles["task_role_arns"][row.service].as_str());
    assert_eq!(definition.execution_role_arn(), roles["execution_role_arns"][row.service].as_str());
    let [container] = definition.container_definitions() else { panic!("one container: {definition:?}") };
    assert_eq!((container.name(), container.essential()), (Some(row.service), Some(true)));
    let image = container.image().expect("an image");
    let repository = outputs["repositories"][row.service].as_str().expect("a repository");
    assert!(image.starts_with(&format!("{repository}:skydeck-")), "no image was pushed yet: {image}");
    assert_eq!((container.cpu(), container.memory()), (row.cpu, Some(row.memory)));
    let [port] = container.port_mappings() else { panic!("one port: {container:?}") };
    assert_eq!((port.container_port(), port.host_port()), (Some(row.port), Some(0)));
    let logs = container.log_configuration().expect("logs");
    assert_eq!(logs.log_driver().as_str(), "awslogs");
    let options = logs.options().expect("options");
    let wanted = [
        ("awslogs-group", "/ecs/skyfox-devprod"),
        ("awslogs-region", "ap-south-1"),
        ("awslogs-stream-prefix", row.service),
    ];
    for (key, value) in wanted {
        assert_eq!(options.get(key).map(String::as_str), Some(value), "{key}");
    }
    let health = container.health_check().expect("a container health check");
    assert_eq!(
        (health.interval(), health.timeout(), health.retries(), health.start_period()),
        (Some(30), Some(5), Some(3), Some(60))
    );
    let asked = format!("localhost:{}{}", row.port, row.path);
    assert!(health.command().iter().any(|word| word.contains(&asked)), "{:?}", health.command());
    let mut environment: Vec<_> = container
        .environment()
        .iter()
        .map(|pair| (pair.name().unwrap_or_default(), pair.value().unwrap_or_default()))
        .collect();
    environment.sort_unstable();
    for pair in row.environment {
        assert!(environment.contains(pair), "{}: {pair:?} in {environment:?}", row.service);
    }
    if row.service != "backend" {
        assert_eq!(environment, row.environment, "{} has no other variable", row.service);
    }
    let mut secrets: Vec<&str> = container.secrets().iter().map(|secret| secret.name()).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, row.secrets);
    assert!(container.secrets().iter().all(|secret| secret.value_from().contains("/skyfox-backend/")));
}
