//! A small world for the scheduler's tests: instances, agents and a load balancer that do as they are told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::alb::{Balancer, Target};

pub(super) const GROUP: &str = "arn:aws:autoscaling:ap-south-1:000000000000:autoScalingGroup:1:autoScalingGroupName/g";
pub(super) const TARGETS: &str = "arn:aws:elasticloadbalancing:ap-south-1:000000000000:targetgroup/t/1";

/// Targets are healthy as soon as they are registered, unless they are among the sick.
#[derive(Debug, Default)]
pub(super) struct Fake {
    /// Known targets, and when a draining one goes.
    pub(super) known: BTreeMap<Target, Option<f64>>,
    pub(super) sick: BTreeSet<Target>,
    pub(super) all_sick: bool,
    pub(super) delay: f64,
}

impl Balancer for Fake {
    fn register(&mut self, _now: f64, target: &Target) {
        self.known.insert(target.clone(), None);
    }

    fn deregister(&mut self, now: f64, target: &Target) {
        if let Some(until) = self.known.get_mut(target) {
            until.get_or_insert(now + self.delay);
        }
    }

    fn knows(&self, target: &Target) -> bool {
        self.known.contains_key(target)
    }

    fn is_healthy(&self, target: &Target) -> bool {
        self.known.get(target) == Some(&None) && !self.all_sick && !self.sick.contains(target)
    }

    fn complaint(&self, target: &Target) -> Option<String> {
        let sick = self.all_sick || self.sick.contains(target);
        (self.known.contains_key(target) && sick).then(|| "Health checks failed with these codes: [404]".to_owned())
    }
}

/// A cluster `c` with all that is around it; one step is one second of AWS.
pub(super) struct Sim {
    pub(super) region: Region,
    pub(super) world: World,
    pub(super) balancer: Fake,
    /// Tasks whose agents have not started them yet.
    starting: Vec<Launch>,
    born: usize,
}

impl Sim {
    pub(super) fn new(instances: usize) -> Self {
        let group = GroupFacts { arn: GROUP.into(), name: "g".into(), min: 0, max: 4, desired: instances as u32 };
        let world = World { now: 1000.0, speed: 1.0, groups: vec![group], ..World::default() };
        let region = Region::new("000000000000", "ap-south-1");
        let balancer = Fake { delay: 30.0, ..Fake::default() };
        let mut sim = Self { region, world, balancer, starting: Vec::new(), born: 0 };
        for _ in 0..instances {
            sim.add_instance(0.0);
        }
        sim.act("CreateCluster", json!({ "clusterName": "c" }));
        sim
    }

    pub(super) fn act(&mut self, action: &str, body: Value) -> Value {
        self.region.act(&self.world, action, body.to_string().as_bytes()).unwrap()
    }

    pub(super) fn add_instance(&mut self, after: f64) {
        self.born += 1;
        self.world.instances.push(Instance {
            id: format!("i-{:02}", self.born),
            group_arn: GROUP.into(),
            zone: format!("ap-south-1{}", ["a", "b", "c"][self.born % 3]),
            subnet: "subnet-1".into(),
            kind: "t4g.small".into(),
            image: "ami-1".into(),
            cluster: Some("c".into()),
            template: Default::default(),
            protected: false,
            launched: self.world.now,
            in_service: self.world.now,
            joined: self.world.now + after,
            draining: false,
            gone: None,
        });
    }

    /// A provider `p` with managed scaling, which the cluster uses.
    pub(super) fn provide(&mut self) {
        let provider = json!({ "name": "p", "autoScalingGroupProvider": {
            "autoScalingGroupArn": GROUP, "managedScaling": { "status": "ENABLED" } } });
        self.act("CreateCapacityProvider", provider);
        let strategy = json!([{ "capacityProvider": "p", "weight": 1 }]);
        let put = json!({ "cluster": "c", "capacityProviders": ["p"], "defaultCapacityProviderStrategy": strategy });
        self.act("PutClusterCapacityProviders", put);
    }

