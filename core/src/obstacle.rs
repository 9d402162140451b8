//! What of the platform's own keeps a run from its end, and is known before anything is touched: what lost the tag without which
//! no role of skydeck's may change it, and what holds something that nobody has given up.

use std::fmt;

use crate::scope::{Scope, TAG_INSTALLATION, Tags};

/// How many are told of one by one.
pub(crate) const TOLD: usize = 20;

/// Something of the platform's that is in its own way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// It lacks the tag [`TAG_INSTALLATION`], and skydeck's roles may not give it: only a person can.
    Unmarked {
        /// What it is.
        kind: Kind,
        /// Its id, name or ARN, as the call that tags it wants it.
        id: String,
        /// The value that the tag has to have.
        value: String,
    },
    /// A parameter that services read and whose value a person gives: it lacks the tag [`TAG_INSTALLATION`], without which their roles
    /// may not read it.
    Withheld {
        /// Its name.
        parameter: String,
        /// The value that the tag has to have.
        value: String,
    },
    /// It would be deleted and holds what the platform file does not give up.
    Holds {
        /// AWS's word for it.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is in it.
        what: &'static str,
        /// How a person gives it up in the platform file.
        key: &'static str,
    },
}

/// The kinds of resource whose changes ask for the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as AWS names it")]
pub enum Kind {
    AutoScalingGroup,
    CapacityProvider,
    Cluster,
    Function,
    InternetGateway,
    LaunchTemplate,
    Listener,
    ListenerRule,
    LoadBalancer,
    LogGroup,
    Parameter,
    Repository,
    RouteTable,
    SecurityGroup,
    Service,
    Subnet,
    TargetGroup,
    Vpc,
}

impl Kind {
    /// AWS's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::AutoScalingGroup => "Auto Scaling group",
            Kind::CapacityProvider => "capacity provider",
            Kind::Cluster => "cluster",
            Kind::Function => "Lambda function",
            Kind::InternetGateway => "internet gateway",
            Kind::LaunchTemplate => "launch template",
            Kind::Listener => "listener",
            Kind::ListenerRule => "listener rule",
            Kind::LoadBalancer => "load balancer",
            Kind::LogGroup => "log group",
            Kind::Parameter => "SSM parameter",
            Kind::Repository => "ECR repository",
            Kind::RouteTable => "route table",
            Kind::SecurityGroup => "security group",
            Kind::Service => "service",
            Kind::Subnet => "subnet",
            Kind::TargetGroup => "target group",
            Kind::Vpc => "VPC",
        }
    }

    /// The command that gives a resource of this kind a tag.
    #[must_use]
    pub fn tag_command(self, id: &str, key: &str, value: &str) -> String {
        match self {
            Kind::InternetGateway
            | Kind::LaunchTemplate
            | Kind::RouteTable
            | Kind::SecurityGroup
            | Kind::Subnet
            | Kind::Vpc => format!("aws ec2 create-tags --resources {id} --tags Key={key},Value={value}"),
            Kind::Listener | Kind::ListenerRule | Kind::LoadBalancer | Kind::TargetGroup => {
                format!("aws elbv2 add-tags --resource-arns {id} --tags Key={key},Value={value}")
            }
            Kind::CapacityProvider | Kind::Cluster | Kind::Service => {
                format!("aws ecs tag-resource --resource-arn {id} --tags key={key},value={value}")
            }
            Kind::AutoScalingGroup => format!(
                "aws autoscaling create-or-update-tags --tags ResourceId={id},ResourceType=auto-scaling-group,Key={key},\
                 Value={value},PropagateAtLaunch=true"
            ),
            Kind::Function => format!("aws lambda tag-resource --resource {id} --tags {key}={value}"),
            Kind::LogGroup => format!("aws logs tag-resource --resource-arn {id} --tags {key}={value}"),
            Kind::Parameter => format!(
                "aws ssm add-tags-to-resource --resource-type Parameter --resource-id {id} --tags Key={key},Value={value}"
            ),
            Kind::Repository => format!("aws ecr tag-resource --resource-arn {id} --tags Key={key},Value={value}"),
        }
    }
}

/// What of these lacks the tag: only what is the platform's by its other tags, for the rest is somebody else's.
pub fn unmarked<'a>(scope: &Scope, found: impl IntoIterator<Item = (Kind, &'a String, &'a Tags)>) -> Vec<Obstacle> {
    let value = &scope.platform.region;
    let found = found.into_iter().filter(|(_, _, tags)| scope.owns(tags) && !scope.is_marked(tags));
    found.map(|(kind, id, _)| Obstacle::Unmarked { kind, id: id.clone(), value: value.clone() }).collect()
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Unmarked { kind, id, value } => write!(
                f,
                "{} {id} has lost its tag {TAG_INSTALLATION}={value}, without which skydeck may not touch it. Give it back: {}",
                kind.word(),
                kind.tag_command(id, TAG_INSTALLATION, value)
            ),
            Obstacle::Withheld { parameter, value } => write!(
                f,
                "{} {parameter} lacks the tag {TAG_INSTALLATION}={value}, without which no service may read it. `skydeck secret set \
                 {parameter}` gives it value and tag, and this command the tag alone: {} --region {value}",
                Kind::Parameter.word(),
                Kind::Parameter.tag_command(parameter, TAG_INSTALLATION, value)
            ),
            Obstacle::Holds { kind, name, what, key } => write!(
                f,
                "{kind} {name} holds {what}, and skydeck leaves those alone. Delete them; or set `{key} = true` in the platform \
                 file, and apply it before"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::lines;

    #[test]
    fn each_is_told_with_what_a_person_can_do_and_a_long_list_has_an_end() {
        let template =
            Obstacle::Unmarked { kind: Kind::LaunchTemplate, id: "lt-1".into(), value: "eu-central-1".into() };
        let key = Obstacle::Withheld { parameter: "/shop/key".into(), value: "eu-central-1".into() };
        let (kind, name) = ("S3 bucket", "shop-prod-files".into());
        let bucket = Obstacle::Holds { kind, name, what: "objects", key: "delete-with-objects" };
        assert_eq!(
            lines(&[template.clone(), key, bucket], TOLD),
            "\n- launch template lt-1 has lost its tag skydeck:installation=eu-central-1, without which skydeck may not touch it. \
             Give it back: aws ec2 create-tags --resources lt-1 --tags Key=skydeck:installation,Value=eu-central-1\
             \n- SSM parameter /shop/key lacks the tag skydeck:installation=eu-central-1, without which no service may read it. \
             `skydeck secret set /shop/key` gives it value and tag, and this command the tag alone: aws ssm add-tags-to-resource \
             --resource-type Parameter --resource-id /shop/key --tags Key=skydeck:installation,Value=eu-central-1 --region \
             eu-central-1\
             \n- S3 bucket shop-prod-files holds objects, and skydeck leaves those alone. Delete them; or set `delete-with-objects \
             = true` in the platform file, and apply it before"
        );
        assert!(lines(&vec![template; TOLD + 3], TOLD).ends_with("\n- and 3 more"));
    }
}
