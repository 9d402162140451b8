//! The scheduler in a world of its own.

use serde_json::{Value, json};

use super::sim::{Sim, TARGETS};
use super::task::Status;

fn balanced() -> Value {
    json!({ "loadBalancers": [{ "targetGroupArn": TARGETS, "containerName": "app", "containerPort": 8080 }] })
}

/// The reference's three services on their two instances, all running.
fn reference(provided: bool) -> Sim {
    let mut sim = Sim::new(2);
    if provided {
        sim.provide();
    }
    for (name, cpu, memory, percents) in
        [("backend", 475, 819, (200, 100)), ("payment", 230, 410, (150, 50)), ("movie", 230, 410, (150, 50))]
    {
        sim.define(name, "i", cpu, memory);
        sim.serve(name, 2, percents, balanced());
    }
    sim.steps(20);
    for name in ["backend", "payment", "movie"] {
        assert!(sim.is_stable(name), "{:?}", sim.events(name));
    }
    sim
}

#[test]
fn a_service_runs_and_says_so() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    sim.serve("s", 2, (200, 100), balanced());
    sim.step();
    assert_eq!((&sim.service("s")["pendingCount"], &sim.service("s")["runningCount"]), (&json!(2), &json!(0)));
    sim.steps(3);
    let events = sim.events("s");
    assert_eq!(events[0], "(service s) has reached a steady state.");
    assert!(events[1].contains("deployment completed."));
    assert_eq!(events[2], format!("(service s) registered 1 targets in (target-group {TARGETS})"));
    assert!(events[4].starts_with("(service s) has started 2 tasks: (task "), "{events:?}");
    assert_eq!(sim.service("s")["deployments"][0]["rolloutState"], "COMPLETED");
    let zones: Vec<_> = sim.region.tasks.values().map(|task| task.place.clone().unwrap().zone).collect();
    assert_ne!(zones[0], zones[1]);
}

#[test]
fn a_scale_in_drains_and_stops_in_order() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    sim.serve("s", 2, (200, 100), balanced());
    sim.steps(5);
    sim.update("s", json!({ "desiredCount": 1 }));
    let mut seen = Vec::new();
    for _ in 0..40 {
        sim.step();
        let ending = sim.region.tasks.values().find(|task| !task.is_wanted());
        if let Some(status) = ending.map(|task| task.status)
            && seen.last() != Some(&status)
        {
            seen.push(status);
        }
    }
    assert_eq!(seen, [Status::Deactivating, Status::Stopping, Status::Deprovisioning, Status::Stopped]);
    let stopped = sim.region.tasks.values().find(|task| !task.is_wanted()).unwrap();
    let stop = stopped.stop.clone().unwrap();
    assert_eq!(stop.code, "ServiceSchedulerInitiated");
    assert_eq!(stop.reason, format!("Scaling activity initiated by (deployment {})", stopped.deployment));
    assert!(
        sim.said("s", "has begun draining connections on 1 tasks.") && sim.said("s", "has stopped 1 running tasks")
    );
    assert!(sim.is_stable("s"));
}

#[test]
fn the_references_numbers_stall_without_a_capacity_provider() {
    let mut sim = reference(false);
    sim.update("backend", json!({ "forceNewDeployment": true }));
    sim.steps(1800);
    let text = "(service backend) was unable to place a task because no container instance met all of its requirements. \
                The closest matching (container-instance ";
    let event = sim.events("backend").remove(0);
    assert!(
        event.starts_with(text) && event.contains(") has insufficient memory available. For more information"),
        "{event}"
    );
    assert_eq!(sim.staying(), 2);
    assert!(!sim.is_stable("backend"));
    let service = sim.service("backend");
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!((&service["runningCount"], &service["deployments"].as_array().unwrap().len()), (&json!(2), &2));
    // The other two have room to roll in place.
    sim.update("payment", json!({ "forceNewDeployment": true }));
    sim.steps(200);
    assert!(sim.is_stable("payment"), "{:?}", sim.events("payment"));
}

