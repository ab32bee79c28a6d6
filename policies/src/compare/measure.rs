//! How a value compares with another one.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use portreeve_pkix::Timestamp;
use portreeve_pkix::duration::Spelled;
use portreeve_ra::AllowedName;

use super::Direction;
use crate::profile::{DnsScope, KeyRange};

/// The handling that gives least.
pub(crate) const REFUSE: &str = "refuse";

/// A value, and what more or less of it means.
pub(crate) enum Measure {
    /// Says nothing about who can get what.
    Note(String),
    /// Every other value may give more.
    Exact(String),
    /// A limit in words: without it there is more, with another one there may be.
    Limit(String),
    /// What is done with something that is asked for: only refusing gives less. Dropping it lets requests through that
    /// keeping it would have refused for its value.
    Handling(&'static str),
    /// A reason for what a lint would block: only there being one gives more.
    Reason(String),
    /// More gives more, none gives nothing.
    Level(Amount),
    /// More gives more, none gives everything.
    Ceiling(Amount),
    /// Less gives more, none gives everything.
    Floor(Amount),
    /// More items give more, none gives nothing.
    Set(Vec<String>),
    /// More items give more, none gives everything.
    Choices(Vec<String>),
    /// Parts of the DNS in which names may lie.
    Scopes(Vec<DnsScope>),
    /// Parts of the DNS in which no name may lie.
    DeniedScopes(Vec<DnsScope>),
    /// Networks in which addresses may lie.
    Networks(Vec<IpNet>),
    /// Networks in which no address may lie.
    DeniedNetworks(Vec<IpNet>),
    /// Keys that may be certified.
    Keys(Vec<KeyRange>),
    /// Names that may be certified; none gives everything.
    Names(Vec<AllowedName>),
}

/// A number as it is written.
pub(crate) struct Amount {
    number: u128,
    shown: String,
}

impl From<Duration> for Amount {
    fn from(duration: Duration) -> Self {
        Self {
            number: duration.as_millis(),
            shown: Spelled(duration).to_string(),
        }
    }
}

impl From<usize> for Amount {
    fn from(number: usize) -> Self {
        Self {
            number: number as u128,
            shown: number.to_string(),
        }
    }
}

impl From<u32> for Amount {
    fn from(number: u32) -> Self {
        Self {
            number: number.into(),
            shown: number.to_string(),
        }
    }
}

impl From<u8> for Amount {
    fn from(number: u8) -> Self {
        Self::from(u32::from(number))
    }
}

impl From<Timestamp> for Amount {
    fn from(time: Timestamp) -> Self {
        Self {
            number: u128::try_from(time.unix_millis()).unwrap_or(0),
            shown: time.to_string(),
        }
    }
}

impl Measure {
    /// One word of an order in which later ones give more.
    pub(crate) fn rank(number: u32, word: &str) -> Self {
        Self::Level(Amount {
            number: number.into(),
            shown: word.to_owned(),
        })
    }

    /// Something that gives more when it is true.
    pub(crate) fn gives(value: bool) -> Self {
        Self::rank(u32::from(value), if value { "true" } else { "false" })
    }

    /// Something that gives more when it is false.
    pub(crate) fn limits(value: bool) -> Self {
        Self::rank(u32::from(!value), if value { "true" } else { "false" })
    }

