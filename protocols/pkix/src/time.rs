//! Points in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{DecodeError, Flaw};
use crate::text::serde_as_text;

const MILLIS_PER_SECOND: i64 = 1000;

/// Milliseconds since the Unix epoch, UTC.
///
/// Written as RFC 3339 with `Z`; certificates hold whole seconds only, so a time that goes into one passes through
/// [`Timestamp::floor_to_second`].
#[derive(
    Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, BorshSerialize, BorshDeserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time so many milliseconds after the epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The time so many seconds after the epoch; saturates far outside of any calendar.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MILLIS_PER_SECOND))
    }

    /// Milliseconds since the epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(MILLIS_PER_SECOND)
    }

    /// The same time without its fraction of a second.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }

    /// A later time; stops at the largest representable one.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// An earlier time; stops at the smallest representable one.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier` this is; zero if it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        let elapsed = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(elapsed).unwrap_or(0))
    }

    /// Reads an RFC 3339 date and time with any offset; finer than milliseconds is cut off.
    pub fn parse_rfc3339(text: &str) -> Result<Self, DecodeError> {
        let invalid = || Flaw::Invalid("RFC 3339 time").at(0);
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
        let millis = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis).map(Self).map_err(|_| invalid())
    }

    /// The calendar form, when the year lies between 0 and 9999.
    pub(crate) fn calendar(self) -> Option<OffsetDateTime> {
        let nanos = i128::from(self.0).checked_mul(1_000_000)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        (0..=9999).contains(&at.year()).then_some(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.calendar() else {
            return write!(f, "@{}ms", self.0);
        };
        write!(f, "{:04}-{:02}-{:02}T", at.year(), u8::from(at.month()), at.day())?;
        write!(f, "{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())?;
        if at.millisecond() != 0 {
            write!(f, ".{:03}", at.millisecond())?;
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::parse_rfc3339(text)
    }
}

serde_as_text!(Timestamp);

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let rows = [
            ("epoch", 0, "1970-01-01T00:00:00Z"),
            ("millis", 1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            ("before the epoch", -1, "1969-12-31T23:59:59.999Z"),
            ("last second of 9999", 253_402_300_799_000, "9999-12-31T23:59:59Z"),
        ];
        for (name, millis, text) in rows {
            let at = Timestamp::from_unix_millis(millis);
            assert_eq!(at.to_string(), text, "{name}");
            assert_eq!(Timestamp::parse_rfc3339(text), Ok(at), "{name}");
        }
        assert_eq!(
            Timestamp::from_unix_millis(i64::MAX).to_string(),
            format!("@{}ms", i64::MAX)
        );
    }

    #[test]
    fn reads_offsets_and_refuses_other_text() {
        let noon = Timestamp::parse_rfc3339("2026-11-22T12:00:00Z");
        assert_eq!(Timestamp::parse_rfc3339("2026-11-22T13:00:00+01:00"), noon);
        for text in [
            "",
            "2026-11-22",
            "2026-11-22 12:00:00",
            "2026-13-22T12:00:00Z",
            "yesterday",
        ] {
            assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let now = Timestamp::from_unix_seconds(100);
        assert_eq!(
            now.saturating_add(Duration::from_millis(1500)).unix_millis(),
            101_500
        );
        assert_eq!(now.saturating_sub(Duration::from_secs(101)).unix_seconds(), -1);
        assert_eq!(
            Timestamp::from_unix_millis(-1).floor_to_second().unix_millis(),
            -1000
        );
        assert_eq!(
            now.since(now.saturating_add(Duration::from_secs(1))),
            Duration::ZERO
        );
        assert_eq!(now.since(Timestamp::default()), Duration::from_secs(100));
        assert_eq!(
            Timestamp::from_unix_millis(i64::MAX)
                .saturating_add(Duration::MAX)
                .unix_millis(),
            i64::MAX
        );
    }
}
