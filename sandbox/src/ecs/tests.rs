//! The nouns of ECS on their own.

use serde_json::{Value, json};

use super::*;

const GROUP: &str = "arn:aws:autoscaling:ap-south-1:000000000000:autoScalingGroup:1:autoScalingGroupName/g";

fn world() -> World {
    let group = GroupFacts { arn: GROUP.to_owned(), name: "g".to_owned(), min: 0, max: 4, desired: 0 };
    World { now: 1000.0, groups: vec![group], ..World::default() }
}

fn act(region: &mut Region, action: &str, body: Value) -> Result {
    region.act(&world(), action, body.to_string().as_bytes())
}

fn code(result: Result) -> &'static str {
    result.unwrap_err().code()
}

fn with_cluster() -> Region {
    let mut region = Region::new("000000000000", "ap-south-1");
    act(&mut region, "CreateCluster", json!({ "clusterName": "c" })).unwrap();
    region
}

fn container() -> Value {
    json!({
        "name": "backend", "image": "i", "memory": 819, "cpu": 475,
        "portMappings": [{ "containerPort": 8080 }], "healthCheck": { "command": ["CMD", "x"], "startPeriod": 60 },
    })
}

fn register(region: &mut Region) -> Value {
    let body = json!({ "family": "f", "networkMode": "bridge", "containerDefinitions": [container()] });
    act(region, "RegisterTaskDefinition", body).unwrap()["taskDefinition"].clone()
}

#[test]
fn a_task_definition_is_filled_in_and_numbered() {
    let mut region = with_cluster();
    let first = register(&mut region);
    assert_eq!(first["taskDefinitionArn"], "arn:aws:ecs:ap-south-1:000000000000:task-definition/f:1");
    let port = &first["containerDefinitions"][0]["portMappings"][0];
    assert_eq!((&port["hostPort"], &port["protocol"]), (&json!(0), &json!("tcp")));
    assert_eq!(first["containerDefinitions"][0]["healthCheck"]["retries"], 3);
    assert_eq!(first["compatibilities"], json!(["EXTERNAL", "EC2"]));
    assert_eq!((&first["status"], &first["registeredAt"]), (&json!("ACTIVE"), &json!(1000.0)));
    act(&mut region, "DeregisterTaskDefinition", json!({ "taskDefinition": "f:1" })).unwrap();
    assert_eq!(register(&mut region)["revision"], 2);
    let inactive = act(&mut region, "ListTaskDefinitions", json!({ "status": "INACTIVE" })).unwrap();
    assert_eq!(inactive["taskDefinitionArns"].as_array().unwrap().len(), 1);
    let deleted = act(&mut region, "DeleteTaskDefinitions", json!({ "taskDefinitions": ["f:1", "f:2"] })).unwrap();
    assert_eq!(deleted["failures"][0]["reason"], "TASK_DEFINITION_NOT_INACTIVE");
    assert_eq!(code(act(&mut region, "DescribeTaskDefinition", json!({ "taskDefinition": "f:1" }))), "ClientException");
}

// fidelity: F-ECS-10
#[test]
fn a_revision_goes_when_nothing_refers_to_it_any_more() {
    let mut region = with_cluster();
    register(&mut region);
    let service = json!({ "cluster": "c", "serviceName": "s", "taskDefinition": "f:1", "desiredCount": 0 });
    act(&mut region, "CreateService", service).unwrap();
    act(&mut region, "DeregisterTaskDefinition", json!({ "taskDefinition": "f:1" })).unwrap();
    let deleted = act(&mut region, "DeleteTaskDefinitions", json!({ "taskDefinitions": ["f:1"] })).unwrap();
    assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    let found = act(&mut region, "DescribeTaskDefinition", json!({ "taskDefinition": "f:1" })).unwrap();
    assert_eq!(found["taskDefinition"]["status"], "DELETE_IN_PROGRESS", "the service refers to it");
    let used = json!({ "cluster": "c", "service": "s", "taskDefinition": "f:1" });
    assert_eq!(code(act(&mut region, "UpdateService", used)), "ClientException");
    let families = |region: &mut Region| {
        act(region, "ListTaskDefinitionFamilies", json!({})).unwrap()["families"].as_array().unwrap().len()
    };
    assert_eq!(families(&mut region), 1);

    act(&mut region, "DeleteService", json!({ "cluster": "c", "service": "s" })).unwrap();
    region.delete_unused();
    assert_eq!(code(act(&mut region, "DescribeTaskDefinition", json!({ "taskDefinition": "f:1" }))), "ClientException");
    assert_eq!(families(&mut region), 0, "the name is not told any more");
    assert_eq!(register(&mut region)["revision"], 2, "and its number goes on");
}

#[test]
fn a_wrong_task_definition_is_refused() {
    let mut region = with_cluster();
    for (key, value) in [("name", json!("a b")), ("image", json!("")), ("memory", Value::Null), ("cpu", json!(-1))] {
        let mut container = container();
        container[key] = value;
        let container = without_nulls(container);
        let body = json!({ "family": "f", "containerDefinitions": [container] });
        assert_eq!(code(act(&mut region, "RegisterTaskDefinition", body)), "ClientException", "{key}");
    }
    let body = json!({ "family": "f g", "containerDefinitions": [container()] });
    assert_eq!(code(act(&mut region, "RegisterTaskDefinition", body)), "ClientException");
}

