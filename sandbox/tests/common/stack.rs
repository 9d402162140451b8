//! A platform like SkyFox's for the tests of the data plane, made with the real SDK clients.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{
    AutoScalingGroupProvider, CapacityProviderStrategyItem, ContainerDefinition, DeploymentConfiguration, KeyValuePair,
    LaunchType, LoadBalancer, ManagedScaling, ManagedScalingStatus, NetworkMode, PortMapping, Service, Task,
};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, LoadBalancerSchemeEnum, Matcher, ProtocolEnum, RuleCondition,
    TargetGroupAttribute, TargetHealthStateEnum,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use skydeck_sandbox::{ACCOUNT, Image, Options, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Everything of one platform.
pub(crate) struct Stack {
    pub(crate) sandbox: Sandbox,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) asg: aws_sdk_autoscaling::Client,
    pub(crate) config: SdkConfig,
    provided: bool,
    vpc: String,
    pub(crate) subnets: Vec<String>,
    /// Target groups by service.
    pub(crate) groups: HashMap<String, String>,
}

/// One service's numbers.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) port: i32,
    pub(crate) health: &'static str,
    pub(crate) cpu: i32,
    pub(crate) memory: i32,
    pub(crate) percents: (i32, i32),
    pub(crate) environment: Vec<(String, String)>,
}

impl Spec {
    pub(crate) fn backend() -> Self {
        let (name, health) = ("backend", "/health");
        Self { name, port: 8080, health, cpu: 475, memory: 819, percents: (200, 100), environment: Vec::new() }
    }

    pub(crate) fn payment() -> Self {
        let (name, health) = ("payment-service", "/pshealth");
        Self { name, port: 8082, health, cpu: 230, memory: 410, percents: (150, 50), environment: Vec::new() }
    }

    pub(crate) fn movie() -> Self {
        let (name, health) = ("movie-service", "/mshealth");
        Self { name, port: 4567, health, cpu: 230, memory: 410, percents: (150, 50), environment: Vec::new() }
    }
}

impl Stack {
    /// A cluster with an Auto Scaling group of instances that have joined it, with or without a capacity provider.
    pub(crate) async fn new(instances: i32, max: i32, provided: bool) -> Self {
        Self::at_speed(200.0, instances, max, provided).await
    }

    pub(crate) async fn at_speed(speed: f64, instances: i32, max: i32, provided: bool) -> Self {
        let options = Options { speed, ..Options::new(super::dir()) };
        let sandbox = Sandbox::start(&options).await.unwrap();
        let config = super::person(&sandbox).await;
        let ec2 = aws_sdk_ec2::Client::new(&config);
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let gateway = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap();
        let attach = ec2.attach_internet_gateway().vpc_id(&vpc);
        attach.internet_gateway_id(gateway.internet_gateway_id().unwrap()).send().await.unwrap();
        let mut subnets = Vec::new();
        for (number, zone) in ["ap-south-1a", "ap-south-1b"].iter().enumerate() {
            let subnet = ec2.create_subnet().vpc_id(&vpc).availability_zone(*zone);
            let subnet = subnet.cidr_block(format!("10.0.{number}.0/24")).send().await.unwrap().subnet.unwrap();
            subnets.push(subnet.subnet_id.unwrap());
        }
        let data = RequestLaunchTemplateData::builder()
            .image_id("ami-1")
            .instance_type(InstanceType::T4gSmall)
            .user_data(STANDARD.encode("echo ECS_CLUSTER=c >> /etc/ecs/ecs.config"))
            .build();
        ec2.create_launch_template().launch_template_name("template").launch_template_data(data).send().await.unwrap();
        let stack = Self {
            ecs: aws_sdk_ecs::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            asg: aws_sdk_autoscaling::Client::new(&config),
            sandbox,
            config,
            provided,
            vpc,
            subnets,
            groups: HashMap::new(),
        };
        stack.ecs.create_cluster().cluster_name("c").send().await.unwrap();
        stack.make_group(instances, max).await;
        stack
    }

    async fn make_group(&self, instances: i32, max: i32) {
        let template =
            LaunchTemplateSpecification::builder().launch_template_name("template").version("$Latest").build();
        let create = self.asg.create_auto_scaling_group().auto_scaling_group_name("g").min_size(0).max_size(max);
        let create = create.desired_capacity(instances).launch_template(template);
        create.vpc_zone_identifier(self.subnets.join(",")).send().await.unwrap();
        if self.provided {
            let found = self.asg.describe_auto_scaling_groups().send().await.unwrap();
            let arn = found.auto_scaling_groups()[0].auto_scaling_group_arn().unwrap().to_owned();
            let scaling = ManagedScaling::builder().status(ManagedScalingStatus::Enabled).target_capacity(100).build();
            let provider = AutoScalingGroupProvider::builder().auto_scaling_group_arn(arn).managed_scaling(scaling);
            let create = self.ecs.create_capacity_provider().name("p");
            create.auto_scaling_group_provider(provider.build().unwrap()).send().await.unwrap();
            let put = self.ecs.put_cluster_capacity_providers().cluster("c").capacity_providers("p");
            put.default_capacity_provider_strategy(strategy()).send().await.unwrap();
        }
        super::until("joining", || async {
            let listed = self.ecs.list_container_instances().cluster("c").send().await.unwrap();
            listed.container_instance_arns().len() == instances as usize
        })
        .await;
    }

