//! Waiting for something to become true.

use std::time::{Duration, Instant};

use crate::error::HarnessError;

const PAUSE: Duration = Duration::from_millis(15);

/// Asks again and again until there is an answer, for at most `limit`.
///
/// # Errors
/// The first error of `ask`, or [`HarnessError::Late`].
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, HarnessError>,
) -> Result<T, HarnessError> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(HarnessError::Late {
                what: what.to_owned(),
                limit,
                detail: String::new(),
            });
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_the_first_answer_and_gives_up_in_time() {
        let mut asked = 0;
        let answer = until("three", Duration::from_secs(60), || {
            asked += 1;
            Ok((asked == 3).then_some(asked))
        });
        assert_eq!(answer.unwrap(), 3);
        let never = until("never", Duration::ZERO, || Ok(None::<()>));
        assert!(matches!(never, Err(HarnessError::Late { .. })));
    }
}