#[test]
fn the_references_numbers_roll_with_a_capacity_provider() {
    let mut sim = reference(true);
    sim.update("backend", json!({ "forceNewDeployment": true }));
    sim.steps(60);
    assert!(sim.service("backend")["pendingCount"].as_i64() > Some(0));
    assert!(sim.region.tasks.values().any(|task| task.status == Status::Provisioning));
    sim.steps(240);
    assert!(sim.is_stable("backend"), "{:?}", sim.events("backend"));
    assert!(sim.staying() > 2);
    assert!(!sim.said("backend", "was unable to place"));
    // Every instance has tasks, so that none is too many; when they go, the group shrinks, tasks first.
    sim.steps(1500);
    assert_eq!(sim.staying(), 3);
    for name in ["payment", "movie"] {
        sim.update(name, json!({ "desiredCount": 0 }));
    }
    sim.update("backend", json!({ "desiredCount": 1 }));
    sim.steps(600);
    assert_eq!(sim.staying(), 3);
    sim.steps(600);
    assert_eq!(sim.staying(), 1, "{:?}", sim.region.providers["p"].scaling);
    assert!(sim.is_stable("backend"), "{:?}", sim.events("backend"));
    assert_eq!(sim.world.instances.len(), 1);
}

#[test]
fn a_group_at_its_maximum_is_told() {
    for tells in [false, true] {
        let mut sim = Sim::new(1);
        sim.world.tells_no_room = tells;
        sim.provide();
        sim.define("s", "i", 100, 1000);
        sim.serve("s", 9, (100, 0), json!({}));
        sim.steps(300);
        assert_eq!((sim.staying(), sim.service("s")["runningCount"].as_i64()), (4, Some(4)));
        assert_eq!(sim.said("s", "has insufficient memory available"), tells);
    }
}

#[test]
fn a_lost_instance_ends_its_tasks_and_others_take_over() {
    let mut sim = reference(false);
    sim.add_instance(0.0);
    sim.lose(0);
    sim.steps(2);
    let lost = sim.region.tasks.values().find(|task| task.stop.is_some()).unwrap();
    assert_eq!(lost.stop.as_ref().unwrap().reason, "Host EC2 (instance i-01) terminated.");
    assert_eq!(lost.stop.as_ref().unwrap().code, "TerminationNotice");
    sim.steps(30);
    for name in ["backend", "payment", "movie"] {
        assert!(sim.is_stable(name), "{:?}", sim.events(name));
    }
}

#[test]
fn a_draining_instance_is_left_without_falling_below_the_minimum() {
    let mut sim = reference(false);
    sim.add_instance(0.0);
    let arn = sim.region.nodes(&sim.world, "c")[0].arn.clone();
    sim.act(
        "UpdateContainerInstancesState",
        json!({ "cluster": "c", "containerInstances": [arn], "status": "DRAINING" }),
    );
    for _ in 0..200 {
        sim.step();
        assert!(sim.service("backend")["runningCount"].as_i64() >= Some(2));
    }
    let on = |id: &str| {
        sim.region.tasks.values().filter(|t| t.is_alive() && t.place.as_ref().unwrap().instance == id).count()
    };
    assert_eq!((on("i-01"), on("i-03")), (0, 3));
}

#[test]
fn the_circuit_breaker_trips_and_leaves_what_ran() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    let breaker = |rollback: bool| {
        json!({ "deploymentConfiguration": { "maximumPercent": 200, "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": { "enable": true, "rollback": rollback } } })
    };
    sim.serve("s", 2, (200, 100), breaker(false));
    sim.steps(50);
    sim.define("s", "crash", 100, 100);
    sim.update("s", json!({ "taskDefinition": "s" }));
    sim.steps(600);
    let deployments = sim.service("s")["deployments"].clone();
    assert_eq!(deployments[0]["rolloutState"], "FAILED");
    assert_eq!(deployments[0]["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
    assert!(deployments[0]["failedTasks"].as_i64() >= Some(3), "{deployments}");
    assert_eq!((&deployments[1]["runningCount"], &sim.service("s")["runningCount"]), (&json!(2), &json!(2)));
    let failed = sim.region.tasks.values().find(|task| task.stop.is_some()).unwrap();
    assert_eq!(failed.stop.as_ref().unwrap().code, "EssentialContainerExited");
    assert_eq!(failed.stop.as_ref().unwrap().reason, "Essential container in task exited");
    sim.update("s", breaker(true));
    sim.update("s", json!({ "forceNewDeployment": true }));
    sim.steps(600);
    assert!(sim.is_stable("s"), "{:?}", sim.events("s"));
    assert!(sim.said("s", "rolling back to (deployment ecs-svc/"));
    assert!(sim.service("s")["taskDefinition"].as_str().unwrap().ends_with("s:1"));
    let reason = sim.service("s")["deployments"][0]["rolloutStateReason"].clone();
    assert!(reason.as_str().unwrap().ends_with("completed."), "{reason}");
}

/// A healthy task sets the count to 0, and it goes on: of a deployment whose later tasks fail, too.
#[test]
fn the_circuit_breaker_counts_on_after_a_healthy_task() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    let mut more = balanced();
    more["deploymentConfiguration"] = json!({ "maximumPercent": 100, "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": { "enable": true, "rollback": false } });
    sim.serve("s", 2, (100, 50), more);
    sim.steps(5);
    sim.define("s", "j", 100, 100);
    sim.update("s", json!({ "taskDefinition": "s" }));
    let primary = sim.service("s")["deployments"][0]["id"].as_str().unwrap().to_owned();
    let is_new = |task: &super::task::Task| task.deployment == primary && task.was_healthy;
    for _ in 0..100 {
        sim.step();
        if sim.region.tasks.values().any(is_new) {
            break;
        }
    }
    assert!(sim.region.tasks.values().any(is_new), "{:?}", sim.events("s"));
    sim.balancer.all_sick = true;
    sim.steps(300);
    let deployments = sim.service("s")["deployments"].clone();
    assert_eq!((&deployments[0]["id"], &deployments[0]["rolloutState"]), (&json!(primary), &json!("FAILED")));
}

