//! No answer of a backend is waited for longer than the lease allows under which it is asked.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::error::Error;
use crate::ports::{CaError, Clock};

/// How long an answer is waited for. What is asked under one lease fits into it: see `begin::LEASE`.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// When a backend that was too slow, or cannot be reached, is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// The answer of a backend, or `None` when it takes too long.
pub(super) async fn in_time<T>(clock: &dyn Clock, answer: impl Future<Output = T>) -> Option<T> {
    within(clock, ANSWER_WITHIN, answer).await
}

/// The answer, or `None` when it takes longer than this; then nobody waits for it any more.
pub(super) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = pin!(answer);
    let mut deadline = clock.sleep(limit);
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => deadline.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// The answer to a question that can be asked again at any time.
pub(super) async fn asked<T>(
    clock: &dyn Clock,
    answer: impl Future<Output = Result<T, CaError>>,
) -> Result<T, Error> {
    match in_time(clock, answer).await {
        Some(answer) => answer.map_err(not_now),
        None => Err(Error::Unavailable { retry_after: AGAIN }),
    }
}

/// What an error of a backend means for the work on it: it is put back.
pub(super) fn not_now(error: CaError) -> Error {
    match error {
        CaError::Unavailable { retry_after, reason } => {
            tracing::warn!(reason, "CA is not available");
            Error::Unavailable {
                retry_after: retry_after.unwrap_or(AGAIN),
            }
        }
        error => Error::Internal(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use portreeve_pkix::Timestamp;
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    struct Impatient;

    #[async_trait]
    impl Clock for Impatient {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn polled<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answer_counts_when_it_comes_in_time() {
        assert_eq!(polled(in_time(&Impatient, ready(7))), Poll::Ready(Some(7)));
        assert_eq!(polled(in_time(&Impatient, pending::<u8>())), Poll::Ready(None));
        let silent = polled(asked(&Impatient, pending::<Result<(), CaError>>()));
        assert!(matches!(silent, Poll::Ready(Err(Error::Unavailable { .. }))));
        let broken = CaError::NeedsOperator("no key".to_owned());
        let broken = polled(asked(&Impatient, ready(Err::<(), _>(broken))));
        assert!(matches!(broken, Poll::Ready(Err(Error::Internal(_)))));
    }
}
