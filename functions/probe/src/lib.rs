//! Asks load balancers and says what they answered: several times in a row, since one good answer proves little.
//!
//! It calls no AWS API. The function inside the VPC is this alone; the function `ask` does the same from outside.

mod ask;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::join_all;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use ask::Ways;
pub use ask::{Answer, Question};

/// How many times in a row each question is asked.
const TIMES: usize = 3;

/// What is to be asked.
#[derive(Debug, Deserialize)]
pub struct Questions {
    /// One after another, asked side by side.
    pub questions: Vec<Question>,
}

/// What came back: for each question the answers to the several times.
#[derive(Debug, Serialize)]
pub struct Answers {
    /// In the order of the questions.
    pub answers: Vec<Vec<Answer>>,
}

/// Chooses the implementation of TLS for all that this process asks: the one that the AWS clients have.
///
/// # Errors
/// Where one is chosen already.
pub fn choose_tls() -> Result<(), &'static str> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a provider of TLS is set already")
}

/// Asks everything: through the proxies, and trusting the authorities, that the environment names as usual
/// (`HTTPS_PROXY`, `SSL_CERT_FILE` and so on), else directly and trusting the system's.
pub async fn ask_all(questions: &Questions) -> Answers {
    let ways = Ways { tls: trusting(usual_roots()), proxies: Matcher::from_env() };
    let several = async |question: &Question| {
        let mut answers = Vec::new();
        for _ in 0..TIMES {
            answers.push(ask::ask(&ways, question).await);
            // Who is silent once is not waited for again.
            if matches!(answers.last(), Some(Answer::Silent { .. })) {
                break;
            }
        }
        answers
    };
    Answers { answers: join_all(questions.questions.iter().map(several)).await }
}

/// Who asks by HTTP needs no roots of trust, and there may be none.
fn usual_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn trusting(roots: RootCertStore) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