#[test]
fn a_task_that_nothing_checks_is_healthy_after_forty_seconds() {
    let mut sim = Sim::new(1);
    sim.define("s", "i", 100, 100);
    sim.serve("s", 1, (200, 100), json!({}));
    let state = |sim: &Sim| sim.service("s")["deployments"][0]["rolloutState"].clone();
    sim.steps(35);
    assert_eq!((&sim.service("s")["runningCount"], state(&sim)), (&json!(1), json!("IN_PROGRESS")));
    assert!(sim.region.due() < f64::INFINITY, "nothing looks at it again");
    sim.steps(15);
    assert_eq!(state(&sim), "COMPLETED");
}

/// Only tasks that never ran are throttled.
#[test]
fn tasks_that_have_run_are_started_anew_at_once() {
    let failures = |image: &str| {
        let mut sim = Sim::new(2);
        sim.define("s", image, 100, 100);
        sim.serve("s", 1, (200, 100), balanced());
        sim.balancer.all_sick = true;
        sim.steps(1200);
        sim.service("s")["deployments"][0]["failedTasks"].as_i64().unwrap()
    };
    let (ran, never_ran) = (failures("i"), failures("missing"));
    assert!(ran > 3 * never_ran, "{ran} failed that had run, and {never_ran} that had not");
}

/// A second release before the first has come up: what ran serves on until the last one has taken over.
#[test]
fn a_release_overtakes_another_and_what_ran_serves_meanwhile() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    sim.serve("s", 4, (150, 50), balanced());
    sim.steps(5);
    let ids = |sim: &Sim| {
        let service = sim.service("s");
        let deployments = service["deployments"].as_array().unwrap().iter();
        deployments.map(|d| (d["id"].as_str().unwrap().to_owned(), d["status"].as_str().unwrap().to_owned())).collect()
    };
    let first: Vec<(String, String)> = ids(&sim);
    for image in ["crash", "j"] {
        sim.define("s", image, 100, 100);
        sim.update("s", json!({ "taskDefinition": "s" }));
        for _ in 0..10 {
            sim.step();
            assert!(sim.service("s")["runningCount"].as_i64() >= Some(2));
        }
    }
    let among: Vec<(String, String)> = ids(&sim);
    assert_eq!((among[0].1.as_str(), among[1].1.as_str()), ("PRIMARY", "ACTIVE"));
    sim.steps(60);
    let last: Vec<(String, String)> = ids(&sim);
    assert_eq!((last.len(), &last[0]), (1, &among[0]));
    assert!(last[0].0.starts_with("ecs-svc/") && last[0] != first[0]);
    assert!(sim.service("s")["taskDefinition"].as_str().unwrap().ends_with("s:3"));
    // What is in use may be deregistered: it runs on, and grows; only nothing new takes it.
    sim.act("DeregisterTaskDefinition", json!({ "taskDefinition": "s:3" }));
    sim.update("s", json!({ "desiredCount": 5 }));
    sim.steps(10);
    assert_eq!(sim.service("s")["runningCount"], 5);
    let again = json!({ "cluster": "c", "service": "s", "taskDefinition": "s:3" }).to_string();
    assert!(sim.region.act(&sim.world, "UpdateService", again.as_bytes()).is_err());
}

