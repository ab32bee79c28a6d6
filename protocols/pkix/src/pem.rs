//! The textual encoding of RFC 7468.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{DecodeError, Flaw};

const COLUMNS: usize = 64;
/// Largest accepted text.
const TEXT_LENGTH_MAX: usize = 4 * 1024 * 1024;
const BLOCKS_MAX: usize = 1024;

/// One block in strict form: lines of 64 columns, ended by line feeds.
pub fn encode(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The contents of every block with this label, in order.
///
/// Text around blocks and blocks of other labels are skipped; at least one block must be there. White space inside a
/// block is ignored; headers (as of encrypted keys) are refused.
pub fn decode_all(label: &str, text: &str) -> Result<Vec<Vec<u8>>, DecodeError> {
    if text.len() > TEXT_LENGTH_MAX {
        return Err(Flaw::TooLarge("PEM text").at(0));
    }
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(&begin)) {
        let start = at + found + begin.len();
        let rest = text.get(start..).unwrap_or_default();
        let length = rest
            .find(&end)
            .ok_or_else(|| Flaw::Expected("end of the PEM block").at(start))?;
        if blocks.len() >= BLOCKS_MAX {
            return Err(Flaw::TooMany("PEM blocks").at(start));
        }
        blocks.push(decode_body(rest.get(..length).unwrap_or_default()).map_err(|flaw| flaw.at(start))?);
        at = start + length + end.len();
    }
    if blocks.is_empty() {
        Err(Flaw::Expected("PEM block").at(0))
    } else {
        Ok(blocks)
    }
}

fn decode_body(body: &str) -> Result<Vec<u8>, Flaw> {
    let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD
        .decode(digits)
        .map_err(|_| Flaw::Invalid("base64 in a PEM block"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_have_64_columns() {
        let text = encode("CERTIFICATE", &[0; 96]);
        let lines: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lines, [27, 64, 64, 25]);
        assert!(text.ends_with("-----END CERTIFICATE-----\n"));
    }

    #[test]
    fn reads_what_is_there() {
        let both =
            format!("bag attributes\r\n{}{}", encode("A", b"1"), encode("B", b"2")).replace('\n', "\r\n");
        let rows = [
            ("first label", both.as_str(), "A", Some(vec![b"1".to_vec()])),
            ("second label", &both, "B", Some(vec![b"2".to_vec()])),
            ("absent label", &both, "C", None),
            ("no end", "-----BEGIN A-----\nMQ==\n", "A", None),
            (
                "bad base64",
                "-----BEGIN A-----\nM!==\n-----END A-----",
                "A",
                None,
            ),
            (
                "headers",
                "-----BEGIN A-----\nProc-Type: 4\n\nMQ==\n-----END A-----",
                "A",
                None,
            ),
            ("nothing", "", "A", None),
        ];
        for (name, text, label, expected) in rows {
            assert_eq!(decode_all(label, text).ok(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode_all("X", &encode("X", &bytes)), Ok(vec![bytes]));
        }

        #[test]
        fn any_text_is_handled(text in "(-----BEGIN X-----|-----END X-----|\\PC|\n){0,30}") {
            let _ = decode_all("X", &text);
        }
    }
}
