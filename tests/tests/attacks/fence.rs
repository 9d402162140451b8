//! What others have made, and what runs in their place: the fence of tags, and what stands beside it.

use serde_json::json;

use super::attempt::*;

/// What others have made: with the tag of another installation, or with none.
pub(super) fn of_others() -> Vec<Try> {
    let mut tries = Vec::new();
    for (function, action, resource) in changes() {
        let who = Who::Function(function);
        tries.push(duty(who, action, resource.clone(), of(REGION)));
        tries.push(attack(who, "change what has no tag of ours", action, resource.clone(), json!({})));
        tries.push(attack(who, "change what another installation has", action, resource, of("us-east-1")));
    }
    for (function, action, resource) in makings() {
        let who = Who::Function(function);
        tries.push(duty(who, action, resource.clone(), tagged()));
        tries.push(attack(who, "make what nobody can tell", action, resource, json!({})));
    }
    tries.extend(takings());
    tries
}

/// Changes that a function is there for: the action and what it is done to.
fn changes() -> Vec<(&'static str, &'static str, String)> {
    let group = "autoScalingGroup:5f4e:autoScalingGroupName/skyfox-devprod-instances";
    let listener = "listener/app/skyfox-devprod-public/50dc6c495c0c9188/f2f7dc8efc522ab2";
    vec![
        ("network", "ec2:DeleteVpc", here("ec2", "vpc/vpc-1")),
        ("network", "ec2:DeleteSubnet", here("ec2", "subnet/subnet-1")),
        ("network", "ec2:DeleteSecurityGroup", here("ec2", "security-group/sg-1")),
        ("network", "ec2:AuthorizeSecurityGroupIngress", here("ec2", "security-group/sg-1")),
        ("network", "ec2:ReplaceRoute", here("ec2", "route-table/rtb-1")),
        ("network", "ec2:DetachInternetGateway", here("ec2", "internet-gateway/igw-1")),
        ("network", "ec2:CreateSubnet", here("ec2", "vpc/vpc-1")),
        ("network", "ec2:CreateTags", here("ec2", "vpc/vpc-1")),
        ("cluster", "ec2:DeleteLaunchTemplate", here("ec2", "launch-template/lt-1")),
        ("cluster", "ec2:RunInstances", here("ec2", "subnet/subnet-1")),
        ("cluster", "autoscaling:DeleteAutoScalingGroup", here("autoscaling", group)),
        ("cluster", "ecs:DeleteCluster", here("ecs", "cluster/skyfox-devprod")),
        ("cluster", "ecs:DeleteCapacityProvider", here("ecs", "capacity-provider/skyfox-devprod")),
        ("cluster", "logs:DeleteLogGroup", here("logs", "log-group:/ecs/skyfox-devprod")),
        ("service", "ecs:DeleteService", here("ecs", "service/skyfox-devprod/movie")),
        ("service", "ecs:TagResource", here("ecs", "service/skyfox-devprod/movie")),
        ("release", "ecs:UpdateService", here("ecs", "service/skyfox-devprod/movie")),
        ("rollback", "ecs:UpdateService", here("ecs", "service/skyfox-devprod/movie")),
        ("settle", "ecs:DeleteTaskDefinitions", here("ecs", "task-definition/skyfox-devprod-movie:7")),
        ("settle", "ecr:BatchDeleteImage", here("ecr", "repository/skyfox-devprod-movie")),
        ("settle", "ecr:PutImage", here("ecr", "repository/skyfox-devprod-movie")),
        ("registry", "ecr:DeleteRepository", here("ecr", "repository/skyfox-devprod-movie")),
        ("balancer", "elasticloadbalancing:ModifyListener", here("elasticloadbalancing", listener)),
        ("balancer", "elasticloadbalancing:DeleteListener", here("elasticloadbalancing", listener)),
        ("balancer", "lambda:DeleteFunction", here("lambda", "function:skydeck-skyfox-devprod-probe")),
        ("secrets", "ssm:DeleteParameter", here("ssm", "parameter/skyfox/dsn")),
    ]
}