#[test]
fn tasks_are_tagged_as_their_service_says() {
    let mut sim = Sim::new(1);
    let tag = |value: &str| json!([{ "key": "of", "value": value }]);
    let container = json!({ "name": "app", "image": "i", "memory": 100 });
    sim.act(
        "RegisterTaskDefinition",
        json!({ "family": "s", "containerDefinitions": [container], "tags": tag("definition") }),
    );
    for (name, how, found) in [("s", "SERVICE", "service"), ("t", "TASK_DEFINITION", "definition")] {
        let more =
            json!({ "serviceName": name, "tags": tag("service"), "propagateTags": how, "enableECSManagedTags": true });
        sim.serve("s", 1, (200, 100), more);
        sim.steps(3);
        let task = sim.region.tasks.values().find(|task| task.service == name).unwrap().id.clone();
        let ask = json!({ "cluster": "c", "tasks": [task], "include": ["TAGS"] });
        let tags = sim.act("DescribeTasks", ask)["tasks"][0]["tags"].clone();
        assert_eq!(
            (&tags[0]["value"], &tags[2]),
            (&json!(found), &json!({ "key": "aws:ecs:serviceName", "value": name }))
        );
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_told() {
    let mut sim = Sim::new(1);
    sim.define("s", "missing", 100, 100);
    sim.serve("s", 1, (200, 100), json!({}));
    sim.steps(200);
    let stop = sim.region.tasks.values().find_map(|task| task.stop.clone()).unwrap();
    assert_eq!((stop.code, stop.reason.as_str()), ("TaskFailedToStart", "CannotPullContainerError: not found"));
    assert_eq!(sim.service("s")["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[test]
fn sick_targets_are_replaced_after_the_grace_period() {
    let mut sim = Sim::new(2);
    sim.define("s", "i", 100, 100);
    let mut more = balanced();
    more["healthCheckGracePeriodSeconds"] = json!(60);
    sim.serve("s", 1, (200, 100), more);
    sim.balancer.all_sick = true;
    sim.steps(55);
    assert!(sim.region.tasks.values().all(super::task::Task::is_wanted));
    sim.steps(20);
    let stop = sim.region.tasks.values().find_map(|task| task.stop.clone()).unwrap();
    assert_eq!(stop.reason, format!("Task failed ELB health checks in (target-group {TARGETS})"));
    let words = "due to (reason Health checks failed with these codes: [404])";
    assert!(sim.said("s", "is unhealthy in (target-group") && sim.said("s", words));
    assert!(sim.service("s")["deployments"][0]["failedTasks"].as_i64() > Some(0));
}

#[test]
fn a_deleted_service_drains_before_it_is_inactive() {
    let mut sim = Sim::new(1);
    sim.define("s", "i", 100, 100);
    sim.serve("s", 1, (200, 100), balanced());
    sim.steps(5);
    let deleted = sim.act("DeleteService", json!({ "cluster": "c", "service": "s", "force": true }));
    assert_eq!(deleted["service"]["status"], "DRAINING");
    sim.steps(10);
    assert_eq!(sim.service("s")["status"], "DRAINING");
    for _ in 0..40 {
        sim.step();
        if sim.service("s")["status"] == "INACTIVE" {
            break;
        }
    }
    assert_eq!(sim.service("s")["status"], "INACTIVE");
    // Its task is stopping still, and holds the cluster.
    assert!(sim.region.tasks.values().any(|task| task.status == Status::Stopping));
    let refusal = sim.region.act(&sim.world, "DeleteCluster", json!({ "cluster": "c" }).to_string().as_bytes());
    assert!(format!("{:?}", refusal.unwrap_err()).contains("ClusterContainsTasksException"));
}

/// Work is counted, not time: each of 300 tasks is placed once, and a quiet cluster is not looked at.
#[test]
fn three_hundred_tasks_on_a_hundred_instances_are_little_work() {
    let mut sim = Sim::new(100);
    for name in ["a", "b", "d"] {
        sim.define(name, "i", 230, 410);
        sim.serve(name, 100, (200, 100), balanced());
    }
    sim.steps(10);
    for name in ["a", "b", "d"] {
        assert!(sim.is_stable(name));
    }
    assert_eq!(sim.region.work.placements, 300);
    assert_eq!(sim.region.work.nodes, 300 * 100);
    assert!(sim.region.due() > sim.world.now + 3600.0, "{}", sim.region.due());
    sim.update("a", json!({ "forceNewDeployment": true }));
    sim.steps(60);
    assert!(sim.is_stable("a"), "{:?}", sim.events("a"));
    assert_eq!(sim.region.work.placements, 400);
    // A minute of a rollout looks at each task some times a second, and no more.
    assert!(sim.region.work.tasks < 70 * 500, "{:?}", sim.region.work);
}
