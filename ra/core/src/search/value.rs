//! Values of terms, and how they are written.

use portreeve_pkix::duration::Spelled;
use portreeve_pkix::{Timestamp, duration};
use std::fmt;
use std::time::Duration;

use super::field::Field;
use super::field::Kind;
use super::token::is_bare;

/// Octets that a serial number is padded to in front, so that octets sort as numbers do.
const SERIAL_LENGTH: usize = 20;

/// How far from now a moment may be: a hundred years, in milliseconds.
const FAR_MAX: i64 = 100 * 366 * 86_400_000;

const DAY: i64 = 86_400_000;

/// One value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Text; in lower case where case does not count.
    Text(String),
    /// A serial number, padded in front to 20 octets, or a SHA-256.
    Octets(Vec<u8>),
    /// A moment.
    Moment(Moment),
}

/// A moment as written.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    /// So many milliseconds after now; before now when negative. `30d`, `-7d`.
    FromNow(i64),
    /// A day in UTC, by its beginning. `2026-12-31`.
    Day(Timestamp),
    /// A second. `2026-12-31T12:00:00Z`.
    Second(Timestamp),
}

/// From this millisecond since 1970 on, and before that one; `None` does not limit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Range {
    /// The first that belongs to it.
    pub from: Option<i64>,
    /// The first that no longer does.
    pub before: Option<i64>,
}

impl Range {
    /// What both have in common.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            before: match (self.before, other.before) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// Whether it does not limit.
    pub const fn is_open(self) -> bool {
        self.from.is_none() && self.before.is_none()
    }
}

impl Moment {
    /// The milliseconds since 1970 that it stands for: the first, and the first after it.
    pub fn span(self, now: Timestamp) -> (i64, i64) {
        let (from, length) = match self {
            Self::FromNow(by) => (now.unix_millis().saturating_add(by), 1),
            Self::Day(day) => (day.unix_millis(), DAY),
            Self::Second(second) => (second.unix_millis(), 1_000),
        };
        (from, from.saturating_add(length))
    }

    /// Reads one, if it is one.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Ok(second) = Timestamp::parse_rfc3339(text) {
            return Some(Self::Second(second.floor_to_second()));
        }
        if text.len() == 10
            && let Ok(day) = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
        {
            return Some(Self::Day(day));
        }
        let (sign, length) = match text.strip_prefix('-') {
            Some(length) => (-1, length),
            None => (1, text),
        };
        let millis = i64::try_from(duration::parse(length).ok()?.as_millis()).ok()?;
        (millis <= FAR_MAX).then_some(Self::FromNow(sign * millis))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromNow(by) => {
                let sign = if *by < 0 { "-" } else { "" };
                write!(f, "{sign}{}", Spelled(Duration::from_millis(by.unsigned_abs())))
            }
            Self::Day(day) => f.write_str(day.to_string().get(..10).unwrap_or_default()),
            Self::Second(second) => second.fmt(f),
        }
    }
}

impl Value {
    /// Reads a value of this field; else what was expected.
    pub(super) fn read(field: Field, text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("at least one character".to_owned());
        }
        match field.kind() {
            Kind::Name => Ok(Self::Text(text.to_lowercase())),
            Kind::Word | Kind::Label => Ok(Self::Text(text.to_owned())),
            Kind::Choice => {
                let choices = field.choices();
                let known = choices.contains(&text).then(|| Self::Text(text.to_owned()));
                known.ok_or_else(|| format!("one of {}", choices.join(", ")))
            }
            Kind::Serial => serial(text).ok_or_else(|| "a serial number in hex".to_owned()),
            Kind::Digest => hexadecimal(text)
                .filter(|octets| octets.len() == 32)
                .map(Self::Octets)
                .ok_or_else(|| "a SHA-256 in hex, 64 digits".to_owned()),
            Kind::Time => Moment::read(text).map(Self::Moment).ok_or_else(|| {
                "a time from now as 30d or -12h, a day as 2026-12-31, or 2026-12-31T12:00:00Z".to_owned()
            }),
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Octets(_) | Self::Moment(_) => None,
        }
    }

    /// The moment, if it is one.
    pub const fn moment(&self) -> Option<Moment> {
        match self {
            Self::Moment(moment) => Some(*moment),
            Self::Text(_) | Self::Octets(_) => None,
        }
    }
}

/// As it is read again: quoted where it must be.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if is_bare(text) => f.write_str(text),
            Self::Text(text) => write!(f, "\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
            Self::Octets(octets) if octets.len() == SERIAL_LENGTH => {
                let digits = hex::encode(octets);
                let shown = digits.trim_start_matches("00");
                f.write_str(if shown.is_empty() { "00" } else { shown })
            }
            Self::Octets(octets) => f.write_str(&hex::encode(octets)),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

/// Hexadecimal digits, in pairs that colons may part.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.replace(':', "")).ok()
}

fn serial(text: &str) -> Option<Value> {
    let digits = text.replace(':', "");
    let digits = if digits.len().is_multiple_of(2) {
        digits
    } else {
        format!("0{digits}")
    };
    let octets = hex::decode(digits).ok()?;
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = octets.get(zeros..).unwrap_or_default();
    let mut padded = vec![0; SERIAL_LENGTH.checked_sub(octets.len())?];
    padded.extend_from_slice(octets);
    Some(Value::Octets(padded))
}