    /// A load balancer whose only listener answers with the default action; listener's ARN and DNS name.
    pub(crate) async fn balancer(&self, name: &str, internal: bool, action: Action) -> (String, String) {
        let scheme = if internal { LoadBalancerSchemeEnum::Internal } else { LoadBalancerSchemeEnum::InternetFacing };
        let made = self.elb.create_load_balancer().name(name).scheme(scheme);
        let made = made.set_subnets(Some(self.subnets.clone())).send().await.unwrap();
        let balancer = &made.load_balancers()[0];
        let listener = self.elb.create_listener().load_balancer_arn(balancer.load_balancer_arn().unwrap());
        let listener = listener.protocol(ProtocolEnum::Http).port(80).default_actions(action).send().await.unwrap();
        let arn = listener.listeners()[0].listener_arn().unwrap().to_owned();
        (arn, balancer.dns_name().unwrap().to_owned())
    }

    pub(crate) async fn target_group(&mut self, spec: &Spec) -> String {
        let create = self.elb.create_target_group().name(spec.name).protocol(ProtocolEnum::Http).port(spec.port);
        let create = create.vpc_id(&self.vpc).health_check_path(spec.health).healthy_threshold_count(2);
        let create = create.unhealthy_threshold_count(2).health_check_interval_seconds(30);
        let matcher = Matcher::builder().http_code("200").build();
        let made = create.health_check_timeout_seconds(5).matcher(matcher).send().await.unwrap();
        let arn = made.target_groups()[0].target_group_arn().unwrap().to_owned();
        let delay = TargetGroupAttribute::builder().key("deregistration_delay.timeout_seconds").value("30").build();
        self.elb.modify_target_group_attributes().target_group_arn(&arn).attributes(delay).send().await.unwrap();
        self.groups.insert(spec.name.to_owned(), arn.clone());
        arn
    }

    pub(crate) async fn rule(&self, listener: &str, priority: i32, pattern: &str, group: &str) {
        let condition = RuleCondition::builder().field("path-pattern").values(pattern).build();
        let create = self.elb.create_rule().listener_arn(listener).priority(priority).conditions(condition);
        create.actions(forward(group)).send().await.unwrap();
    }

    /// The role of the task definitions, made once, which may read these parameters and no others.
    pub(crate) async fn execution_role(&self, parameters: &str) {
        let iam = aws_sdk_iam::Client::new(&self.config);
        let document = |statement: Value| json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let service = json!({ "Service": "ecs-tasks.amazonaws.com" });
        let trust = document(json!({ "Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole" }));
        // It is there already where its policy alone is to be another.
        drop(iam.create_role().role_name("execution").assume_role_policy_document(trust).send().await);
        let read = document(json!({ "Effect": "Allow", "Action": "ssm:GetParameters", "Resource": parameters }));
        let put = iam.put_role_policy().role_name("execution").policy_name("parameters").policy_document(read);
        put.send().await.unwrap();
    }

    pub(crate) async fn repository(&self, spec: &Spec) {
        let ecr = aws_sdk_ecr::Client::new(&self.config);
        ecr.create_repository().repository_name(spec.name).send().await.unwrap();
    }

    /// Pushes an image and registers a task definition of it; the digest.
    pub(crate) async fn release(&self, spec: &Spec, tag: &str, image: &Image) -> String {
        let digest = self.sandbox.push(spec.name, tag, image).await.unwrap().digest;
        self.define(spec, &format!("{}@{digest}", uri(spec))).await;
        digest
    }

    pub(crate) async fn define(&self, spec: &Spec, image: &str) {
        self.define_with(spec, image, |container| container).await;
    }

