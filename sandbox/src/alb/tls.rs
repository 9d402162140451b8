//! TLS of load balancers: their certificates as ACM has them, and a client's way through the proxy to a listener of HTTPS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::proxy::{Door, Via};
use crate::Error;
use crate::asg::Place;
use crate::gateway::upstream::Upstream;
use crate::gateway::{Lost, Shared, into_response};

/// The authority that signs what ACM issues, and the certificates that were imported into ACM.
#[derive(Debug)]
pub(crate) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    /// By ARN. ACM itself gives no key away.
    imported: Mutex<HashMap<String, Imported>>,
}

/// All in PEM.
#[derive(Debug, Clone, Default)]
struct Imported {
    chain: String,
    key: String,
}

/// A client that has been given its way to a load balancer, and speaks TLS from then on.
pub(crate) struct Tunnel {
    pub(crate) via: Via,
    pub(crate) door: Door,
    pub(crate) upgrade: OnUpgrade,
}

impl Certificates {
    pub(crate) fn new() -> Result<Self, Error> {
        let authority = || {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "skydeck sandbox");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let authority = authority().map_err(|error| Error::net("an authority for certificates")(error.into()))?;
        Ok(Self { authority, imported: Mutex::default() })
    }

    /// What a client trusts who trusts the load balancers of this sandbox.
    pub(crate) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// Keeps what `ImportCertificate` was given; the emulator has answered it with the ARN.
    pub(crate) fn import(&self, request: &[u8], answer: &[u8]) {
        let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
        let (request, answer) = (read(request), read(answer));
        let pem = |field: &str| {
            let bytes = request[field].as_str().and_then(|text| STANDARD.decode(text).ok());
            String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
        };
        let chain = format!("{}\n{}", pem("Certificate"), pem("CertificateChain"));
        let Some(arn) = answer["CertificateArn"].as_str() else { return };
        let mut imported = self.imported.lock().unwrap_or_else(PoisonError::into_inner);
        imported.insert(arn.to_owned(), Imported { chain, key: pem("PrivateKey") });
    }

    /// The server's side of a listener with that certificate. It is asked for anew for each connection, so that another
    /// certificate under the same ARN holds at once.
    async fn server(&self, upstream: &Upstream, place: &Place, arn: &str) -> Result<ServerConfig, Error> {
        let imported = self.imported.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned();
        let unfit = || Error::net(format!("certificate {arn}"));
        let (chain, key) = match imported {
            Some(Imported { chain, key }) => {
                let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
                (chain.map_err(|error| unfit()(error.into()))?, key.map_err(|error| unfit()(error.into()))?)
            }
            None => self.issue(names(upstream, place, arn).await?).map_err(|error| unfit()(error.into()))?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        config.map_err(|error| unfit()(error.into()))
    }

    fn issue(
        &self,
        names: Vec<String>,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.authority)?;
        let chain = vec![certificate.der().clone()];
        Ok((chain, PrivateKeyDer::Pkcs8(key.serialize_der().into())))
    }
}

/// What ACM says that its certificate is for.
async fn names(upstream: &Upstream, place: &Place, arn: &str) -> Result<Vec<String>, Error> {
    let target = "CertificateManager.DescribeCertificate";
    let asked = json!({ "CertificateArn": arn });
    let found = upstream.json(&place.account, &place.region, "acm", target, &asked).await?;
    let names = found["Certificate"]["SubjectAlternativeNames"].as_array().cloned().unwrap_or_default();
    Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

impl Shared {
    /// Serves what comes through a tunnel, until the client goes. Where there is no certificate, the connection closes.
    pub(crate) async fn serve_tunnel(self: Arc<Self>, tunnel: Tunnel) {
        let Tunnel { via, door, upgrade } = tunnel;
        let Ok(stream) = upgrade.await else { return };
        let Some(certificate) = self.certificate(via, &door).await else { return };
        let server = match self.certificates.server(&self.upstream, &self.home(), &certificate).await {
            Ok(server) => server,
            Err(error) => {
                tracing::warn!(error = crate::error::chain(&error), "a load balancer cannot speak TLS");
                return;
            }
        };
        // An error is a client that does not trust the certificate, or that went away.
        let Ok(stream) = TlsAcceptor::from(Arc::new(server)).accept(TokioIo::new(stream)).await else { return };
        let (shared, door) = (&self, &door);
        let service = service_fn(async |request: Request<Incoming>| {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return Err(Lost) };
            shared.balance(via, door, &parts, body.to_bytes()).await.map(into_response).ok_or(Lost)
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}
