//! base64url without padding (RFC 7515 section 2), in its one canonical form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text form.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes; nothing for padding, other alphabets, white space or bits that do not count.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_decodes() {
        let rows = [
            ("empty", "", Some(vec![])),
            ("one octet", "_w", Some(vec![0xff])),
            ("two octets", "-_8", Some(vec![0xfb, 0xff])),
            ("padding", "_w==", None),
            ("loose bits", "_x", None),
            ("standard alphabet", "/w", None),
            ("white space", "_w\n", None),
            ("impossible length", "A", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(decode(text), expected, "{name}");
        }
    }
}
