//! An answer as AWS gives it, and errors in the shape of each protocol.

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::StatusCode;
use serde_json::{Value, json};

use crate::gateway::naming::Protocol;
use crate::xml::escape;

/// A whole HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: body.into() }
    }

    /// JSON of the protocol AWS JSON 1.1.
    pub(crate) fn json(value: &Value) -> Self {
        Self::new(StatusCode::OK, "application/x-amz-json-1.1", value.to_string())
    }

    /// Plain JSON, for the sandbox's own interface.
    pub(crate) fn plain(status: StatusCode, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    pub(crate) fn xml(body: String) -> Self {
        Self::new(StatusCode::OK, "text/xml", body)
    }

    /// An error of AWS.
    pub(crate) fn error(protocol: Protocol, status: StatusCode, code: &str, message: &str) -> Self {
        let request = crate::ids::uuid();
        let (code_xml, message_xml) = (escape(code), escape(message));
        match protocol {
            Protocol::Ec2 => Self::new(
                status,
                "text/xml",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code_xml}</Code>\
                     <Message>{message_xml}</Message></Error></Errors><RequestID>{request}</RequestID></Response>"
                ),
            ),
            Protocol::Query => {
                let fault = if status.is_server_error() { "Receiver" } else { "Sender" };
                Self::new(
                    status,
                    "text/xml",
                    format!(
                        "<ErrorResponse><Error><Type>{fault}</Type><Code>{code_xml}</Code><Message>{message_xml}\
                         </Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
                    ),
                )
            }
            Protocol::S3 => Self::new(
                status,
                "application/xml",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code_xml}</Code><Message>{message_xml}\
                     </Message><RequestId>{request}</RequestId></Error>"
                ),
            ),
            Protocol::Json | Protocol::RestJson => {
                let body = json!({"__type": code, "message": message, "Message": message}).to_string();
                let mut answer = Self::new(status, "application/x-amz-json-1.1", body);
                let kind = HeaderValue::from_str(code).unwrap_or(HeaderValue::from_static("Error"));
                answer.headers.insert(HeaderName::from_static("x-amzn-errortype"), kind);
                answer
            }
        }
    }

    /// The error code in it, wherever the protocol puts it.
    pub(crate) fn error_code(&self) -> Option<String> {
        if self.status.as_u16() < 400 {
            return None;
        }
        let short = |text: &str| text.rsplit('#').next().and_then(|text| text.split(':').next()).map(str::to_owned);
        if let Some(kind) = self.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()) {
            return short(kind);
        }
        if let Ok(Value::Object(body)) = serde_json::from_slice(&self.body)
            && let Some(kind) = ["__type", "code", "Code"].iter().find_map(|key| body.get(*key)?.as_str())
        {
            return short(kind);
        }
        let text = String::from_utf8_lossy(&self.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        Some(code.map_or_else(|| self.status.as_str().to_owned(), |(code, _)| code.to_owned()))
    }
}
