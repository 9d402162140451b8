//! Patience with AWS: who waits for minutes survives minutes of trouble, and says that there is some.

use std::time::{Duration, Instant};

use skydeck_aws::{Error, Result};

/// How long AWS may be out of reach, or overloaded, before that is the answer.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Between two attempts, at first and at most. Each attempt is several calls of the SDK's own.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Asks until there is an answer. What passes (throttling, AWS's own failures, no connection, credentials that are just
/// being renewed) is told once and asked again for minutes; what lasts, such as a denial, is the answer at once.
pub(crate) async fn patiently<T>(tell: &(dyn Fn(&str) + Sync), ask: impl AsyncFn() -> Result<T>) -> Result<T> {
    within(LONGEST, FIRST_PAUSE, tell, ask).await
}

async fn within<T>(
    longest: Duration,
    mut pause: Duration,
    tell: &(dyn Fn(&str) + Sync),
    ask: impl AsyncFn() -> Result<T>,
) -> Result<T> {
    let mut trouble = None;
    loop {
        let error = match ask().await {
            Err(error) if passes(&error) => error,
            answer => return answer,
        };
        let since = *trouble.get_or_insert_with(|| {
            tell(&format!("{error}. Trying again, for {} minutes at most", LONGEST.as_secs() / 60));
            Instant::now()
        });
        if since.elapsed() >= longest {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Whether it may work later, unchanged. `Throttled` is the name of all that is AWS's own or got no answer.
fn passes(error: &Error) -> bool {
    let renewed = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeout"];
    error.error_type() == "Throttled" || error.code().is_some_and(|code| renewed.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;

    fn error(code: &str) -> Error {
        let text = |text: &str| text.to_owned();
        Error::Aws { verb: text("read"), resource: text("x"), code: text(code), message: text("no") }
    }

    const PAUSE: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn what_passes_is_asked_again_and_told_once() {
        let (asked, told) = (Cell::new(0), Mutex::new(Vec::new()));
        let tell = |text: &str| told.lock().unwrap().push(text.to_owned());
        let codes = ["SlowDown", "NoAnswer", "InternalError", "ThrottlingException", "ExpiredTokenException"];
        let answer = within(LONGEST, PAUSE, &tell, async || {
            asked.set(asked.get() + 1);
            codes.get(asked.get() - 1).map_or(Ok(7), |code| Err(error(code)))
        });
        assert_eq!(answer.await, Ok(7));
        let told = told.into_inner().unwrap();
        assert_eq!((asked.get(), told.len()), (6, 1), "{told:?}");
        assert!(told[0].contains("SlowDown") && told[0].ends_with("for 5 minutes at most"), "{told:?}");
    }

    #[tokio::test]
    async fn what_lasts_is_the_answer_at_once_and_trouble_is_one_in_the_end() {
        let asked = Cell::new(0);
        let answer = async |code: &str, longest| {
            asked.set(0);
            let ask = async || {
                asked.set(asked.get() + 1);
                Err::<(), _>(error(code))
            };
            within(longest, PAUSE, &|_| {}, ask).await
        };
        for code in ["AccessDenied", "NoSuchBucket", "NoCredentials"] {
            assert_eq!((answer(code, LONGEST).await, asked.get()), (Err(error(code)), 1));
        }
        assert_eq!(answer("NoAnswer", PAUSE * 3).await, Err(error("NoAnswer")));
        assert!(asked.get() > 1);
    }
}
