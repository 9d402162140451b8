//! A client's side of the load balancers: one request through the gateway as a proxy, from outside or inside the VPC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a load balancer answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Server`: `awselb/2.0` where the load balancer itself answered.
    pub server: Option<String>,
    /// The header `Location`, where it redirects.
    pub location: Option<String>,
    /// The body.
    pub body: String,
}

/// Asks through the sandbox at that endpoint; `None` where there is no way.
pub(crate) async fn ask(
    endpoint: &str,
    inside: bool,
    (method, url): (&str, &str),
    headers: &[(&str, &str)],
) -> Option<Reply> {
    let host = url.strip_prefix("http://")?.split('/').next()?;
    let user = STANDARD.encode(if inside { "vpc:" } else { "outside:" });
    let mut text = format!(
        "{method} {url} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic {user}\r\nContent-Length: 0\r\n\
         Connection: close\r\n"
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    let mut stream = TcpStream::connect(endpoint.strip_prefix("http://")?).await.ok()?;
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
    };
    Some(Reply { status, server: header("server"), location: header("location"), body: body.to_owned() })
}
