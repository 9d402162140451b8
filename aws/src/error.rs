//! What can go wrong, told as verb, resource, code and advice; and the names by which the state machine knows it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use skydeck_core::plan::Refusal;

use crate::transient;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a layer did not get done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is wrong: AWS is still at it. The state machine retries.
    #[error("still waiting for {0}")]
    NotYet(String),
    /// AWS refused a call.
    #[error("{verb} {resource}: {code}: {message}{}", advice(code))]
    Aws {
        /// What was tried, such as `create VPC`.
        verb: String,
        /// The resource's name.
        resource: String,
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// Another run of the same platform is at work.
    #[error("{holder} is at work on {platform}. Wait for its end, or stop it in the Step Functions console")]
    Locked {
        /// `<platform>-<environment>`.
        platform: String,
        /// ARN of the execution that holds the lock.
        holder: String,
    },
    /// A plan was to be applied, and the world is no longer what it was made of.
    #[error(
        "plan {plan} no longer holds: {} moved since it was made, and nothing was changed. Make a new one with `skydeck plan`",
        told(moved)
    )]
    Moved {
        /// The plan's id.
        plan: String,
        /// What has moved.
        moved: Vec<String>,
    },
    /// What was decided no longer holds: it has to be decided again.
    #[error("{0} came in between")]
    Stale(String),
    /// The run cannot begin as it was asked for: input, platform file, installation.
    #[error("{0}")]
    Input(String),
    /// The planner refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Several changes of one layer failed; the first decides the error's name.
    #[error("{first} (and {} more: {})", rest.len(), list(rest))]
    Several {
        /// The first failure.
        first: Box<Error>,
        /// The others.
        rest: Vec<Error>,
    },
    /// Skydeck's own records are not what they should be.
    #[error("{0}")]
    Broken(String),
}

fn list(errors: &[Error]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Things and whether they are one or more, as a sentence goes on with them.
fn told(things: &[String]) -> String {
    match things {
        [only] => format!("{only} has"),
        [first @ .., last] => format!("{} and {last} have", first.join(", ")),
        [] => "a layer has".into(),
    }
}

impl Error {
    /// The name by which the state machine's Retry and Catch know the error. These names are a contract.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Error::NotYet(_) => "NotYet",
            Error::Aws { code, message, .. } if transient::passes(code, message) => "NotYet",
            Error::Aws { code, .. } if is_throttling(code) || is_aws_own(code) => "Throttled",
            Error::Aws { code, .. } if is_denial(code) => "AccessDenied",
            Error::Aws { .. } => "AwsError",
            Error::Refused(Refusal::Taken { .. }) => "Taken",
            Error::Refused(_) => "Refused",
            Error::Locked { .. } => "Locked",
            Error::Moved { .. } => "Moved",
            Error::Stale(_) => "Stale",
            Error::Input(_) => "BadInput",
            Error::Several { first, .. } => first.error_type(),
            Error::Broken(_) => "Broken",
        }
    }

    /// AWS's error code, where AWS answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Aws { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether there is no such thing, by AWS's code.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let code = self.code().unwrap_or_default();
        ["NotFound", "NotFoundException", "NoSuchEntity", "NoSuchBucket"].iter().any(|end| code.ends_with(end))
    }

    /// Whether the next attempt may well succeed: AWS is still at something.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.error_type() == "NotYet"
    }

    /// Whether AWS does not know yet what a write names, though skydeck has made or seen it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Error::Aws { code, message, .. } if transient::is_unknown(code, message))
    }

    /// Whether AWS answered with this code and these words: some codes stand for many things.
    #[must_use]
    pub fn says(&self, wanted: &str, words: &str) -> bool {
        matches!(self, Error::Aws { code, message, .. } if code == wanted && message.contains(words))
    }

    /// One error out of many. What only waits gives way to what is really wrong.
    #[must_use]
    pub fn join(mut errors: Vec<Error>) -> Option<Error> {
        errors.sort_by_key(Error::passes);
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        let rest: Vec<Error> = errors.filter(|error| !error.passes()).collect();
        Some(if rest.is_empty() { first } else { Error::Several { first: Box::new(first), rest } })
    }
}

