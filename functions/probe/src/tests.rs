//! The probe against a listener of HTTPS, whose certificate is for `api.example.com`, and one of HTTP.

use std::sync::Arc;

use reqwest::{Certificate, Client, ClientBuilder};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::ask::{Answer, Question, ask};

/// Answers one request with its head.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
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

fn trusting() -> ClientBuilder {
    Client::builder().no_proxy().tls_certs_only([Certificate::from_pem(include_bytes!("tests/ca.pem")).unwrap()])
}

async fn asked(client: ClientBuilder, url: String, connect_to: Option<&str>) -> Result<String, String> {
    let question = Question { url, connect_to: connect_to.map(Into::into), timeout_milliseconds: 30_000 };
    match ask(client, question).await {
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
    let body = asked(trusting(), url("api.example.com"), Some("127.0.0.1")).await.unwrap();
    assert!(body.starts_with("get /health ") && body.contains(&format!("host: api.example.com:{port}")), "{body}");
    let other = asked(trusting(), url("www.example.com"), Some("127.0.0.1")).await.unwrap_err();
    assert!(other.starts_with("no connection: ") && other.contains("certificate"), "{other}");
    let unknown = Client::builder().no_proxy();
    let unknown = asked(unknown, url("api.example.com"), Some("127.0.0.1")).await.unwrap_err();
    assert!(unknown.contains("certificate"), "a certificate that nobody vouches for: {unknown}");
}

#[tokio::test]
async fn http_is_asked_at_the_load_balancer_by_any_name() {
    let (port, _) = listeners().await;
    let body = asked(trusting(), format!("http://api.example.com:{port}/a"), Some("127.0.0.1")).await.unwrap();
    assert!(body.contains("host: api.example.com"), "{body}");
    let body = asked(trusting(), format!("http://127.0.0.1:{port}/a"), None).await.unwrap();
    assert!(body.contains(&format!("host: 127.0.0.1:{port}")), "{body}");
}

#[tokio::test]
async fn nobody_there_is_told() {
    let gone = bind().await.local_addr().unwrap().port();
    let told = asked(trusting(), format!("http://127.0.0.1:{gone}/"), None).await.unwrap_err();
    assert!(told.starts_with("no connection: "), "{told}");
}
