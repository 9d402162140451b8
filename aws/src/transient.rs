//! Refusals of AWS that pass by themselves: the one list of them. An error that is in it is told to the state machine as
//! `NotYet`, whichever call it came from, and the state machine tries again, a bounded number of times.
//!
//! What a single call takes for done (`tolerate`: it is there already, it is gone already) stands at that call.

/// A refusal that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transient {
    /// The service that says it.
    pub service: &'static str,
    /// AWS's code.
    pub code: &'static str,
    /// Words of AWS's message, where the code stands for other things too.
    pub words: &'static str,
}

/// Whether this refusal passes by itself.
#[must_use]
pub fn passes(code: &str, message: &str) -> bool {
    find(TRANSIENT, code, message)
}

/// Whether AWS does not know what a write names. While a layer is applied that was made, or seen, a moment ago: AWS is
/// eventually consistent. Nothing here is named by a person: a certificate or a policy that is not there stays an error.
#[must_use]
pub fn is_unknown(code: &str, message: &str) -> bool {
    find(UNKNOWN, code, message)
}

fn find(list: &[Transient], code: &str, message: &str) -> bool {
    list.iter().any(|one| one.code == code && message.contains(one.words))
}

const fn of(service: &'static str, code: &'static str, words: &'static str) -> Transient {
    Transient { service, code, words }
}

/// AWS is at work on an earlier change, or has not told all its parts of one yet.
pub const TRANSIENT: &[Transient] = &[
    // An instance is still going, or somebody else's change of the group is under way.
    of("autoscaling", "ResourceInUse", ""),
    of("autoscaling", "ResourceInUseFault", ""),
    of("autoscaling", "ResourceContention", ""),
    of("autoscaling", "ResourceContentionFault", ""),
    of("autoscaling", "ScalingActivityInProgress", ""),
    of("autoscaling", "ScalingActivityInProgressFault", ""),
    // Its service-linked role was made a moment ago.
    of("autoscaling", "ServiceLinkedRoleFailure", ""),
    // An instance profile takes some seconds to reach EC2.
    of("autoscaling", "ValidationError", "Instance Profile"),
    of("autoscaling", "ValidationError", "iamInstanceProfile"),
    // A refresh of somebody else's that replaces instances of the version in use.
    of("autoscaling", "ValidationError", "active instance refresh"),
    // Interfaces of load balancers and functions linger, and rules of other groups that name this one.
    of("ec2", "DependencyViolation", ""),
    of("ec2", "IncorrectState", ""),
    of("ec2", "OperationNotPermitted.InUse", ""),
    of("ec2", "ConcurrentTagAccess", ""),
    // One change of a cluster's capacity providers at a time.
    of("ecs", "UpdateInProgressException", ""),
    of("ecs", "ResourceInUseException", ""),
    // What was just stopped or deregistered is still counted.
    of("ecs", "ClusterContainsTasksException", ""),
    of("ecs", "ClusterContainsServicesException", ""),
    of("ecs", "ClusterContainsContainerInstancesException", ""),
    of("ecs", "ClusterContainsCapacityProviderException", ""),
    of("ecs", "ClientException", "in use"),
    of("ecs", "InvalidParameterException", "still Draining"),
    // It is there although it was not seen: a lost answer, or somebody was faster. The next attempt observes whose it is.
    of("ecs", "InvalidParameterException", "not idempotent"),
    // A role, a service-linked one too, takes some seconds to reach ECS.
    of("ecs", "ClientException", "Role is not valid"),
    of("ecs", "ClientException", "service linked role"),
    of("ecs", "InvalidParameterException", "service linked role"),
    of("ecs", "InvalidParameterException", "Unable to assume role"),
    of("ecs", "InvalidParameterException", "Unable to assume the service linked role"),
    // The listener that forwards to the target group was made a moment ago.
    of("ecs", "InvalidParameterException", "does not have an associated load balancer"),
    // A target group is in use until its load balancer is quite gone.
    of("elasticloadbalancing", "ResourceInUse", ""),
    of("elasticloadbalancing", "OperationNotPermitted", "currently in use"),
    of("events", "ConcurrentModificationException", ""),
    of("events", "ValidationException", "cannot be assumed by principal"),
    of("iam", "ConcurrentModification", ""),
    of("iam", "ConcurrentModificationException", ""),
    // It may still see the policy or the role that has just been taken away.
    of("iam", "DeleteConflict", ""),
    of("iam", "EntityTemporarilyUnmodifiable", ""),
    // One change of a function at a time.
    of("lambda", "ResourceConflictException", ""),
    of("lambda", "ResourceNotReadyException", ""),
    of("lambda", "InvalidParameterValueException", "cannot be assumed by Lambda"),
    of("lambda", "InvalidParameterValueException", "does not have permissions to call"),
    of("lambda", "InvalidParameterValueException", "KMS key is invalid for CreateGrant"),
    of("logs", "OperationAborted", ""),
    of("logs", "OperationAbortedException", ""),
    of("s3", "OperationAborted", ""),
    of("s3", "ConditionalRequestConflict", ""),
    of("scheduler", "ConflictException", ""),
    of("scheduler", "ValidationException", "must allow AWS EventBridge Scheduler to assume the role"),
    of("sqs", "QueueDeletedRecently", ""),
    of("ssm", "TooManyUpdates", ""),
    of("states", "AccessDeniedException", "is authorized to assume the provided role"),
    of("states", "ConflictException", ""),
    of("states", "StateMachineDeleting", ""),
];

