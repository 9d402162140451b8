//! The state `Ask` of a run: asks from outside the VPC, and judges the answers from both sides.

use skydeck_core::verdict::{Answer, Answers, Asked, Verification, judge};
use skydeck_probe as probe;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    probe::choose_tls()?;
    skydeck_functions::serve("ask", async |_, asked: Asked| Ok(ask(asked).await)).await
}

async fn ask(asked: Asked) -> Verification {
    let question = |question: &skydeck_core::verdict::Question| probe::Question {
        url: question.url.clone(),
        connect_to: question.connect_to.clone(),
        timeout_milliseconds: question.timeout_milliseconds,
    };
    let questions = asked.verification.outside.questions.iter().map(question).collect();
    let outside = probe::ask_all(&probe::Questions { questions }).await;
    let answers = outside.answers.into_iter().map(|answers| answers.into_iter().map(answer).collect());
    let outside = Answers { answers: answers.collect() };
    judge(asked.verification, &outside, &asked.inside.unwrap_or_default())
}

fn answer(answer: probe::Answer) -> Answer {
    match answer {
        probe::Answer::Answered { status, server, body } => Answer::Answered { status, server, body },
        probe::Answer::Silent { reason } => Answer::Silent { reason },
    }
}
