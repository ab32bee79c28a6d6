//! Dates in HTTP headers: IMF-fixdate alone (RFC 9110 section 5.6.7).

use portreeve_pkix::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const FORM: &[BorrowedFormatItem<'static>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The written form.
pub(crate) fn write(at: Timestamp) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at.unix_seconds())
        .ok()?
        .format(FORM)
        .ok()
}

/// Reads the written form; other forms are ignored, as a server may.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let at = PrimitiveDateTime::parse(text, FORM).ok()?.assume_utc();
    Some(Timestamp::from_unix_seconds(at.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let at = Timestamp::parse_rfc3339("2030-11-06T08:49:37.999Z").unwrap();
        let text = "Wed, 06 Nov 2030 08:49:37 GMT";
        assert_eq!(write(at).as_deref(), Some(text));
        assert_eq!(read(text), Some(at.floor_to_second()));
        for other in ["", "Wednesday, 06-Nov-30 08:49:37 GMT", "2030-11-06T08:49:37Z"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
