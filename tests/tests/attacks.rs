//! What an installation's roles must not do, tried with their own policies by a simulator of IAM: the ways to become an
//! administrator, to read what is another team's, to run what is not skydeck's. Beside each stands what the role is there to do, which
//! has to be allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skydeck_bootstrap::{Account, install};
use skydeck_tests::node;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/skydeck-boundary-eu-central-1";
const OURS: &str =
    "arn:aws:iam::111122223333:role/skydeck/eu-central-1/skyfox-devprod/skyfox-devprod-movie-task-eu-central-1";
const OWN: &str = "arn:aws:s3:::skydeck-111122223333-eu-central-1";

/// What is tried: a function's role does an action to a resource, under conditions.
struct Try {
    what: &'static str,
    who: Who,
    action: &'static str,
    resource: String,
    context: Value,
    allowed: bool,
}

#[derive(Clone, Copy)]
enum Who {
    Function(&'static str),
    /// A role of a platform to which somebody has given every right.
    Platform,
}

/// Something that must be refused.
fn attack(who: Who, what: &'static str, action: &'static str, resource: impl Into<String>, context: Value) -> Try {
    Try { what, who, action, resource: resource.into(), context, allowed: false }
}

/// Something that the role is there for.
fn duty(who: Who, action: &'static str, resource: impl Into<String>, context: Value) -> Try {
    Try { what: "its own work", who, action, resource: resource.into(), context, allowed: true }
}

fn iam(kind: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}")
}

