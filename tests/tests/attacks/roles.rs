//! The ways to more rights: to an administrator's, by handing roles on, through a platform's role, by records and values.

use serde_json::json;

use super::attempt::*;

/// The ways to an administrator's rights.
pub(super) fn to_administrator() -> Vec<Try> {
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
pub(super) fn by_handing_on() -> Vec<Try> {
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

/// What a role of a platform cannot do, whatever policy it is given.
pub(super) fn through_a_platforms_role() -> Vec<Try> {
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
pub(super) fn records_and_values() -> Vec<Try> {
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
