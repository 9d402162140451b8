//! The probe against a listener of HTTPS, whose certificate is for `api.example.com`, and one of HTTP.

use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::ask::{Answer, Question, Ways, ask};
use crate::trusting;

/// The head of a request.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

/// Answers one request with its head.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let Some(head) = head(&mut stream).await else { return };
    let answer = format!("HTTP/1.1 200 OK\r\nserver: awselb/2.0\r\ncontent-length: {}\r\n\r\n", head.len());
    stream.write_all(&[answer.as_bytes(), &head].concat()).await.unwrap();
    stream.shutdown().await.ok();
}

/// A load balancer's two listeners; their ports.
async fn listeners() -> (u16, u16) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let chain = CertificateDer::from_pem_slice(include_bytes!("tests/api.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tests/api.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (plain, secure) = (bind().await, bind().await);
    let ports = (plain.local_addr().unwrap().port(), secure.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = secure.accept().await {
            let accepted = acceptor.accept(stream);
            tokio::spawn(async move {
                if let Ok(stream) = accepted.await {
                    echo(stream).await;
                }
            });
        }
    });
    ports
}

async fn bind() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

/// A proxy whose ways through all lead to one port; who asks it for something else is answered by itself.
async fn proxy(port: u16) -> u16 {
    let listener = bind().await;
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = String::from_utf8(head(&mut stream).await.unwrap()).unwrap().to_lowercase();
            assert!(head.contains("proxy-authorization: basic "), "{head}");
            if head.starts_with("connect lb.internal:443 ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                copy_bidirectional(&mut stream, &mut there).await.ok();
            } else {
                let head = head.replace("\r\n\r\n", "");
                let length = head.len();
                let answer = format!("HTTP/1.1 200 OK\r\nserver: awselb/2.0\r\ncontent-length: {length}\r\n\r\n{head}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    own
}

fn no_proxy() -> Matcher {
    Matcher::builder().build()
}

/// Trusts who signed the listener's certificate.
fn our_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("tests/ca.pem")).unwrap()).unwrap();
    roots
}

fn direct() -> Ways {
    Ways { tls: trusting(our_roots()), proxies: no_proxy() }
}

async fn asked(ways: Ways, url: String, connect_to: Option<&str>) -> Result<String, String> {
    let question = Question { url, connect_to: connect_to.map(Into::into), timeout_milliseconds: 30_000 };
    match ask(&ways, &question).await {
        Answer::Answered { status, server, body } => {
            assert_eq!((status, server.as_deref()), (200, Some("awselb/2.0")));
            Ok(body.to_lowercase())
        }
        Answer::Silent { reason } => Err(reason),
    }
}

#[tokio::test]
async fn https_is_asked_at_the_load_balancer_by_the_name_that_its_certificate_is_for() {
    let (_, port) = listeners().await;
    let url = |name: &str| format!("https://{name}:{port}/health");
    let body = asked(direct(), url("api.example.com"), Some("127.0.0.1")).await.unwrap();
    assert!(body.starts_with("get /health ") && body.contains(&format!("host: api.example.com:{port}")), "{body}");
    let other = asked(direct(), url("www.example.com"), Some("127.0.0.1")).await.unwrap_err();
    assert!(other.starts_with("no connection: ") && other.contains("certificate"), "{other}");
    let unknown = Ways { tls: trusting(RootCertStore::empty()), proxies: no_proxy() };
    let unknown = asked(unknown, url("api.example.com"), Some("127.0.0.1")).await.unwrap_err();
    assert!(unknown.contains("certificate"), "a certificate that nobody vouches for: {unknown}");
}

#[tokio::test]
async fn a_proxy_finds_the_load_balancer_by_its_own_name_and_the_certificate_is_for_the_urls() {
    let (_, port) = listeners().await;
    let proxy = format!("http://me:secret@127.0.0.1:{}", proxy(port).await);
    let ways = || Ways { tls: trusting(our_roots()), proxies: Matcher::builder().all(proxy.as_str()).build() };
    let body = asked(ways(), "https://api.example.com/health?a=1".into(), Some("lb.internal")).await.unwrap();
    assert!(body.starts_with("get /health?a=1 ") && body.contains("host: api.example.com\r\n"), "{body}");
    assert!(!body.contains("proxy-authorization"), "the proxy's password is its own: {body}");
    let other = asked(ways(), "https://www.example.com/".into(), Some("lb.internal")).await.unwrap_err();
    assert!(other.contains("certificate"), "{other}");
    let body = asked(ways(), "http://api.example.com/health".into(), Some("lb.internal")).await.unwrap();
    assert!(body.starts_with("get http://lb.internal/health ") && body.contains("host: api.example.com\r\n"), "{body}");
}

#[tokio::test]
async fn http_is_asked_at_the_load_balancer_by_any_name() {
    let (port, _) = listeners().await;
    let body = asked(direct(), format!("http://api.example.com:{port}/a"), Some("127.0.0.1")).await.unwrap();
    assert!(body.contains("host: api.example.com"), "{body}");
    let body = asked(direct(), format!("http://127.0.0.1:{port}/a"), None).await.unwrap();
    assert!(body.contains(&format!("host: 127.0.0.1:{port}")), "{body}");
}

#[tokio::test]
async fn nobody_there_is_told() {
    let gone = bind().await.local_addr().unwrap().port();
    let told = asked(direct(), format!("http://127.0.0.1:{gone}/"), None).await.unwrap_err();
    assert!(told.starts_with("no connection: "), "{told}");
}