fn here(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// A role that has the boundary, or gets it.
fn bounded() -> Value {
    json!({ "iam:PermissionsBoundary": BOUNDARY })
}

/// What is made gets this installation's tag.
fn tagged() -> Value {
    json!({ "aws:RequestTag/skydeck:installation": REGION })
}

/// What is there has the tag of the installation in this region.
fn of(region: &str) -> Value {
    json!({ "aws:ResourceTag/skydeck:installation": region })
}

/// A tag that comes with what is made by this action.
fn making(key: &str, action: &str) -> Value {
    json!({ key: action, "aws:RequestTag/skydeck:installation": REGION })
}

fn with(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

fn passed_to(service: &str) -> Value {
    json!({ "iam:PassedToService": service })
}

/// The ways to an administrator's rights.
fn to_administrator() -> Vec<Try> {
    let identity = Who::Function("identity");
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attaching = |policy: &str| json!({ "iam:PermissionsBoundary": BOUNDARY, "iam:PolicyARN": policy });
    let execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    let (function, profile) =
        (iam("role", "skydeck-identity-eu-central-1"), "skydeck/eu-central-1/x/skyfox-devprod-instance");
    vec![
        duty(identity, "iam:CreateRole", OURS, bounded()),
        duty(identity, "iam:PutRolePolicy", OURS, bounded()),
        duty(identity, "iam:DeleteRole", OURS, bounded()),
        duty(identity, "iam:AttachRolePolicy", OURS, attaching(execution)),
        duty(identity, "iam:PutRolePermissionsBoundary", OURS, bounded()),
        duty(identity, "iam:AddRoleToInstanceProfile", iam("instance-profile", profile), json!({})),
        attack(identity, "attach AdministratorAccess", "iam:AttachRolePolicy", OURS, attaching(admin)),
        attack(identity, "make a role without the boundary", "iam:CreateRole", OURS, json!({})),
        attack(
            identity,
            "make a role with another boundary",
            "iam:CreateRole",
            OURS,
            json!({ "iam:PermissionsBoundary": admin }),
        ),
        attack(identity, "make a role elsewhere", "iam:CreateRole", iam("role", "elsewhere"), bounded()),
        attack(identity, "write a policy of its own role", "iam:PutRolePolicy", &*function, json!({})),
        attack(identity, "let others take its own role", "iam:UpdateAssumeRolePolicy", &*function, json!({})),
        attack(identity, "take the boundary off", "iam:DeleteRolePermissionsBoundary", OURS, bounded()),
        attack(
            identity,
            "put another boundary on",
            "iam:PutRolePermissionsBoundary",
            OURS,
            json!({ "iam:PermissionsBoundary": admin }),
        ),
        attack(identity, "widen the boundary", "iam:CreatePolicyVersion", BOUNDARY, json!({})),
        attack(identity, "take an older boundary", "iam:SetDefaultPolicyVersion", BOUNDARY, json!({})),
        attack(identity, "write a policy of an unbounded role", "iam:PutRolePolicy", OURS, json!({})),
        attack(
            identity,
            "write a policy of another region's role",
            "iam:PutRolePolicy",
            OURS.replace(REGION, "us-east-1"),
            json!({ "iam:PermissionsBoundary": BOUNDARY.replace(REGION, "us-east-1") }),
        ),
        attack(
            identity,
            "put a function's role into a profile",
            "iam:PassRole",
            &*function,
            passed_to("ec2.amazonaws.com"),
        ),
    ]
}

/// Roles that are handed on, and code that is replaced.
fn by_handing_on() -> Vec<Try> {
    let (balancer, cluster) = (Who::Function("balancer"), Who::Function("cluster"));
    let tasks = passed_to("ecs-tasks.amazonaws.com");
    let probe = OURS.replace("movie-task", "probe");
    let mut tries = vec![
        duty(balancer, "iam:PassRole", probe, passed_to("lambda.amazonaws.com")),
        duty(
            balancer,
            "lambda:UpdateFunctionCode",
            here("lambda", "function:skydeck-skyfox-devprod-probe"),
            of(REGION),
        ),
        duty(cluster, "iam:PassRole", OURS.replace("movie-task", "instance"), passed_to("ec2.amazonaws.com")),
        attack(balancer, "hand a role to ECS", "iam:PassRole", OURS, tasks.clone()),
        attack(
            balancer,
            "make a function of another name",
            "lambda:CreateFunction",
            here("lambda", "function:backdoor"),
            json!({}),
        ),
        attack(
            balancer,
            "replace a function of skydeck's",
            "lambda:UpdateFunctionCode",
            here("lambda", "function:skydeck-identity"),
            json!({}),
        ),
        attack(
            balancer,
            "replace the probe's code in the bucket",
            "s3:PutObject",
            format!("{OWN}/functions/probe.zip"),
            json!({}),
        ),
        attack(
            cluster,
            "launch with an administrator's role",
            "iam:PassRole",
            iam("role", "Admin"),
            passed_to("ec2.amazonaws.com"),
        ),
    ];
    for name in ["release", "rollback", "service"] {
        let who = Who::Function(name);
        tries.push(duty(who, "iam:PassRole", OURS, tasks.clone()));
        for role in [
            iam("role", "OrganizationAccountAccessRole"),
            iam("role", "skydeck-identity-eu-central-1"),
            OURS.replace(REGION, "us-east-1"),
        ] {
            tries.push(attack(who, "run containers with another role", "iam:PassRole", role, tasks.clone()));
        }
        tries.push(attack(who, "hand a role to Lambda", "iam:PassRole", OURS, passed_to("lambda.amazonaws.com")));
    }
    tries
}

/// What others have made: with the tag of another installation, or with none.
fn of_others() -> Vec<Try> {
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
fn beside_the_fence() -> Vec<Try> {
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

/// What a role of a platform cannot do, whatever policy it is given.
fn through_a_platforms_role() -> Vec<Try> {
    let role = Who::Platform;
    vec![
        duty(role, "ssm:GetParameters", here("ssm", "parameter/skyfox-backend/jwt-secret"), json!({})),
        duty(role, "s3:PutObject", "arn:aws:s3:::skyfox-devprod-profile-images/a", json!({})),
        duty(role, "ecr:GetAuthorizationToken", "*", json!({})),
        duty(role, "logs:PutLogEvents", here("logs", "log-group:/ecs/skyfox-devprod:log-stream:a"), json!({})),
        duty(role, "ecs:Poll", here("ecs", "container-instance/skyfox-devprod/a"), json!({})),
        attack(
            role,
            "change another team's function",
            "lambda:UpdateFunctionCode",
            here("lambda", "function:payroll"),
            json!({}),
        ),
        attack(role, "make a user", "iam:CreateUser", iam("user", "evil"), json!({})),
        attack(role, "take an administrator's role", "sts:AssumeRole", iam("role", "Admin"), json!({})),
        attack(
            role,
            "run a command elsewhere",
            "ssm:SendCommand",
            here("ssm", "managed-instance/mi-0123456789abcdef0"),
            json!({}),
        ),
        attack(
            role,
            "read another team's secret",
            "secretsmanager:GetSecretValue",
            here("secretsmanager", "secret:other-AbCdEf"),
            json!({}),
        ),
        attack(
            role,
            "rewrite what rollouts work by",
            "s3:PutObject",
            format!("{OWN}/platforms/skyfox-devprod/applied.json"),
            json!({}),
        ),
        attack(
            role,
            "read skydeck's own records",
            "s3:GetObject",
            format!("{OWN}/platforms/skyfox-devprod/applied.json"),
            json!({}),
        ),
    ]
}

/// Records of others, and values of parameters.
fn records_and_values() -> Vec<Try> {
    let record = |key: &str| format!("{OWN}/platforms/skyfox-devprod/{key}");
    let via = json!({ "kms:ViaService": "ssm.eu-central-1.amazonaws.com" });
    let key = here("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let put = |name: &'static str, to: &str| {
        attack(Who::Function(name), "rewrite a record of another function", "s3:PutObject", record(to), json!({}))
    };
    let writes = |name: &'static str, to: &str| duty(Who::Function(name), "s3:PutObject", record(to), json!({}));
    vec![
        writes("dispatch", "applied.json"),
        writes("network", "runs/a/network.json"),
        writes("prepare", "lock.json"),
        writes("settle", "services/movie/record.json"),
        put("look", "applied.json"),
        put("release", "applied.json"),
        put("network", "platform.toml"),
        put("network", "runs/a/identity.json"),
        put("decide", "services/movie/record.json"),
        attack(Who::Function("decide"), "decrypt a parameter", "kms:Decrypt", &*key, via.clone()),
        attack(Who::Function("release"), "decrypt a parameter", "kms:Decrypt", &*key, via),
        attack(
            Who::Function("cluster"),
            "read a parameter",
            "ssm:GetParameter",
            here("ssm", "parameter/other/password"),
            json!({}),
        ),
        attack(Who::Function("storage"), "delete skydeck's own bucket", "s3:DeleteBucket", OWN, json!({})),
        attack(
            Who::Function("storage"),
            "delete versions of its records",
            "s3:DeleteObjectVersion",
            format!("{OWN}/platforms/a"),
            json!({}),
        ),
    ]
}

fn request(policies: &BTreeMap<String, Value>, tried: &Try) -> Value {
    let everything =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    let (principal, policy, boundary) = match tried.who {
        Who::Function(name) => {
            let role = format!("skydeck-{name}-{REGION}");
            (iam("role", &role), policies[&role].clone(), Value::Null)
        }
        Who::Platform => (OURS.to_owned(), everything, policies[&format!("skydeck-boundary-{REGION}")].clone()),
    };
    let mut context = tried.context.clone();
    context["aws:SecureTransport"] = "true".into();
    context["aws:PrincipalArn"] = principal.clone().into();
    json!({
        "principal": principal,
        "account": ACCOUNT,
        "policy": policy,
        "boundary": boundary,
        "action": tried.action,
        "resource": tried.resource,
        "context": context,
    })
}

/// What one of the programs says of a list.
fn told(program: &str, list: &Value) -> Vec<String> {
    let programs = node::programs();
    let installed = programs.ancestors().nth(2).expect("the directory of the packages");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(program);
    let mut command = Command::new("node");
    command.arg(program).current_dir(installed).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("node can be started");
    child.stdin.take().expect("a pipe").write_all(list.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("a list of texts")
}

#[test]
fn no_role_of_an_installation_leads_further_than_its_work() {
    let policies = install::policies(&Account::of(ACCOUNT, REGION));
    let all = [
        to_administrator(),
        by_handing_on(),
        of_others(),
        beside_the_fence(),
        through_a_platforms_role(),
        records_and_values(),
    ];
    let tries: Vec<Try> = all.into_iter().flatten().collect();
    let requests: Vec<Value> = tries.iter().map(|tried| request(&policies, tried)).collect();
    let verdicts = told("judge.mjs", &requests.into());
    assert_eq!(verdicts.len(), tries.len());
    let mut wrong = Vec::new();
    for (tried, verdict) in tries.iter().zip(verdicts) {
        // A key's own policy may allow what no policy of a role does: only a deny keeps it.
        let refusals: &[&str] =
            if tried.action.starts_with("kms:") { &["refused by a deny"] } else { &["refused", "refused by a deny"] };
        let right = if tried.allowed { verdict == "allowed" } else { refusals.contains(&&*verdict) };
        let who = match tried.who {
            Who::Function(name) => name,
            Who::Platform => "a platform's role",
        };
        if !right {
            wrong.push(format!("{who}: {} ({} on {}): {verdict}", tried.what, tried.action, tried.resource));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} requests judged", tries.len());
}

/// A condition on a key that AWS does not give an action holds for nobody: what it is on would be denied for ever.
#[test]
fn aws_knows_the_tag_of_each_resource_that_a_policy_asks_for_it() {
    let policies = install::policies(&Account::of(ACCOUNT, REGION));
    let statements = policies.values().flat_map(|document| document["Statement"].as_array().expect("statements"));
    let key = "aws:ResourceTag/skydeck:installation";
    let asking = statements.filter(|statement| statement["Condition"]["StringEquals"].get(key).is_some());
    let actions = asking.flat_map(|statement| statement["Action"].as_array().expect("actions"));
    let actions: BTreeSet<&str> = actions.filter_map(Value::as_str).collect();
    assert!(actions.len() > 40, "{actions:?}");
    let without = told("keys.mjs", &json!(actions));
    // Overwriting: where AWS denies it, the parameter is deleted, which is asked of its tag, and made anew.
    assert_eq!(without, ["ssm:PutParameter"], "of {} actions", actions.len());
}