/// What stands in an answer's place where none came.
const NO_ANSWER: &str = "NoAnswer";

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "SlowDown"
    ) || code == NO_ANSWER
}

/// AWS's own failures. Whether the call had its effect is open, so that the next attempt has to look.
fn is_aws_own(code: &str) -> bool {
    matches!(
        code,
        "InternalError"
            | "InternalFailure"
            | "InternalServerError"
            | "InternalServiceError"
            | "ServerException"
            | "ServiceException"
            | "ServiceFailure"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "Unavailable"
    )
}

fn is_denial(code: &str) -> bool {
    matches!(code, "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" | "403")
}

/// What a person can do about a code; empty where the message says it all.
fn advice(code: &str) -> &'static str {
    match code {
        code if is_denial(code) => {
            ". The function's role lacks this permission; or the resource has lost its tag `skydeck:installation`, without which \
             no function may change it; or a boundary or service control policy denies it"
        }
        NO_ANSWER => ". No answer came from AWS; the next attempt finds out whether the call had its effect",
        code if is_throttling(code) => ". AWS asked to slow down",
        code if is_aws_own(code) => {
            ". The failure is AWS's own; the next attempt finds out whether the call had its effect"
        }
        "BucketAlreadyExists" => {
            ". Another account owns a bucket of this name; set `suffix` for the bucket in the platform file"
        }
        "VpcLimitExceeded" | "LimitExceeded" | "LimitExceededException" | "ServiceQuotaExceededException" => {
            ". A quota of the account is used up; raise it in Service Quotas, or remove what is unused"
        }
        _ => "",
    }
}

/// Tells an SDK error as a person needs it.
pub trait Explain<T> {
    /// Says what was tried (`create VPC`) and on which resource.
    ///
    /// # Errors
    /// [`Error::Aws`] where the call failed.
    fn during(self, verb: &str, resource: &str) -> Result<T>;

    /// Like [`Explain::during`], but an error with one of these codes means that there is no such thing.
    ///
    /// # Errors
    /// [`Error::Aws`] where the call failed with another code.
    fn find(self, codes: &[&str], verb: &str, resource: &str) -> Result<Option<T>>;
}

impl<T, E> Explain<T> for std::result::Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
{
    fn during(self, verb: &str, resource: &str) -> Result<T> {
        self.map_err(|error| explain(&error, verb, resource))
    }

