//! Asks load balancers and says what they answered: several times in a row, since one good answer proves little.
//!
//! It calls no AWS API. The function inside the VPC is this alone; the function `ask` does the same from outside.

use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

/// How many times in a row each question is asked.
const TIMES: usize = 3;
/// As much of a body as a person needs to recognise it.
const BODY_LIMIT: usize = 1024;

/// What is to be asked.
#[derive(Debug, Deserialize)]
pub struct Questions {
    /// One after another, asked side by side.
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Debug, Deserialize)]
pub struct Question {
    /// The URL to ask, with the load balancer's own DNS name.
    pub url: String,
    /// Milliseconds to wait for the answer.
    #[serde(default = "default_timeout")]
    pub timeout_milliseconds: u64,
}

fn default_timeout() -> u64 {
    5000
}

/// What came back: for each question the answers to the several times.
#[derive(Debug, Serialize)]
pub struct Answers {
    /// In the order of the questions.
    pub answers: Vec<Vec<Answer>>,
}

/// One answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named after HTTP's")]
pub enum Answer {
    /// An HTTP answer, whatever its status.
    Answered { status: u16, server: Option<String>, body: String },
    /// None: no connection, or none in time.
    Silent { reason: String },
}

/// A client as this asks: a redirect is an answer.
///
/// # Errors
/// Where the client cannot be made.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()
}

/// Asks everything.
pub async fn ask_all(client: &reqwest::Client, questions: &Questions) -> Answers {
    let several = |question| async move {
        let mut answers = Vec::new();
        for _ in 0..TIMES {
            answers.push(ask(client, question).await);
            // Who is silent once is not waited for again.
            if matches!(answers.last(), Some(Answer::Silent { .. })) {
                break;
            }
        }
        answers
    };
    Answers { answers: join_all(questions.questions.iter().map(several)).await }
}

async fn ask(client: &reqwest::Client, question: &Question) -> Answer {
    let timeout = Duration::from_millis(question.timeout_milliseconds);
    match client.get(&question.url).timeout(timeout).send().await {
        Err(error) => silent(&error),
        Ok(response) => {
            let status = response.status().as_u16();
            let server = response.headers().get("server").and_then(|value| value.to_str().ok()).map(Into::into);
            match response.text().await {
                Err(error) => silent(&error),
                Ok(body) => Answer::Answered { status, server, body: body.chars().take(BODY_LIMIT).collect() },
            }
        }
    }
}

fn silent(error: &reqwest::Error) -> Answer {
    let reason = match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "no connection",
        _ => "the answer broke off",
    };
    Answer::Silent { reason: reason.into() }
}
