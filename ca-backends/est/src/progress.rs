//! What the RA keeps of a request between two calls.

use crate::config::Repeats;

/// How far a request has come, as far as a durable record says. No record: nothing was sent, or sending again is harmless.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing is known of it at the server.
    NotSent,
    /// It is about to be sent, or was, and an answer was not seen.
    Sent,
    /// The server answered 202: the same request again asks what became of it (RFC 7030 section 4.2.3).
    Pending,
}

impl Progress {
    /// The handle that the RA keeps.
    pub(crate) fn handle(self) -> Vec<u8> {
        vec![match self {
            Self::NotSent => 0,
            Self::Sent => 1,
            Self::Pending => 2,
        }]
    }

    /// From the handle; one that is not ours may have been sent.
    pub(crate) fn of(handle: Option<&[u8]>) -> Self {
        match handle {
            None | Some([0]) => Self::NotSent,
            Some([2]) => Self::Pending,
            Some(_) => Self::Sent,
        }
    }
}

/// The part of an intent that is ours: what was known of the server when it was made. It counts for this request even when
/// the configuration changes.
pub(crate) fn intent_request(repeats: Repeats) -> Vec<u8> {
    match repeats {
        Repeats::MayIssueAgain => b"simpleenroll once".to_vec(),
        Repeats::AreRecognised => b"simpleenroll".to_vec(),
    }
}

/// What [`intent_request`] said.
pub(crate) fn repeats_of(request: &[u8]) -> Repeats {
    if request == b"simpleenroll" {
        Repeats::AreRecognised
    } else {
        Repeats::MayIssueAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        for progress in [Progress::NotSent, Progress::Sent, Progress::Pending] {
            assert_eq!(Progress::of(Some(&progress.handle())), progress);
        }
        assert_eq!(Progress::of(None), Progress::NotSent);
        assert_eq!(
            Progress::of(Some(b"something else")),
            Progress::Sent,
            "never guessed"
        );
        for repeats in [Repeats::MayIssueAgain, Repeats::AreRecognised] {
            assert_eq!(repeats_of(&intent_request(repeats)), repeats);
        }
        assert_eq!(repeats_of(b"anything"), Repeats::MayIssueAgain);
    }
}
