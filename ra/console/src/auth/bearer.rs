//! The `Authorization` header: bearer tokens and HTTP Basic.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use portreeve_pkix::Secret;
use portreeve_ra::SecretId;

const PREFIX: &str = "prt_";
/// Octets of a header that are looked at.
const HEADER_MAX: usize = 4096;

/// What a request shows.
#[derive(Debug)]
pub(super) enum Shown {
    /// No such header.
    Nothing,
    /// A token.
    Token(SecretId, Secret),
    /// A name and a password.
    Password(String, Secret),
    /// Something that is neither.
    Unusable,
}

/// A token as its holder keeps it: `prt_`, its id, its secret.
pub fn token_text(id: SecretId, secret: &[u8; 32]) -> String {
    format!(
        "{PREFIX}{}_{}",
        hex::encode(id.as_bytes()),
        URL_SAFE_NO_PAD.encode(secret)
    )
}

/// What is in `X-Authorization`, for use behind somebody who needs the other one, or else in `Authorization`.
pub(super) fn shown(headers: &HeaderMap) -> Shown {
    let inner = headers.get_all("x-authorization");
    let outer = headers.get_all(AUTHORIZATION);
    let (mut inner, mut outer) = (inner.iter(), outer.iter());
    let (first, second) = match inner.next() {
        Some(first) => (first, inner.next()),
        None => match outer.next() {
            Some(first) => (first, outer.next()),
            None => return Shown::Nothing,
        },
    };
    let text = first.to_str().ok().filter(|text| text.len() <= HEADER_MAX);
    match (text.and_then(|text| text.split_once(' ')), second) {
        (Some((scheme, value)), None) if scheme.eq_ignore_ascii_case("bearer") => {
            token(value.trim()).map_or(Shown::Unusable, |(id, secret)| Shown::Token(id, secret))
        }
        (Some((scheme, value)), None) if scheme.eq_ignore_ascii_case("basic") => {
            basic(value.trim()).map_or(Shown::Unusable, |(name, secret)| Shown::Password(name, secret))
        }
        _ => Shown::Unusable,
    }
}

fn token(text: &str) -> Option<(SecretId, Secret)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let mut octets = [0; 16];
    hex::decode_to_slice(id, &mut octets).ok()?;
    let secret = URL_SAFE_NO_PAD
        .decode(secret)
        .ok()
        .filter(|secret| secret.len() == 32)?;
    Some((SecretId::from_bytes(octets), Secret::new(secret)))
}

fn basic(text: &str) -> Option<(String, Secret)> {
    let decoded = Secret::new(STANDARD.decode(text).ok()?);
    let colon = decoded.expose().iter().position(|octet| *octet == b':')?;
    let (name, password) = decoded.expose().split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some((name, Secret::new(password.get(1..)?.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn seen(headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        match shown(&map) {
            Shown::Nothing => "nothing".to_owned(),
            Shown::Token(id, secret) => format!("token {id} {}", secret.expose().len()),
            Shown::Password(name, secret) => {
                format!("{name} {}", String::from_utf8_lossy(secret.expose()))
            }
            Shown::Unusable => "unusable".to_owned(),
        }
    }

    #[test]
    fn headers() {
        let token = token_text(SecretId::from_bytes([1; 16]), &[2; 32]);
        let known = "token 01010101-0101-0101-0101-010101010101 32";
        let bearer = format!("Bearer {token}");
        let basic = format!("Basic {}", STANDARD.encode("alice:a:b"));
        let short = format!("Bearer {}", &token[..token.len() - 2]);
        type Row<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);
        let rows: [Row<'_>; 9] = [
            ("none", &[], "nothing"),
            ("token", &[("authorization", &bearer)], known),
            ("password with a colon", &[("authorization", &basic)], "alice a:b"),
            (
                "inner wins",
                &[("authorization", &basic), ("x-authorization", &bearer)],
                known,
            ),
            (
                "two",
                &[("authorization", &bearer), ("authorization", &bearer)],
                "unusable",
            ),
            ("scheme", &[("authorization", "Digest x")], "unusable"),
            ("short secret", &[("authorization", &short)], "unusable"),
            ("no base64", &[("authorization", "Basic ???")], "unusable"),
            ("no colon", &[("authorization", "Basic YWxpY2U=")], "unusable"),
        ];
        for (name, headers, expected) in rows {
            assert_eq!(seen(headers), expected, "{name}");
        }
    }
}
