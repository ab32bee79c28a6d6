//! The names of what one installation keeps in Redis.
//!
//! All begin with `portreeve:{installation id}:`, so that installations can share a server. The braces are a hash tag:
//! in a cluster all of them would lie on one node, where one script can use them.

use aws_lc_rs::digest::{SHA256, digest};

/// The streams, in the order in which they are read.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stream {
    /// New background work, or certificate status.
    Tasks,
    /// Changes of enrollments.
    Enrollments,
    /// What happened to proposals.
    Approvals,
}

impl Stream {
    pub(crate) const ALL: [Self; 3] = [Self::Tasks, Self::Enrollments, Self::Approvals];

    const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Enrollments => "enrollments",
            Self::Approvals => "approvals",
        }
    }

    /// Entries kept, about: Redis removes whole blocks of them, of 100 entries unless it is configured otherwise.
    pub(crate) const fn entries_max(self) -> usize {
        match self {
            // Any one of them says all.
            Self::Tasks => 1_000,
            // A node reads each within milliseconds; these are for one that is held up for seconds.
            Self::Enrollments => 10_000,
            Self::Approvals => 10_000,
        }
    }
}

/// The names of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(installation: &[u8; 16]) -> Self {
        let id = uuid::Uuid::from_bytes(*installation);
        Self {
            prefix: format!("portreeve:{{{id}}}:"),
        }
    }

    pub(crate) fn stream(&self, stream: Stream) -> String {
        format!("{}{}", self.prefix, stream.name())
    }

    /// The counter of a rate limit. What is limited may name a person or an address, and is hashed.
    pub(crate) fn limit(&self, key: &str) -> String {
        let hash = digest(&SHA256, key.as_bytes());
        let short = hash.as_ref().get(..16).unwrap_or_default();
        format!("{}limit:{}", self.prefix, hex::encode(short))
    }

    /// The set of nodes.
    pub(crate) fn nodes(&self) -> String {
        format!("{}nodes", self.prefix)
    }

    /// The heartbeat of a node.
    pub(crate) fn node(&self, id: &str) -> String {
        format!("{}node:{id}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_installation_and_no_text_of_a_client() {
        let keys = Keys::new(&[7; 16]);
        let prefix = "portreeve:{07070707-0707-0707-0707-070707070707}:";
        let names = [
            keys.stream(Stream::Tasks),
            keys.stream(Stream::Enrollments),
            keys.stream(Stream::Approvals),
            keys.nodes(),
            keys.node("x"),
            keys.limit("acme/default|account:alice"),
        ];
        for name in &names {
            assert!(name.starts_with(prefix), "{name}");
            assert!(!name.contains("alice"), "{name}");
        }
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert_ne!(keys.limit("a"), keys.limit("b"));
        assert_eq!(keys.limit(&"a".repeat(10_000)).len(), keys.limit("a").len());
    }
}