/// What a function makes.
fn makings() -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("network", "ec2:CreateVpc", here("ec2", "vpc/vpc-1")),
        ("network", "ec2:CreateSubnet", here("ec2", "subnet/subnet-1")),
        ("cluster", "ec2:CreateLaunchTemplate", here("ec2", "launch-template/lt-1")),
        ("cluster", "ec2:RunInstances", here("ec2", "instance/i-1")),
        ("cluster", "ecs:CreateCluster", here("ecs", "cluster/skyfox-devprod")),
        ("service", "ecs:CreateService", here("ecs", "service/skyfox-devprod/movie")),
        ("release", "ecs:RegisterTaskDefinition", here("ecs", "task-definition/skyfox-devprod-movie:8")),
        ("registry", "ecr:CreateRepository", here("ecr", "repository/skyfox-devprod-movie")),
        ("secrets", "ssm:PutParameter", here("ssm", "parameter/skyfox/dsn")),
    ]
}

/// What runs in others' place, or with more than a container has.
pub(super) fn beside_the_fence() -> Vec<Try> {
    let (cluster, service, release) = (Who::Function("cluster"), Who::Function("service"), Who::Function("release"));
    let group = || here("autoscaling", "autoScalingGroup:5f4e:autoScalingGroupName/skyfox-devprod-instances");
    let movie = here("ecs", "service/skyfox-devprod/movie");
    let definition = || here("ecs", "task-definition/skyfox-devprod-movie:8");
    let (create, update) = ("autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup");
    let numbered = |said: &str| json!({ "autoscaling:LaunchTemplateVersionSpecified": said });
    let theirs = || json!({ "autoscaling:LaunchConfigurationName": "theirs" });
    let rule = "listener-rule/app/skyfox-devprod-public/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee";
    let privileged = |said: &str| with(tagged(), json!({ "ecs:privileged": said }));
    let (latest, configured) = ("launch what nobody was asked for", "launch by another team's configuration");
    let register = "ecs:RegisterTaskDefinition";
    let in_subnet = with(tagged(), json!({ "ecs:subnet": "subnet-1" }));
    let order = "elasticloadbalancing:SetRulePriorities";
    vec![
        duty(cluster, create, group(), with(tagged(), numbered("true"))),
        duty(cluster, update, group(), with(of(REGION), numbered("true"))),
        duty(cluster, update, group(), of(REGION)),
        attack(cluster, latest, create, group(), with(tagged(), numbered("false"))),
        attack(cluster, latest, update, group(), with(of(REGION), numbered("false"))),
        attack(cluster, configured, create, group(), with(with(tagged(), numbered("true")), theirs())),
        attack(cluster, configured, update, group(), with(of(REGION), theirs())),
        attack(service, "run tasks in any subnet", "ecs:CreateService", movie, in_subnet),
        attack(release, "run a privileged container", register, definition(), privileged("true")),
        duty(release, register, definition(), privileged("false")),
        duty(Who::Function("balancer"), order, here("elasticloadbalancing", rule), json!({})),
    ]
}

/// Making a thing one's own by its tag.
fn takings() -> Vec<Try> {
    let (network, service, registry) = (Who::Function("network"), Who::Function("service"), Who::Function("registry"));
    let vpc = || here("ec2", "vpc/vpc-1");
    let movie = || here("ecs", "service/skyfox-devprod/movie");
    let repository = || here("ecr", "repository/skyfox-devprod-movie");
    vec![
        duty(network, "ec2:CreateTags", vpc(), making("ec2:CreateAction", "CreateVpc")),
        duty(service, "ecs:TagResource", movie(), making("ecs:CreateAction", "CreateService")),
        duty(registry, "ecr:TagResource", repository(), tagged()),
        attack(network, "tag another team's VPC", "ec2:CreateTags", vpc(), tagged()),
        attack(network, "take another installation's VPC", "ec2:CreateTags", vpc(), with(tagged(), of("us-east-1"))),
        attack(service, "tag another team's service", "ecs:TagResource", movie(), tagged()),
        attack(
            registry,
            "take another installation's repository",
            "ecr:TagResource",
            repository(),
            with(tagged(), of("us-east-1")),
        ),
        attack(
            network,
            "give a VPC away",
            "ec2:CreateTags",
            vpc(),
            with(of(REGION), json!({ "aws:RequestTag/skydeck:installation": "us-east-1" })),
        ),
        attack(
            Who::Function("secrets"),
            "overwrite a parameter that has no tag of ours",
            "ssm:PutParameter",
            here("ssm", "parameter/other/password"),
            json!({ "ssm:Overwrite": "true", "aws:RequestTag/skydeck:installation": REGION }),
        ),
    ]
}
