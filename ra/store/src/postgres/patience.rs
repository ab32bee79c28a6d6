//! Waiting for an answer that others may be in the way of.

use std::time::Duration;

use tokio::sync::oneshot;

/// The answer, or `None` when nobody will give it. `hurry` is called once, when it has not come in this time.
pub(crate) async fn answered<T>(
    mut answer: oneshot::Receiver<T>,
    patience: Duration,
    hurry: impl FnOnce(),
) -> Option<T> {
    let answered = match tokio::time::timeout(patience, &mut answer).await {
        Ok(answered) => answered,
        Err(_) => {
            hurry();
            answer.await
        }
    };
    answered.ok()
}