    /// A task definition whose container has more than the usual.
    pub(crate) async fn define_with(
        &self,
        spec: &Spec,
        image: &str,
        more: impl FnOnce(ContainerDefinitionBuilder) -> ContainerDefinitionBuilder,
    ) {
        let port = PortMapping::builder().container_port(spec.port).host_port(0).build();
        let container = ContainerDefinition::builder().name(spec.name).image(image).cpu(spec.cpu).memory(spec.memory);
        let pairs =
            spec.environment.iter().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let container = more(container.set_environment(Some(pairs.collect())).port_mappings(port)).build();
        let register = self.ecs.register_task_definition().family(spec.name).network_mode(NetworkMode::Bridge);
        let register = register.execution_role_arn("arn:aws:iam::000000000000:role/execution");
        register.container_definitions(container).send().await.unwrap();
    }

    pub(crate) async fn serve(&self, spec: &Spec, count: i32) {
        let percents = DeploymentConfiguration::builder().maximum_percent(spec.percents.0);
        let percents = percents.minimum_healthy_percent(spec.percents.1).build();
        let create = self.ecs.create_service().cluster("c").service_name(spec.name).task_definition(spec.name);
        let create = create.desired_count(count).deployment_configuration(percents);
        let create = if self.provided {
            create.capacity_provider_strategy(strategy())
        } else {
            create.launch_type(LaunchType::Ec2)
        };
        let create = match self.groups.get(spec.name) {
            Some(group) => {
                let balancer = LoadBalancer::builder().target_group_arn(group).container_name(spec.name);
                let balancer = balancer.container_port(spec.port).build();
                create.load_balancers(balancer).health_check_grace_period_seconds(60)
            }
            None => create,
        };
        create.send().await.unwrap();
    }

    pub(crate) async fn roll(&self, spec: &Spec) {
        let update = self.ecs.update_service().cluster("c").service(spec.name).task_definition(spec.name);
        update.force_new_deployment(true).send().await.unwrap();
    }

    pub(crate) async fn service(&self, spec: &Spec) -> Service {
        let found = self.ecs.describe_services().cluster("c").services(spec.name).send().await.unwrap();
        found.services.unwrap().remove(0)
    }

    /// What `services-stable` waits for.
    pub(crate) async fn is_stable(&self, spec: &Spec) -> bool {
        let service = self.service(spec).await;
        service.deployments().len() == 1 && service.running_count() == service.desired_count()
    }

    pub(crate) async fn stable(&self, spec: &Spec) {
        super::until(spec.name, || self.is_stable(spec)).await;
    }

    pub(crate) async fn healthy(&self, spec: &Spec) -> usize {
        let health = self.elb.describe_target_health().target_group_arn(&self.groups[spec.name]).send().await.unwrap();
        let states = health.target_health_descriptions().iter().filter_map(|target| target.target_health());
        states.filter(|health| health.state() == Some(&TargetHealthStateEnum::Healthy)).count()
    }

    /// A stopped task, once there is one.
    pub(crate) async fn stopped(&self, spec: &Spec) -> Task {
        let find = || async {
            let list = self.ecs.list_tasks().cluster("c").family(spec.name);
            let list = list.desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped).send().await.unwrap();
            if list.task_arns().is_empty() {
                return None;
            }
            let described = self.ecs.describe_tasks().cluster("c").set_tasks(list.task_arns).send().await.unwrap();
            described.tasks().iter().find(|task| task.last_status() == Some("STOPPED")).cloned()
        };
        super::until("stopping", || async { find().await.is_some() }).await;
        find().await.unwrap()
    }

    /// Why tasks have stopped.
    pub(crate) async fn stopped_reasons(&self, spec: &Spec) -> Vec<String> {
        let list = self.ecs.list_tasks().cluster("c").family(spec.name);
        let list = list.desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped).send().await.unwrap();
        let described = self.ecs.describe_tasks().cluster("c").set_tasks(list.task_arns).send().await.unwrap();
        described.tasks().iter().filter_map(|task| task.stopped_reason().map(ToOwned::to_owned)).collect()
    }

    /// What a load balancer answers: status line and the rest; none where there is no way to it.
    pub(crate) async fn ask(&self, inside: bool, method: &str, url: &str) -> Option<(u16, String)> {
        let proxy = self.sandbox.proxy(inside);
        let (user, address) = proxy.trim_start_matches("http://").split_once('@').unwrap();
        let host = url.trim_start_matches("http://").split('/').next().unwrap();
        let user = STANDARD.encode(format!("{user}:"));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = format!(
            "{method} {url} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic {user}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer))
    }
}

pub(crate) fn uri(spec: &Spec) -> String {
    format!("{ACCOUNT}.dkr.ecr.ap-south-1.amazonaws.com/{}", spec.name)
}

fn strategy() -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem::builder().capacity_provider("p").weight(1).build().unwrap()
}

pub(crate) fn forward(group: &str) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build()
}

pub(crate) fn not_found() -> Action {
    let fixed = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain");
    let fixed = fixed.message_body("Not Found").build();
    Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(fixed).build()
}
