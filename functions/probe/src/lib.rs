//! Asks load balancers and says what they answered: several times in a row, since one good answer proves little.
//!
//! It calls no AWS API. The function inside the VPC is this alone; the function `ask` does the same from outside.

mod ask;
#[cfg(test)]
mod tests;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

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

/// Asks everything.
pub async fn ask_all(questions: &Questions) -> Answers {
    let several = |question: &Question| {
        let question = question.clone();
        async move {
            let mut answers = Vec::new();
            for _ in 0..TIMES {
                answers.push(ask::ask(reqwest::Client::builder(), question.clone()).await);
                // Who is silent once is not waited for again.
                if matches!(answers.last(), Some(Answer::Silent { .. })) {
                    break;
                }
            }
            answers
        }
    };
    Answers { answers: join_all(questions.questions.iter().map(several)).await }
}