    pub(super) fn define(&mut self, family: &str, image: &str, cpu: i64, memory: i64) {
        let container = json!({ "name": "app", "image": image, "cpu": cpu, "memory": memory,
            "portMappings": [{ "containerPort": 8080 }] });
        self.act("RegisterTaskDefinition", json!({ "family": family, "containerDefinitions": [container] }));
    }

    pub(super) fn serve(&mut self, name: &str, count: i64, percents: (i64, i64), more: Value) {
        let mut body = json!({ "cluster": "c", "serviceName": name, "taskDefinition": name, "desiredCount": count,
            "deploymentConfiguration": { "maximumPercent": percents.0, "minimumHealthyPercent": percents.1 } });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        self.act("CreateService", body);
    }

    pub(super) fn update(&mut self, name: &str, more: Value) {
        let mut body = json!({ "cluster": "c", "service": name });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        self.act("UpdateService", body);
    }

    /// Lets a second pass.
    pub(super) fn step(&mut self) {
        self.world.now += 1.0;
        let now = self.world.now;
        for launch in std::mem::take(&mut self.starting) {
            let report = |region: &mut Region, report| region.report(&self.world, &launch.task, report);
            report(&mut self.region, Report::Pulled(vec![None]));
            match launch.containers[0].0.image.as_str() {
                "crash" => {
                    let exited = Report::Exited { container: "app".into(), code: 1, reason: None };
                    report(&mut self.region, exited);
                }
                "missing" => report(&mut self.region, Report::Failed("CannotPullContainerError: not found".into())),
                _ => report(&mut self.region, Report::Started),
            }
        }
        self.balancer.known.retain(|_, until| until.is_none_or(|until| until > now));
        self.world.instances.retain(|instance| !instance.is_gone(now));
        self.region.dirty = false;
        self.region.next = f64::INFINITY;
        for order in self.region.tick(&self.world, &mut self.balancer) {
            match order {
                Order::Start(launch) => self.starting.push(*launch),
                Order::Halt(task) => self.starting.retain(|launch| launch.task != task),
                Order::Desire { desired, .. } => self.desire(desired),
                Order::Release(id) => {
                    let released = self.world.instances.iter_mut().filter(|instance| instance.id == id);
                    released.for_each(|instance| instance.gone = Some(now + 5.0));
                }
            }
        }
    }

    fn desire(&mut self, desired: u32) {
        self.world.groups[0].desired = desired;
        while self.staying() < desired as usize {
            self.add_instance(50.0);
        }
        while self.staying() > desired as usize {
            let found = self.world.instances.iter_mut().find(|instance| !instance.is_ending());
            found.unwrap().draining = true;
        }
    }

    pub(super) fn staying(&self) -> usize {
        self.world.instances.iter().filter(|instance| !instance.is_ending()).count()
    }

    pub(super) fn lose(&mut self, nth: usize) {
        let now = self.world.now;
        if let Some(instance) = self.world.instances.get_mut(nth) {
            instance.gone = Some(now);
        }
    }

    pub(super) fn steps(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.step();
        }
    }

    pub(super) fn service(&self, name: &str) -> Value {
        let request = json!({ "cluster": "c", "services": [name] }).to_string();
        self.region.describe_services(&parse(request.as_bytes()).unwrap()).unwrap()["services"][0].clone()
    }

    /// What `services-stable` waits for.
    pub(super) fn is_stable(&self, name: &str) -> bool {
        let service = self.service(name);
        service["deployments"].as_array().unwrap().len() == 1 && service["runningCount"] == service["desiredCount"]
    }

    pub(super) fn events(&self, name: &str) -> Vec<String> {
        let service = self.service(name);
        let events = service["events"].as_array().unwrap();
        events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn said(&self, name: &str, part: &str) -> bool {
        self.events(name).iter().any(|event| event.contains(part))
    }
}
