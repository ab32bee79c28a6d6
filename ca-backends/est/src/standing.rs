//! How this node stands with the server: whether it takes requests of this node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use portreeve_ra::ports::{CaError, IssueOutcome};

/// How long a refusal is shown after it was last heard. Longer than a request that was refused so waits to be tried again.
const SHOWN_FOR: Duration = Duration::from_secs(15 * 60);

/// What the server has said of this node since it started.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Whether it has ever answered a request with a certificate or with 202.
    taken: AtomicBool,
    /// Why it refused a request, if that was for an operator to look at, and when.
    refusal: Mutex<Option<(String, Instant)>>,
}

impl Standing {
    /// Remembers what an answer says of this node. What it says of the request alone changes nothing.
    pub(crate) fn note(&self, outcome: &Result<IssueOutcome, CaError>, now: Instant) {
        let refusal = match outcome {
            Ok(IssueOutcome::Issued(_) | IssueOutcome::Deferred { .. }) => {
                self.taken.store(true, Ordering::Relaxed);
                None
            }
            Err(CaError::NeedsOperator(reason)) => Some((reason.clone(), now)),
            Ok(_) | Err(_) => return,
        };
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// Whether the server has taken a request of this node.
    pub(crate) fn taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// What an operator should look at.
    pub(crate) fn refusal(&self, now: Instant) -> Option<String> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (reason, at) = refusal.as_ref()?;
        (now.saturating_duration_since(*at) < SHOWN_FOR).then(|| reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_until_a_request_is_taken_or_it_is_old() {
        let standing = Standing::default();
        let start = Instant::now();
        let refused = || Err(CaError::NeedsOperator("401".to_owned()));
        let rejected = Ok(IssueOutcome::Rejected {
            reason: "403".to_owned(),
        });
        let deferred = Ok(IssueOutcome::Deferred {
            handle: Vec::new(),
            retry_after: Duration::ZERO,
        });
        standing.note(&refused(), start);
        standing.note(&rejected, start);
        assert_eq!(standing.refusal(start), Some("401".to_owned()));
        assert!(!standing.taken(), "a rejection is no sign of it");
        standing.note(&deferred, start);
        assert_eq!(standing.refusal(start), None);
        let again = start + SHOWN_FOR / 2;
        standing.note(&refused(), start);
        standing.note(&refused(), again);
        assert!(
            standing.refusal(start + SHOWN_FOR).is_some(),
            "it was heard since"
        );
        assert_eq!(standing.refusal(again + SHOWN_FOR), None);
        assert!(standing.taken());
    }
}