#[test]
fn a_service_without_tasks_lives_and_ends() {
    let mut region = with_cluster();
    register(&mut region);
    let body =
        json!({ "cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": 0, "clientToken": "t" });
    let service = act(&mut region, "CreateService", body.clone()).unwrap()["service"].clone();
    assert_eq!(service["serviceArn"], "arn:aws:ecs:ap-south-1:000000000000:service/c/s");
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(service["events"][0]["message"], "(service s) has reached a steady state.");
    assert!(act(&mut region, "CreateService", body.clone()).is_ok());
    let mut other = body.clone();
    other["clientToken"] = json!("u");
    let refused = act(&mut region, "CreateService", other).unwrap_err();
    assert_eq!(refused.message(), "Creation of service was not idempotent.");
    assert_eq!(code(act(&mut region, "DeleteCluster", json!({ "cluster": "c" }))), "ClusterContainsServicesException");
    act(&mut region, "UpdateService", json!({ "cluster": "c", "service": "s", "desiredCount": 2 })).unwrap();
    let delete = json!({ "cluster": "c", "service": "s" });
    assert_eq!(code(act(&mut region, "DeleteService", delete.clone())), "InvalidParameterException");
    act(&mut region, "UpdateService", json!({ "cluster": "c", "service": "s", "desiredCount": 0 })).unwrap();
    assert_eq!(act(&mut region, "DeleteService", delete.clone()).unwrap()["service"]["status"], "DRAINING");
    let described = act(&mut region, "DescribeServices", json!({ "cluster": "c", "services": ["s", "x"] })).unwrap();
    assert_eq!(described["services"][0]["status"], "INACTIVE");
    assert_eq!(described["failures"][0]["reason"], "MISSING");
    assert_eq!(code(act(&mut region, "DeleteService", delete)), "ServiceNotActiveException");
    assert!(act(&mut region, "CreateService", body).is_ok());
}

#[test]
fn a_service_is_checked() {
    let mut region = with_cluster();
    register(&mut region);
    let base = json!({ "cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": 0 });
    let wrong = [
        ("cluster", json!("x"), "ClusterNotFoundException"),
        ("taskDefinition", json!("x"), "ClientException"),
        ("capacityProviderStrategy", json!([{ "capacityProvider": "x", "weight": 1 }]), "InvalidParameterException"),
        ("loadBalancers", json!([{ "containerName": "backend", "containerPort": 1 }]), "InvalidParameterException"),
        ("healthCheckGracePeriodSeconds", json!(300), "InvalidParameterException"),
        ("deploymentConfiguration", json!({ "maximumPercent": 100 }), "InvalidParameterException"),
    ];
    for (key, value, expected) in wrong {
        let mut body = base.clone();
        body[key] = value;
        assert_eq!(code(act(&mut region, "CreateService", body)), expected, "{key}");
    }
}

#[test]
fn a_capacity_provider_is_attached_and_detached() {
    let mut region = with_cluster();
    register(&mut region);
    let provider = json!({ "name": "p", "autoScalingGroupProvider": {
        "autoScalingGroupArn": GROUP, "managedScaling": { "status": "ENABLED" } } });
    let made = act(&mut region, "CreateCapacityProvider", provider.clone()).unwrap()["capacityProvider"].clone();
    assert_eq!(made["autoScalingGroupProvider"]["managedScaling"]["targetCapacity"], 100);
    assert_eq!(made["autoScalingGroupProvider"]["managedDraining"], "ENABLED");
    assert_eq!(code(act(&mut region, "CreateCapacityProvider", provider)), "ClientException");
    let put = json!({ "cluster": "c", "capacityProviders": ["p"],
        "defaultCapacityProviderStrategy": [{ "capacityProvider": "p", "weight": 1 }] });
    act(&mut region, "PutClusterCapacityProviders", put).unwrap();
    let delete = json!({ "capacityProvider": "p" });
    assert_eq!(code(act(&mut region, "DeleteCapacityProvider", delete.clone())), "ResourceInUseException");
    let service = json!({ "cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": 0 });
    let made = act(&mut region, "CreateService", service).unwrap()["service"].clone();
    assert_eq!(made["capacityProviderStrategy"][0]["capacityProvider"], "p");
    let none = json!({ "cluster": "c", "capacityProviders": [], "defaultCapacityProviderStrategy": [] });
    assert_eq!(code(act(&mut region, "PutClusterCapacityProviders", none.clone())), "ResourceInUseException");
    act(&mut region, "DeleteService", json!({ "cluster": "c", "service": "s" })).unwrap();
    act(&mut region, "PutClusterCapacityProviders", none).unwrap();
    assert_eq!(act(&mut region, "DeleteCapacityProvider", delete).unwrap()["capacityProvider"]["status"], "INACTIVE");
    act(&mut region, "DeleteCluster", json!({ "cluster": "c" })).unwrap();
    let described = act(&mut region, "DescribeClusters", json!({ "clusters": ["c"] })).unwrap();
    assert_eq!(described["clusters"][0]["status"], "INACTIVE");
}

#[test]
fn lists_come_in_pages() {
    let mut region = with_cluster();
    for number in 0..5 {
        act(&mut region, "CreateCluster", json!({ "clusterName": format!("c{number}") })).unwrap();
    }
    let first = act(&mut region, "ListClusters", json!({ "maxResults": 4 })).unwrap();
    assert_eq!(first["clusterArns"].as_array().unwrap().len(), 4);
    let rest = act(&mut region, "ListClusters", json!({ "maxResults": 4, "nextToken": first["nextToken"] })).unwrap();
    assert_eq!((rest["clusterArns"].as_array().unwrap().len(), rest.get("nextToken")), (2, None));
}

#[test]
fn an_unknown_action_says_so() {
    let refused = act(&mut with_cluster(), "RunTask", json!({})).unwrap_err();
    assert!(refused.message().contains("RunTask"), "{refused:?}");
}
