//! The errors of ECS.

use hyper::http::StatusCode;

/// Why a call is refused, by AWS's error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Client(String),
    Invalid(String),
    ClusterNotFound,
    ServiceNotFound,
    ServiceNotActive,
    ResourceInUse(String),
    ResourceNotFound(String),
    Named(&'static str, &'static str),
    Serialization(String),
}

impl Refusal {
    pub(crate) const CONTAINS_SERVICES: Self =
        Self::Named("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.");
    pub(crate) const CONTAINS_TASKS: Self =
        Self::Named("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.");
    pub(crate) const CONTAINS_INSTANCES: Self = Self::Named(
        "ClusterContainsContainerInstancesException",
        "The Cluster cannot be deleted while Container Instances are active or draining.",
    );

    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::Client(message.into())
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn unsupported(action: &str) -> Self {
        Self::Invalid(format!("The sandbox does not answer ecs {action}"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Client(_) => "ClientException",
            Self::Invalid(_) => "InvalidParameterException",
            Self::ClusterNotFound => "ClusterNotFoundException",
            Self::ServiceNotFound => "ServiceNotFoundException",
            Self::ServiceNotActive => "ServiceNotActiveException",
            Self::ResourceInUse(_) => "ResourceInUseException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::Named(code, _) => code,
            Self::Serialization(_) => "SerializationException",
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Client(text)
            | Self::Invalid(text)
            | Self::ResourceInUse(text)
            | Self::ResourceNotFound(text)
            | Self::Serialization(text) => text,
            Self::ClusterNotFound => "Cluster not found.",
            Self::ServiceNotFound => "Service not found.",
            Self::ServiceNotActive => "Service was not ACTIVE.",
            Self::Named(_, text) => text,
        }
    }
}
