//! Requests as they go over the wire, with whatever headers a test wants, signed or not.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use skydeck_sandbox::{Credentials, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// What is added behind the signature.
    pub(crate) unsigned: Vec<(String, String)>,
    pub(crate) body: String,
    /// What it calls the server: the server's own address where it says nothing, and nothing where it is empty.
    pub(crate) host: Option<String>,
    signature: Option<(Credentials, String, SystemTime)>,
}

/// The gateway's port.
pub(crate) fn port(sandbox: &Sandbox) -> u16 {
    sandbox.endpoint().rsplit(':').next().unwrap().parse().unwrap()
}

impl Raw {
    pub(crate) fn new(method: &str, path: &str, body: &str) -> Self {
        let [method, path, body] = [method, path, body].map(str::to_owned);
        Self { method, path, headers: Vec::new(), unsigned: Vec::new(), body, host: None, signature: None }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if name == "host" {
            self.host = Some(value.to_owned());
        } else {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// With a header that is not signed.
    pub(crate) fn unsigned(mut self, name: &str, value: &str) -> Self {
        self.unsigned.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signed by these keys, when it is sent.
    pub(crate) fn signed(self, keys: &Credentials, service: &str) -> Self {
        self.signed_at(keys, service, SystemTime::now())
    }

    pub(crate) fn signed_at(mut self, keys: &Credentials, service: &str, time: SystemTime) -> Self {
        self.signature = Some((keys.clone(), service.to_owned(), time));
        self
    }

    /// Status and body of the answer of whoever listens on that port of this machine; 0 where there is none.
    pub(crate) async fn send(&self, port: u16) -> (u16, String) {
        self.send_instead(port, &self.body).await
    }

    /// The same, with another body than the one that is signed.
    pub(crate) async fn send_instead(&self, port: u16, body: &str) -> (u16, String) {
        let host = self.host.clone().unwrap_or_else(|| format!("127.0.0.1:{port}"));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !host.is_empty() {
            head += &format!("host: {host}\r\n");
        }
        for (name, value) in self.headers.iter().chain(&self.unsigned).cloned().chain(self.signature(&host)) {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { return (0, answer) };
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn signature(&self, host: &str) -> Vec<(String, String)> {
        let Some((keys, service, time)) = &self.signature else { return Vec::new() };
        let (key, secret) = (&keys.access_key_id, &keys.secret_access_key);
        let identity = aws_credential_types::Credentials::new(key, secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder().identity(&identity).region("ap-south-1").name(service);
        let params: SigningParams<'_> = params.time(*time).settings(settings).build().unwrap().into();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // Nothing can be signed for no host.
        let host = if host.trim().is_empty() { "127.0.0.1" } else { host };
        let url = format!("http://{host}{}", self.path);
        let signed = sign(SignableRequest::new(&self.method, url, headers, body).unwrap(), &params).unwrap();
        let (headers, _) = signed.into_parts().0.into_parts();
        headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned())).collect()
    }
}
