//! How AWS refuses what is not signed, or not as it should be.

use hyper::http::StatusCode;

use crate::answer::Answer;
use crate::gateway::naming::Protocol;

/// Why a call is refused before anybody looks at what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no signature.
    Unsigned,
    /// It has something in place of one.
    Malformed,
    /// The key was not issued in this run.
    UnknownKey,
    /// It was signed with another secret, or is not what was signed.
    Mismatch,
    /// It has a header that AWS acts on and nobody has signed.
    UnsignedHeader,
    /// It was signed for another service than the one that its host leads to.
    OtherService,
    /// The body is not the one of which the hash was signed.
    OtherBody,
    /// It was signed too long ago, or too far ahead.
    Skewed,
    /// An address that was signed in advance does not hold any more.
    Expired,
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";
const UNKNOWN: &str = "The security token included in the request is invalid.";
const UNSIGNED: &str = "Missing Authentication Token";
const UNVALIDATED: &str = "AWS was not able to validate the provided access credentials";

impl Refusal {
    pub(super) fn answer(&self, protocol: Protocol) -> Answer {
        let (status, code, message) = match protocol {
            Protocol::S3 => self.of_s3(),
            Protocol::Ec2 => self.of_ec2(),
            Protocol::Query => self.of_query(),
            Protocol::Json | Protocol::RestJson => self.of_json(),
        };
        Answer::error(protocol, StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), code, message)
    }

    fn of_s3(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unsigned => (403, "AccessDenied", "Access Denied"),
            Self::Malformed => {
                (400, "AuthorizationHeaderMalformed", "The authorization that you provided is not valid.")
            }
            Self::OtherService => (
                400,
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed; the Credential should be scoped to the service 's3'.",
            ),
            Self::UnsignedHeader => {
                (403, "AccessDenied", "There were headers present in the request which were not signed")
            }
            Self::UnknownKey => {
                (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
            }
            Self::Mismatch => (403, "SignatureDoesNotMatch", MISMATCH),
            Self::OtherBody => (
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Self::Skewed => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::Expired => (403, "AccessDenied", "Request has expired"),
        }
    }

    fn of_ec2(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unsigned => (403, "MissingAuthenticationToken", UNSIGNED),
            Self::Skewed | Self::Expired => (400, "RequestExpired", "Request has expired."),
            _ => (401, "AuthFailure", UNVALIDATED),
        }
    }

    fn of_query(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unsigned => (403, "MissingAuthenticationToken", UNSIGNED),
            Self::Malformed => (400, "IncompleteSignature", "The request signature does not conform to AWS standards."),
            Self::UnknownKey => (403, "InvalidClientTokenId", UNKNOWN),
            Self::Skewed | Self::Expired => (403, "SignatureDoesNotMatch", "Signature expired"),
            Self::Mismatch | Self::UnsignedHeader | Self::OtherService | Self::OtherBody => {
                (403, "SignatureDoesNotMatch", MISMATCH)
            }
        }
    }

    fn of_json(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unsigned => (403, "MissingAuthenticationTokenException", UNSIGNED),
            Self::Malformed => {
                (400, "IncompleteSignatureException", "The request signature does not conform to AWS standards.")
            }
            Self::UnknownKey => (403, "UnrecognizedClientException", UNKNOWN),
            Self::Skewed | Self::Expired => (403, "InvalidSignatureException", "Signature expired"),
            Self::Mismatch | Self::UnsignedHeader | Self::OtherService | Self::OtherBody => {
                (403, "InvalidSignatureException", MISMATCH)
            }
        }
    }
}