    /// Whether it is the same; order does not count.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Note(a), Self::Note(b))
            | (Self::Exact(a), Self::Exact(b))
            | (Self::Limit(a), Self::Limit(b))
            | (Self::Reason(a), Self::Reason(b)) => a == b,
            (Self::Handling(a), Self::Handling(b)) => a == b,
            (Self::Level(a), Self::Level(b))
            | (Self::Ceiling(a), Self::Ceiling(b))
            | (Self::Floor(a), Self::Floor(b)) => a.number == b.number,
            (Self::Set(a), Self::Set(b)) | (Self::Choices(a), Self::Choices(b)) => same_items(a, b),
            (Self::Scopes(a), Self::Scopes(b)) | (Self::DeniedScopes(a), Self::DeniedScopes(b)) => {
                same_items(a, b)
            }
            (Self::Networks(a), Self::Networks(b)) | (Self::DeniedNetworks(a), Self::DeniedNetworks(b)) => {
                same_items(a, b)
            }
            (Self::Keys(a), Self::Keys(b)) => same_items(a, b),
            (Self::Names(a), Self::Names(b)) => same_items(a, b),
            _ => false,
        }
    }

    /// What it means that this value becomes the other one.
    pub(crate) fn direction(&self, new: &Self) -> Direction {
        let narrows = match (self, new) {
            (Self::Note(_), Self::Note(_)) | (Self::Reason(_), Self::Reason(_)) => return Direction::Neutral,
            (Self::Level(old), Self::Level(new)) | (Self::Ceiling(old), Self::Ceiling(new)) => {
                new.number <= old.number
            }
            (Self::Handling(_), Self::Handling(new)) => *new == REFUSE,
            (Self::Floor(old), Self::Floor(new)) => new.number >= old.number,
            (Self::Set(old), Self::Set(new)) | (Self::Choices(old), Self::Choices(new)) => {
                new.iter().all(|item| old.contains(item))
            }
            (Self::Scopes(old), Self::Scopes(new)) => covered(new, old, within_scope),
            (Self::DeniedScopes(old), Self::DeniedScopes(new)) => covered(old, new, within_scope),
            (Self::Networks(old), Self::Networks(new)) => covered(new, old, within_network),
            (Self::DeniedNetworks(old), Self::DeniedNetworks(new)) => covered(old, new, within_network),
            (Self::Keys(old), Self::Keys(new)) => covered(new, old, within_range),
            (Self::Names(old), Self::Names(new)) => covered(new, old, within_allowed),
            _ => false,
        };
        if narrows {
            Direction::Narrows
        } else {
            Direction::Widens
        }
    }

    /// What it means that this is added.
    pub(crate) const fn added(&self) -> Direction {
        match self {
            Self::Note(_) => Direction::Neutral,
            Self::Limit(_)
            | Self::Ceiling(_)
            | Self::Floor(_)
            | Self::Choices(_)
            | Self::Names(_)
            | Self::DeniedScopes(_)
            | Self::DeniedNetworks(_) => Direction::Narrows,
            Self::Exact(_)
            | Self::Handling(_)
            | Self::Reason(_)
            | Self::Level(_)
            | Self::Set(_)
            | Self::Scopes(_)
            | Self::Networks(_)
            | Self::Keys(_) => Direction::Widens,
        }
    }

    /// What it means that this is removed.
    pub(crate) const fn removed(&self) -> Direction {
        match self {
            Self::Note(_) => Direction::Neutral,
            Self::Reason(_)
            | Self::Level(_)
            | Self::Set(_)
            | Self::Scopes(_)
            | Self::Networks(_)
            | Self::Keys(_) => Direction::Narrows,
            Self::Exact(_)
            | Self::Handling(_)
            | Self::Limit(_)
            | Self::Ceiling(_)
            | Self::Floor(_)
            | Self::Choices(_)
            | Self::Names(_)
            | Self::DeniedScopes(_)
            | Self::DeniedNetworks(_) => Direction::Widens,
        }
    }
}

fn same_items<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.iter().all(|item| other.contains(item)) && other.iter().all(|item| one.contains(item))
}

/// Whether each of these lies within one of those.
fn covered<T>(these: &[T], those: &[T], within: fn(&T, &T) -> bool) -> bool {
    these
        .iter()
        .all(|one| those.iter().any(|other| within(one, other)))
}

fn within_scope(inner: &DnsScope, outer: &DnsScope) -> bool {
    match inner {
        DnsScope::Any => *outer == DnsScope::Any,
        DnsScope::Under(name) => outer.contains(name),
    }
}

fn within_network(inner: &IpNet, outer: &IpNet) -> bool {
    outer.contains(inner)
}

fn within_range(inner: &KeyRange, outer: &KeyRange) -> bool {
    match (inner, outer) {
        (KeyRange::One(algorithm), outer) => outer.contains(*algorithm),
        (
            KeyRange::Rsa { bits_min, bits_max },
            KeyRange::Rsa {
                bits_min: least,
                bits_max: most,
            },
        ) => least <= bits_min && bits_max <= most,
        (KeyRange::Rsa { .. }, KeyRange::One(_)) => false,
    }
}

/// A wildcard name lies within itself alone: whether it lies below a domain depends on more than the list.
fn within_allowed(inner: &AllowedName, outer: &AllowedName) -> bool {
    match (inner, outer) {
        (AllowedName::Exactly(identifier), outer) => outer.covers(identifier, false),
        (AllowedName::Below(inner), AllowedName::Below(outer)) => inner.is_under(outer),
        (AllowedName::Below(_), AllowedName::Exactly(_)) => false,
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) | Self::Exact(text) | Self::Limit(text) | Self::Reason(text) => {
                write!(f, "{text:?}")
            }
            Self::Handling(word) => f.write_str(word),
            Self::Level(amount) | Self::Ceiling(amount) | Self::Floor(amount) => f.write_str(&amount.shown),
            Self::Set(items) | Self::Choices(items) => list(f, items),
            Self::Scopes(items) | Self::DeniedScopes(items) => list(f, items),
            Self::Networks(items) | Self::DeniedNetworks(items) => list(f, items),
            Self::Keys(items) => list(f, items),
            Self::Names(items) => list(f, items),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    write!(f, "[{}]", items.join(", "))
}