/// What AWS says of an id or a name that it does not know.
pub const UNKNOWN: &[Transient] = &[
    of("autoscaling", "ValidationError", "The specified launch template"),
    of("autoscaling", "ValidationError", "The subnet ID"),
    of("autoscaling", "ValidationError", "The security group"),
    of("autoscaling", "ValidationError", "AutoScalingGroup name not found"),
    of("ec2", "InvalidAssociationID.NotFound", ""),
    // So `CreateRoute` calls an internet gateway.
    of("ec2", "InvalidGatewayID.NotFound", ""),
    of("ec2", "InvalidGroup.NotFound", ""),
    of("ec2", "InvalidInternetGatewayID.NotFound", ""),
    of("ec2", "InvalidID", ""),
    of("ec2", "InvalidLaunchTemplateId.NotFound", ""),
    of("ec2", "InvalidLaunchTemplateId.NotFoundException", ""),
    of("ec2", "InvalidLaunchTemplateId.VersionNotFound", ""),
    of("ec2", "InvalidRouteTableID.NotFound", ""),
    // A route table or a subnet whose VPC is not known everywhere yet.
    of("ec2", "InvalidParameterValue", "belong to different networks"),
    of("ec2", "InvalidSecurityGroupID.NotFound", ""),
    of("ec2", "InvalidSubnetID.NotFound", ""),
    of("ec2", "InvalidVpcID.NotFound", ""),
    of("ecr", "RepositoryNotFoundException", ""),
    of("ecs", "ClusterNotFoundException", ""),
    of("ecs", "ServiceNotFoundException", ""),
    of("ecs", "ClientException", "TaskDefinition not found"),
    of("ecs", "ClientException", "The specified Auto Scaling group"),
    of("ecs", "InvalidParameterException", "The specified capacity provider"),
    of("ecs", "InvalidParameterException", "The target group with targetGroupArn"),
    of("elasticloadbalancing", "InvalidSecurityGroup", ""),
    // The gateway was attached a moment ago.
    of("elasticloadbalancing", "InvalidSubnet", "has no internet gateway"),
    of("elasticloadbalancing", "ListenerNotFound", ""),
    of("elasticloadbalancing", "LoadBalancerNotFound", ""),
    of("elasticloadbalancing", "RuleNotFound", ""),
    of("elasticloadbalancing", "SubnetNotFound", ""),
    of("elasticloadbalancing", "TargetGroupNotFound", ""),
    of("elasticloadbalancing", "ValidationError", "The VPC ID"),
    // A managed policy that a person names has the same code, and other words.
    of("iam", "NoSuchEntity", "The role with name"),
    of("iam", "NoSuchEntity", "Instance Profile"),
    of("lambda", "InvalidParameterValueException", "InvalidSubnetID.NotFound"),
    of("lambda", "InvalidParameterValueException", "InvalidGroup.NotFound"),
    of("lambda", "ResourceNotFoundException", "Function not found"),
    of("logs", "ResourceNotFoundException", "The specified log group does not exist"),
    of("s3", "NoSuchBucket", ""),
    of("ssm", "InvalidResourceId", ""),
    of("ssm", "ParameterNotFound", ""),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{TRANSIENT, UNKNOWN, is_unknown, passes};

    /// Words that AWS's message has around the ones of the list.
    fn told(words: &str) -> String {
        format!("An answer that says {words}, and more")
    }

    #[test]
    fn every_refusal_of_the_list_passes_and_another_with_its_code_does_not() {
        for one in TRANSIENT {
            assert!(passes(one.code, &told(one.words)), "{one:?}");
            let always = TRANSIENT.iter().any(|other| other.code == one.code && other.words.is_empty());
            assert_eq!(passes(one.code, "Something else is wrong"), always, "{one:?}");
        }
        for one in UNKNOWN {
            assert!(is_unknown(one.code, &told(one.words)), "{one:?}");
        }
        assert!(!is_unknown(
            "NoSuchEntity",
            "Policy arn:aws:iam::aws:policy/None does not exist or is not attachable."
        ));
        assert!(!is_unknown("CertificateNotFound", "Certificate 'arn' not found"));
    }

    #[test]
    fn no_refusal_is_in_the_list_twice() {
        let all: Vec<_> = TRANSIENT.iter().chain(UNKNOWN).collect();
        for (number, one) in all.iter().enumerate() {
            assert!(!all[..number].contains(one), "{one:?}");
        }
    }

    /// Rust files under a folder.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }

    /// Calls that match a code literally, and how many lines above one a comment may say why.
    const MATCHES: [&str; 5] = ["tolerate(", "look_again(", "not_yet(", ".says(\"", "code() == Some(\""];
    const NEAR: usize = 8;

    #[test]
    fn a_code_is_matched_elsewhere_only_where_a_comment_says_why() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in ["src/layer", "src/run", "../bootstrap/src/install"] {
            sources(&root.join(folder), &mut files);
        }
        assert!(files.len() > 40, "the sources are looked for in the wrong place");
        let mut silent = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let matches = MATCHES.iter().any(|call| line.contains(call)) && !line.trim_start().starts_with("//");
                let near = &lines[number.saturating_sub(NEAR)..number];
                if matches && !near.iter().any(|line| line.trim_start().starts_with("//")) {
                    silent.push(format!("{}:{}", file.display(), number + 1));
                }
            }
        }
        assert!(silent.is_empty(), "no comment says why a code is matched at\n{}", silent.join("\n"));
    }
}