    fn find(self, codes: &[&str], verb: &str, resource: &str) -> Result<Option<T>> {
        match self.during(verb, resource) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code().is_some_and(|code| codes.contains(&code)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn explain<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, verb: &str, resource: &str) -> Error {
    let (code, message) = match error {
        SdkError::ServiceError(service) => (
            service.err().code().unwrap_or_else(|| wordless(service.raw().status().as_u16())).to_owned(),
            service.err().message().unwrap_or("AWS gave no message").trim_end_matches('.').to_owned(),
        ),
        SdkError::ConstructionFailure(_) => ("BadRequest".to_owned(), "the request could not be built".to_owned()),
        SdkError::TimeoutError(_) => (NO_ANSWER.to_owned(), "the call timed out".to_owned()),
        _ => (NO_ANSWER.to_owned(), "the connection failed".to_owned()),
    };
    Error::Aws { verb: verb.to_owned(), resource: resource.to_owned(), code, message }
}

/// The code that an answer without a body would have had: that to a `HEAD` of S3.
fn wordless(status: u16) -> &'static str {
    match status {
        403 => "Forbidden",
        404 => "NotFound",
        429 | 503 => "SlowDown",
        500.. => "InternalError",
        _ => "Unknown",
    }
}

/// Takes "it is already so" for done. Each use says in a comment which race it is.
///
/// # Errors
/// Every error with another code.
pub fn tolerate<T>(result: Result<T>, codes: &[&str]) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.code().is_some_and(|code| codes.contains(&code)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes "not now" for [`Error::NotYet`]. Each use says in a comment what AWS is still at.
///
/// # Errors
/// All errors, some of them as [`Error::NotYet`].
pub fn not_yet<T>(result: Result<T>, passes: impl Fn(&Error) -> bool) -> Result<T> {
    result.map_err(|error| if passes(&error) { Error::NotYet(error.to_string()) } else { error })
}

/// Takes "it exists already" for "look again". Either an answer was lost and this is a retry, or somebody else was
/// faster since the world was observed: the next attempt observes whose it is, before anything is built on it.
///
/// # Errors
/// [`Error::NotYet`] for these codes, and every error with another code.
pub fn look_again<T>(result: Result<T>, codes: &[&str]) -> Result<T> {
    not_yet(result, |error| error.code().is_some_and(|code| codes.contains(&code)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use skydeck_core::plan::Refusal;

    use super::Error;

    fn words(list: &Value) -> impl Iterator<Item = &str> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    fn aws(code: &str) -> Error {
        let (verb, resource) = ("create VPC".to_owned(), "skyfox-devprod-vpc".to_owned());
        Error::Aws { verb, resource, code: code.to_owned(), message: "no".to_owned() }
    }

    #[test]
    fn the_names_that_the_state_machine_knows_errors_by_are_these() {
        let taken = Refusal::Taken { kind: "bucket".to_owned(), name: "b".to_owned(), advice: "Rename it".to_owned() };
        let impossible = Refusal::Impossible { what: "no room".to_owned(), advice: "Make some".to_owned() };
        let locked = Error::Locked { platform: "p".to_owned(), holder: "h".to_owned() };
        let names = [
            (Error::NotYet("x".to_owned()), "NotYet"),
            (aws("RequestLimitExceeded"), "Throttled"),
            (aws("NoAnswer"), "Throttled"),
            (aws("OperationAborted"), "NotYet"),
            (aws("ServiceUnavailable"), "Throttled"),
            (aws("InternalError"), "Throttled"),
            (aws("UnauthorizedOperation"), "AccessDenied"),
            (aws("VpcLimitExceeded"), "AwsError"),
            (Error::Refused(taken), "Taken"),
            (Error::Refused(impossible), "Refused"),
            (locked, "Locked"),
            (Error::Moved { plan: "p".to_owned(), moved: Vec::new() }, "Moved"),
            (Error::Stale("x".to_owned()), "Stale"),
            (Error::Input("x".to_owned()), "BadInput"),
            (Error::Broken("x".to_owned()), "Broken"),
        ];
        for (error, name) in &names {
            assert_eq!(error.error_type(), *name, "{error}");
        }
        // What no further attempt would mend is told at once; the others are tried again.
        let file: Value = serde_json::from_str(include_str!("../../statemachine/retry.json")).unwrap();
        let last: BTreeSet<&str> = words(&file["retry"][0]["ErrorEquals"]).collect();
        assert_eq!(file["retry"][0]["MaxAttempts"], 0);
        let again = ["NotYet", "Throttled", "AwsError", "AccessDenied"];
        let wanted = names.iter().map(|(_, name)| *name).filter(|name| !again.contains(name)).collect();
        assert_eq!(last, wanted);
        let several = Error::Several { first: Box::new(aws("AccessDenied")), rest: vec![aws("Throttling")] };
        assert_eq!(several.error_type(), "AccessDenied", "the first decides");
    }

    #[test]
    fn an_error_of_aws_is_told_as_verb_resource_code_and_advice() {
        let told = aws("UnauthorizedOperation").to_string();
        assert!(
            told.starts_with("create VPC skyfox-devprod-vpc: UnauthorizedOperation: no. The function's role"),
            "{told}"
        );
    }
}
