//! Hints as entries of streams. An entry carries ids only, and nothing that is read from one is believed: it makes
//! somebody look into the store sooner.

use portreeve_ra::ports::{ApprovalHint, ApprovalNews, WakeKey};
use portreeve_ra::{EnrollmentId, NodeId, ProposalId};

use super::keys::Stream;

/// Octets of a field, at most; what is longer was not written by a node.
const FIELD_BYTES_MAX: usize = 64;

/// Fields of an entry, at most.
const FIELDS_MAX: usize = 8;

/// The node that wrote an entry.
const NODE: &str = "node";
/// What happened.
const WHAT: &str = "what";
const ENROLLMENT: &str = "enrollment";
const PROPOSAL: &str = "proposal";

/// Something that other nodes may want to know.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Hint {
    /// Who waits for this may look.
    Wake(WakeKey),
    /// Something happened to a proposal.
    News(ApprovalHint),
}

/// A field with its value.
pub(crate) type Field = (&'static str, String);

impl Hint {
    /// The stream it goes to. Waiters for approvals are woken by the news itself.
    pub(crate) const fn stream(self) -> Option<Stream> {
        match self {
            Self::Wake(WakeKey::Tasks | WakeKey::Status | WakeKey::Configuration) => Some(Stream::Tasks),
            Self::Wake(WakeKey::Enrollment(_)) => Some(Stream::Enrollments),
            Self::Wake(WakeKey::Approvals) => None,
            Self::News(_) => Some(Stream::Approvals),
        }
    }

    /// The fields of its entry.
    pub(crate) fn fields(self, node: NodeId) -> Vec<Field> {
        let mut fields = vec![(NODE, node.to_string())];
        match self {
            Self::Wake(WakeKey::Tasks) => fields.push((WHAT, "tasks".to_owned())),
            Self::Wake(WakeKey::Status) => fields.push((WHAT, "status".to_owned())),
            Self::Wake(WakeKey::Configuration) => fields.push((WHAT, "configuration".to_owned())),
            Self::Wake(WakeKey::Enrollment(id)) => fields.push((ENROLLMENT, id.to_string())),
            Self::Wake(WakeKey::Approvals) => {}
            Self::News(hint) => fields.extend([
                (PROPOSAL, hint.proposal.to_string()),
                (ENROLLMENT, hint.enrollment.to_string()),
                (WHAT, word(hint.news).to_owned()),
            ]),
        }
        fields
    }

    /// What an entry of a stream says and which node wrote it; `None` for what no node writes.
    pub(crate) fn read(stream: Stream, fields: &[(&[u8], &[u8])]) -> Option<(NodeId, Self)> {
        if fields.len() > FIELDS_MAX {
            return None;
        }
        let field = |name: &str| {
            let (_, value) = fields.iter().find(|(found, _)| *found == name.as_bytes())?;
            let short = value.len() <= FIELD_BYTES_MAX;
            short.then(|| std::str::from_utf8(value).ok()).flatten()
        };
        let node = field(NODE)?.parse().ok()?;
        let enrollment = || field(ENROLLMENT)?.parse::<EnrollmentId>().ok();
        let hint = match stream {
            Stream::Tasks => match field(WHAT)? {
                "tasks" => Self::Wake(WakeKey::Tasks),
                "status" => Self::Wake(WakeKey::Status),
                "configuration" => Self::Wake(WakeKey::Configuration),
                _ => return None,
            },
            Stream::Enrollments => Self::Wake(WakeKey::Enrollment(enrollment()?)),
            Stream::Approvals => Self::News(ApprovalHint {
                proposal: field(PROPOSAL)?.parse::<ProposalId>().ok()?,
                enrollment: enrollment()?,
                news: news(field(WHAT)?)?,
            }),
        };
        Some((node, hint))
    }
}

const fn word(news: ApprovalNews) -> &'static str {
    match news {
        ApprovalNews::Opened => "opened",
        ApprovalNews::Step => "step",
        ApprovalNews::Approved => "approved",
        ApprovalNews::Rejected => "rejected",
        ApprovalNews::Expired => "expired",
    }
}

fn news(word: &str) -> Option<ApprovalNews> {
    Some(match word {
        "opened" => ApprovalNews::Opened,
        "step" => ApprovalNews::Step,
        "approved" => ApprovalNews::Approved,
        "rejected" => ApprovalNews::Rejected,
        "expired" => ApprovalNews::Expired,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NODE_ID: NodeId = NodeId::from_bytes([3; 16]);

    fn hints() -> Vec<Hint> {
        let enrollment = EnrollmentId::from_bytes([1; 16]);
        let all = [
            ApprovalNews::Opened,
            ApprovalNews::Step,
            ApprovalNews::Approved,
            ApprovalNews::Rejected,
            ApprovalNews::Expired,
        ];
        let news = all.map(|news| {
            Hint::News(ApprovalHint {
                proposal: ProposalId::from_bytes([2; 16]),
                enrollment,
                news,
            })
        });
        [
            WakeKey::Tasks,
            WakeKey::Status,
            WakeKey::Configuration,
            WakeKey::Enrollment(enrollment),
        ]
        .map(Hint::Wake)
        .into_iter()
        .chain(news)
        .collect()
    }

    fn read(stream: Stream, fields: &[(&str, String)]) -> Option<(NodeId, Hint)> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        Hint::read(stream, &fields)
    }

    #[test]
    fn what_is_written_is_read() {
        for hint in hints() {
            let stream = hint.stream().unwrap();
            let fields = hint.fields(NODE_ID);
            assert_eq!(read(stream, &fields), Some((NODE_ID, hint)));
            for (_, value) in &fields {
                assert!(value.len() <= FIELD_BYTES_MAX, "{value}");
            }
            for other in Stream::ALL.into_iter().filter(|other| *other != stream) {
                if let Some((_, found)) = read(other, &fields) {
                    // The news of a proposal hold an enrollment, which is no harm.
                    assert_eq!(other, Stream::Enrollments, "{found:?}");
                }
            }
        }
    }

    #[test]
    fn what_no_node_writes_is_nothing() {
        let good = Hint::Wake(WakeKey::Tasks).fields(NODE_ID);
        let with = |name: &'static str, value: &str| {
            let mut fields = good.clone();
            fields.retain(|(found, _)| *found != name);
            fields.push((name, value.to_owned()));
            fields
        };
        let many: Vec<Field> = (0..=FIELDS_MAX).flat_map(|_| good.clone()).collect();
        let rows = [
            ("nothing", Vec::new()),
            ("no node", with(NODE, "me")),
            ("nothing known", with(WHAT, "issue")),
            ("a long value", with(WHAT, &"tasks".repeat(100))),
            ("many fields", many),
        ];
        for (name, fields) in rows {
            assert_eq!(read(Stream::Tasks, &fields), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(fields in proptest::collection::vec((".{0,20}", proptest::collection::vec(any::<u8>(), 0..100)), 0..12)) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
            for stream in Stream::ALL {
                prop_assert_eq!(Hint::read(stream, &fields), None);
            }
        }
    }
}
