//! Base64 as EST carries it.
//!
//! RFC 8951 section 3.1 wants RFC 4648 without line breaks and ignores Content-Transfer-Encoding; clients write lines of
//! 64 columns, or CRLF, or a PEM armour, and some read only what is wrapped as they wrap it. So every form is read, and an
//! answer is written in the style of its question.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::EstError;

const COLUMNS: usize = 64;
const ARMOUR: &[u8] = b"-----";
const DER_SEQUENCE: u8 = 0x30;

/// Padding may be absent; bits that do not count may be set.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How base64 is laid out.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// One line without a line break at its end.
    #[default]
    Unwrapped,
    /// Lines of 64 columns, each ended by LF.
    Wrapped,
}

/// A body that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it carries.
    pub der: Vec<u8>,
    /// How it was laid out, and so how the answer should be.
    pub style: Style,
}

/// Reads a body of at most `limit` bytes, as it came.
///
/// Accepted are base64 with blanks and line breaks (LF or CRLF) anywhere, with or without padding; one block of PEM of
/// whatever label; and plain DER of a SEQUENCE, which has bytes that no base64 has. The style is wrapped when there is a
/// line break between two characters of base64, PEM included. Whether the DER is what it should be is not looked at.
pub fn decode(input: &[u8], limit: usize) -> Result<Body, EstError> {
    if input.len() > limit {
        return Err(EstError::TooLarge { limit });
    }
    if input.first() == Some(&DER_SEQUENCE) && !input.is_ascii() {
        return Ok(Body {
            der: input.to_vec(),
            style: Style::Unwrapped,
        });
    }
    let text = input.trim_ascii();
    let (text, armoured) = match text.strip_prefix(ARMOUR) {
        None => (text, false),
        Some(after) => (
            without_armour(after).ok_or(EstError::NotBase64)?.trim_ascii(),
            true,
        ),
    };
    let digits: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if digits.is_empty() {
        return Err(EstError::Empty);
    }
    let wrapped = armoured || text.contains(&b'\n') || text.contains(&b'\r');
    Ok(Body {
        der: TOLERANT.decode(digits).map_err(|_| EstError::NotBase64)?,
        style: if wrapped { Style::Wrapped } else { Style::Unwrapped },
    })
}

/// What stands between `BEGIN x-----` and `-----END x-----`, which must be the end.
fn without_armour(after: &[u8]) -> Option<&[u8]> {
    let after = after.strip_prefix(b"BEGIN ")?;
    let label_end = find(after, ARMOUR)?;
    let (label, rest) = after.split_at_checked(label_end)?;
    let rest = rest.strip_prefix(ARMOUR)?;
    let end = [ARMOUR, b"END ", label, ARMOUR].concat();
    rest.strip_suffix(end.as_slice())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The base64 of these bytes.
pub fn encode(der: &[u8], style: Style) -> String {
    let mut out = String::new();
    append(&mut out, der, style);
    out
}

/// Appends base64; with enough room in `out`, nothing is copied twice.
pub(super) fn append(out: &mut String, der: &[u8], style: Style) {
    match style {
        Style::Unwrapped => STANDARD.encode_string(der, out),
        Style::Wrapped => {
            // 48 octets are a line of 64 characters.
            for line in der.chunks(COLUMNS / 4 * 3) {
                STANDARD.encode_string(line, out);
                out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 10_000;

    #[test]
    fn rfc_8951_section_3_every_layout_of_base64_is_read() {
        let der = [&[0x30, 0x81, 200][..], &[7; 200]].concat();
        let one_line = encode(&der, Style::Unwrapped);
        let wrapped = encode(&der, Style::Wrapped);
        let pem = portreeve_pkix::pem::encode("CERTIFICATE REQUEST", &der);
        let rows: [(&str, Vec<u8>, Style); 14] = [
            ("one line", one_line.clone().into(), Style::Unwrapped),
            ("one line, LF", format!("{one_line}\n").into(), Style::Unwrapped),
            (
                "one line, CRLF",
                format!("{one_line}\r\n").into(),
                Style::Unwrapped,
            ),
            (
                "blanks around",
                format!(" \t\r\n{one_line} \n\n").into(),
                Style::Unwrapped,
            ),
            (
                "blanks inside",
                one_line.replace("BwcH", "Bwc H").into(),
                Style::Unwrapped,
            ),
            (
                "no padding",
                one_line.trim_end_matches('=').into(),
                Style::Unwrapped,
            ),
            ("wrapped", wrapped.clone().into(), Style::Wrapped),
            (
                "wrapped, CRLF",
                wrapped.replace('\n', "\r\n").into(),
                Style::Wrapped,
            ),
            ("wrapped, CR", wrapped.replace('\n', "\r").into(), Style::Wrapped),
            (
                "one line break",
                format!("{}\n{}", &one_line[..76], &one_line[76..]).into(),
                Style::Wrapped,
            ),
            ("PEM", pem.clone().into(), Style::Wrapped),
            ("PEM, CRLF", pem.replace('\n', "\r\n").into(), Style::Wrapped),
            (
                "PEM of another label",
                pem.replace("CERT", "NEW CERT").into(),
                Style::Wrapped,
            ),
            ("DER", der.clone(), Style::Unwrapped),
        ];
        for (name, input, style) in rows {
            let body = decode(&input, LIMIT).expect(name);
            assert_eq!(
                (body.der.as_slice(), body.style),
                (der.as_slice(), style),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        let rows: [(&str, &[u8], EstError); 9] = [
            ("nothing", b"", EstError::Empty),
            ("blanks", b" \r\n", EstError::Empty),
            ("another alphabet", b"MII_-w==", EstError::NotBase64),
            ("text", b"hello, world", EstError::NotBase64),
            ("padding inside", b"MQ==MQ==", EstError::NotBase64),
            (
                "armour without end",
                b"-----BEGIN X-----\nMQ==\n",
                EstError::NotBase64,
            ),
            (
                "armour of two labels",
                b"-----BEGIN X-----\nMQ==\n-----END Y-----",
                EstError::NotBase64,
            ),
            (
                "only armour",
                b"-----BEGIN X-----\n-----END X-----",
                EstError::Empty,
            ),
            ("high bytes", b"\x31\xff\xff", EstError::NotBase64),
        ];
        for (name, input, expected) in rows {
            assert_eq!(decode(input, LIMIT), Err(expected), "{name}");
        }
        assert_eq!(decode(b"MQ==", 3), Err(EstError::TooLarge { limit: 3 }));
    }

    #[test]
    fn lines_have_64_columns() {
        let lengths = |octets: usize| -> Vec<usize> {
            encode(&vec![0; octets], Style::Wrapped)
                .lines()
                .map(str::len)
                .collect()
        };
        assert_eq!(lengths(96), [64, 64]);
        assert_eq!(lengths(97), [64, 64, 4]);
        assert!(encode(&[0; 1], Style::Wrapped).ends_with('\n'));
        assert!(!encode(&[0; 100], Style::Unwrapped).contains('\n'));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(der in prop::collection::vec(any::<u8>(), 1..400), wrapped: bool) {
            let style = if wrapped { Style::Wrapped } else { Style::Unwrapped };
            let body = decode(encode(&der, style).as_bytes(), LIMIT).expect("reads");
            prop_assert_eq!(body.der, der);
        }

        #[test]
        fn any_body_is_handled(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&input, LIMIT);
        }
    }
}
