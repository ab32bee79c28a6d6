//! The answer to `/serverkeygen`: a key and a certificate in one `multipart/mixed` body (RFC 7030 section 4.4.2).

use portreeve_pkix::Secret;
use zeroize::Zeroizing;

use super::EstError;
use super::body::{self, Style};

/// What the whole answer is.
pub const CONTENT_TYPE: &str = "multipart/mixed; boundary=portreeve-key-and-certificate";
/// A key without protection of its own.
pub const PKCS8: &str = "application/pkcs8";
/// A key in CMS.
pub const PROTECTED_KEY: &str = "application/pkcs7-mime; smime-type=server-generated-key";
/// The certificate.
pub const CERTIFICATE: &str = "application/pkcs7-mime; smime-type=certs-only";

/// It has characters that base64 does not have, so it cannot occur in a part.
const BOUNDARY: &str = "portreeve-key-and-certificate";
/// Largest answer a client takes.
const BYTES_MAX: usize = 256 * 1024;
/// Headers, boundaries and line breaks of an answer, at most.
const FRAME_BYTES: usize = 1024;

/// The key in an answer.
#[derive(Debug)]
pub enum KeyPart<'a> {
    /// PKCS #8; TLS alone protects it.
    Plain(&'a Secret),
    /// A CMS message, see [`protected_key`](super::protected_key).
    Protected(&'a [u8]),
}

/// The body of an answer: first the key, then the certs-only message, both in base64 of this style.
///
/// It is a secret as long as the key in it is.
pub fn encode(key: &KeyPart<'_>, certificates: &[u8], style: Style) -> Secret {
    let (content_type, octets) = match key {
        KeyPart::Plain(pkcs8) => (PKCS8, pkcs8.expose()),
        KeyPart::Protected(message) => (PROTECTED_KEY, *message),
    };
    // Room for everything at once: a string that grows leaves copies of the key behind.
    let room = (octets.len() + certificates.len()) * 3 / 2 + FRAME_BYTES;
    let mut out = Zeroizing::new(String::with_capacity(room));
    for (content_type, octets) in [(content_type, octets), (CERTIFICATE, certificates)] {
        for piece in ["--", BOUNDARY, "\r\nContent-Type: ", content_type] {
            out.push_str(piece);
        }
        out.push_str("\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        body::append(&mut out, octets, style);
        if style == Style::Unwrapped {
            out.push_str("\r\n");
        }
    }
    for piece in ["--", BOUNDARY, "--\r\n"] {
        out.push_str(piece);
    }
    Secret::new(out.as_bytes().to_vec())
}

/// A part of an answer, as a client reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Its Content-Type, in lower case.
    pub content_type: String,
    /// What it carries.
    pub octets: Secret,
}

/// Reads the two parts of an answer whose Content-Type header is given.
pub fn decode(content_type: &str, input: &[u8]) -> Result<[Part; 2], EstError> {
    if input.len() > BYTES_MAX {
        return Err(EstError::TooLarge { limit: BYTES_MAX });
    }
    let text = std::str::from_utf8(input).map_err(|_| EstError::Multipart("not text"))?;
    let boundary = boundary(content_type).ok_or(EstError::Multipart("no boundary"))?;
    let delimiter = format!("--{boundary}");
    let mut pieces = text.split(delimiter.as_str());
    // What stands before the first boundary is for readers of mail.
    pieces.next();
    let (first, second, end) = (pieces.next(), pieces.next(), pieces.next());
    match (first, second, end, pieces.next()) {
        (Some(first), Some(second), Some(end), None) if end.starts_with("--") => {
            Ok([part(first)?, part(second)?])
        }
        _ => Err(EstError::Multipart("not two parts")),
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let value = value.trim_matches('"');
    (1..=70).contains(&value.len()).then_some(value)
}

fn part(text: &str) -> Result<Part, EstError> {
    let unix = text.find("\n\n").map(|at| (at, 2));
    let dos = text.find("\r\n\r\n").map(|at| (at, 4));
    let (head_end, blank) = dos
        .into_iter()
        .chain(unix)
        .min()
        .ok_or(EstError::Multipart("a part without a body"))?;
    let (head, rest) = text.split_at_checked(head_end).unwrap_or_default();
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-type")
            .then(|| value.trim().to_ascii_lowercase())
    });
    let octets = body::decode(rest.get(blank..).unwrap_or_default().as_bytes(), BYTES_MAX)?.der;
    Ok(Part {
        content_type: content_type.ok_or(EstError::Multipart("a part without a type"))?,
        octets: Secret::new(octets),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_7030_section_4_4_2_key_and_certificate() {
        let key = Secret::new(vec![1; 100]);
        for style in [Style::Unwrapped, Style::Wrapped] {
            for (part, content_type) in [
                (KeyPart::Plain(&key), PKCS8),
                (KeyPart::Protected(key.expose()), PROTECTED_KEY),
            ] {
                let body = encode(&part, &[2; 300], style);
                let parts = decode(CONTENT_TYPE, body.expose()).expect("parts");
                assert_eq!(parts[0].content_type, content_type);
                assert_eq!(parts[0].octets, key);
                assert_eq!(parts[1].content_type, CERTIFICATE);
                assert_eq!(parts[1].octets.expose(), [2; 300]);
            }
        }
    }

    #[test]
    fn layout_of_an_answer() {
        let body = encode(&KeyPart::Plain(&Secret::new(vec![1])), &[2], Style::Unwrapped);
        let expected = "--portreeve-key-and-certificate\r\nContent-Type: application/pkcs8\r\n\
                        Content-Transfer-Encoding: base64\r\n\r\nAQ==\r\n\
                        --portreeve-key-and-certificate\r\n\
                        Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n\
                        Content-Transfer-Encoding: base64\r\n\r\nAg==\r\n\
                        --portreeve-key-and-certificate--\r\n";
        assert_eq!(std::str::from_utf8(body.expose()), Ok(expected));
    }

    #[test]
    fn other_bodies_are_refused() {
        let part = |b: &str| format!("--{b}\nContent-Type: a/b\n\nAQ==\n");
        let rows = [
            (
                "good",
                "multipart/mixed; boundary=x",
                format!("{}{}--x--", part("x"), part("x")),
                true,
            ),
            (
                "quoted",
                "Multipart/Mixed; Boundary=\"x\"",
                format!("{}{}--x--", part("x"), part("x")),
                true,
            ),
            ("no boundary", "multipart/mixed", part("x"), false),
            ("another type", "text/plain; boundary=x", part("x"), false),
            (
                "one part",
                "multipart/mixed; boundary=x",
                format!("{}--x--", part("x")),
                false,
            ),
            (
                "three parts",
                "multipart/mixed; boundary=x",
                format!("{}--x--", part("x").repeat(3)),
                false,
            ),
            (
                "no end",
                "multipart/mixed; boundary=x",
                format!("{}{}--x", part("x"), part("x")),
                false,
            ),
            (
                "no type",
                "multipart/mixed; boundary=x",
                format!("--x\n\nAQ==\n{}--x--", part("x")),
                false,
            ),
            (
                "no body",
                "multipart/mixed; boundary=x",
                format!("--x\nContent-Type: a/b\n{}--x--", part("x")),
                false,
            ),
        ];
        for (name, content_type, body, good) in rows {
            assert_eq!(decode(content_type, body.as_bytes()).is_ok(), good, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_handled(body in "(--x|--|\r\n|Content-Type: a/b|[A-Za-z=:]){0,40}") {
            let _ = decode("multipart/mixed; boundary=x", body.as_bytes());
        }
    }
}
