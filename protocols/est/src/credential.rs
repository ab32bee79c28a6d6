//! Who asks, as far as the request shows it: HTTP Basic, a bearer token, a TLS client certificate, or several of them.
//!
//! Nothing is judged here. The certificate says who asks where one is renewed; everywhere else the password or the token
//! does, and a certificate only where there is neither (RFC 7030 sections 3.2.3 and 3.3.2). The RA keeps that order.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portreeve_edge::{Peer, TlsPeer, TlsVersion};
use portreeve_pkix::Secret;
use portreeve_ra::{Channel, ChannelVersion, Credential};

use crate::error::EstError;

/// Octets of an `Authorization` header, at most.
const AUTHORIZATION_BYTES_MAX: usize = 2048;

/// Octets of a name, at most.
const NAME_BYTES_MAX: usize = 256;

/// Some clients leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request shows of who sends it.
#[derive(Debug)]
pub(crate) struct Presented {
    /// One credential, several or none.
    pub(crate) credential: Credential,
    /// The channel that a request may be linked to.
    pub(crate) channel: Option<Channel>,
}

impl Presented {
    /// Reads headers and connection. A header that says who asks and cannot be read is a wrong credential.
    pub(crate) fn of(headers: &HeaderMap, peer: &Peer) -> Result<Self, EstError> {
        let mut shown = Vec::new();
        let mut given = headers.get_all(AUTHORIZATION).iter();
        if let Some(header) = given.next() {
            shown.extend(of_header(header)?);
        }
        if given.next().is_some() {
            return Err(EstError::Authorization);
        }
        if let Some(tls) = &peer.tls
            && !tls.certificates.is_empty()
        {
            let chain = tls.certificates.clone();
            shown.push(Credential::Certificate { chain });
        }
        Ok(Self {
            credential: Credential::of(shown),
            channel: peer.tls.as_ref().map(channel),
        })
    }

    /// The certificate that the connection was made with, if it was made with one.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        fn of(credential: &Credential) -> Option<&[u8]> {
            match credential {
                Credential::Certificate { chain } => chain.first().map(Vec::as_slice),
                _ => None,
            }
        }
        match &self.credential {
            Credential::Several(these) => these.iter().find_map(of),
            one => of(one),
        }
    }

    /// Whether it shows anything at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.credential, Credential::Several(these) if these.is_empty())
    }
}

/// `None` for a scheme that is not known here: whoever sends it is told which is.
fn of_header(header: &HeaderValue) -> Result<Option<Credential>, EstError> {
    let wrong = || EstError::Authorization;
    let octets = header.as_bytes();
    if octets.len() > AUTHORIZATION_BYTES_MAX {
        return Err(wrong());
    }
    let text = std::str::from_utf8(octets).map_err(|_| wrong())?;
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        basic(rest).map(Some)
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Credential::token(rest).map(Some).ok_or_else(wrong)
    } else {
        Ok(None)
    }
}

/// RFC 7617: the name ends at the first colon.
fn basic(text: &str) -> Result<Credential, EstError> {
    let decoded = Secret::new(BASE64.decode(text).map_err(|_| EstError::Authorization)?);
    let octets = decoded.expose();
    let colon = octets.iter().position(|octet| *octet == b':');
    let (name, password) = colon
        .and_then(|colon| octets.split_at_checked(colon))
        .ok_or(EstError::Authorization)?;
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
    let name = name.ok_or(EstError::Authorization)?;
    let password = password.strip_prefix(b":").unwrap_or_default();
    Ok(Credential::password(name, Secret::new(password.to_vec())))
}

/// The listener exports the value of TLS 1.2 only where it insists on the extended master secret.
fn channel(tls: &TlsPeer) -> Channel {
    let (version, extended_master_secret) = match tls.version {
        TlsVersion::Tls13 => (ChannelVersion::Tls13, true),
        TlsVersion::Tls12 => (ChannelVersion::Tls12, tls.exporter.is_some()),
    };
    Channel {
        version,
        extended_master_secret,
        exporter: tls.exporter,
    }
}

#[cfg(test)]
mod tests {
    use portreeve_ra::{SecretKind, SecretProof};

    use super::*;

    fn peer(certificates: &[&[u8]], version: TlsVersion, exporter: Option<[u8; 32]>) -> Peer {
        Peer {
            address: [192, 0, 2, 1].into(),
            tls: Some(TlsPeer {
                certificates: certificates.iter().map(|one| one.to_vec()).collect(),
                sni: None,
                exporter,
                version,
            }),
        }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    /// A credential in words.
    fn words(credential: &Credential) -> String {
        match credential {
            Credential::Secret {
                kind,
                reference,
                proof: SecretProof::Value(value),
            } => format!(
                "{} {reference} {}",
                if *kind == SecretKind::EstPassword {
                    "password"
                } else {
                    "token"
                },
                String::from_utf8_lossy(value.expose())
            ),
            Credential::Certificate { chain } => format!("certificate of {}", chain.len()),
            Credential::Several(these) => these.iter().map(words).collect::<Vec<_>>().join(", "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_shown() {
        let alone = peer(&[], TlsVersion::Tls13, None);
        let holder = peer(&[b"a", b"b"], TlsVersion::Tls13, None);
        let rows: [(&str, &[&str], &Peer, Option<&str>); 16] = [
            ("nothing", &[], &alone, Some("")),
            ("Basic", &["Basic dTpw"], &alone, Some("password u p")),
            ("in another case", &["bAsIC  dTpw "], &alone, Some("password u p")),
            (
                "without padding",
                &["Basic dTpwMQ"],
                &alone,
                Some("password u p1"),
            ),
            ("with padding", &["Basic dTpwMQ=="], &alone, Some("password u p1")),
            (
                "colons are the password's",
                &["Basic dTphOmI="],
                &alone,
                Some("password u a:b"),
            ),
            (
                "an empty password is one",
                &["Basic dTo="],
                &alone,
                Some("password u "),
            ),
            ("a token", &["Bearer abc.def"], &alone, Some("token abc abc.def")),
            ("a certificate", &[], &holder, Some("certificate of 2")),
            (
                "both",
                &["Basic dTpw"],
                &holder,
                Some("password u p, certificate of 2"),
            ),
            ("another scheme", &["Digest a=b"], &alone, Some("")),
            ("two headers", &["Basic dTpw", "Basic dTpw"], &alone, None),
            ("no colon", &["Basic dQ=="], &alone, None),
            ("no name", &["Basic OnA="], &alone, None),
            ("not base64", &["Basic !"], &alone, None),
            ("no token", &["Bearer abc"], &alone, None),
        ];
        for (name, values, peer, expected) in rows {
            let found = Presented::of(&headers(values), peer);
            let found = found.ok().map(|found| words(&found.credential));
            assert_eq!(found.as_deref(), expected, "{name}");
        }
        let long = format!("Basic {}", "A".repeat(AUTHORIZATION_BYTES_MAX));
        assert!(Presented::of(&headers(&[&long]), &alone).is_err());
        assert!(Presented::of(&headers(&[]), &alone).unwrap().is_empty());
        assert!(!Presented::of(&headers(&[]), &holder).unwrap().is_empty());
    }

    #[test]
    fn the_channel_binds_where_its_value_was_exported() {
        let value = Some([7; 32]);
        let rows = [
            (TlsVersion::Tls13, value, true),
            (TlsVersion::Tls13, None, false),
            (TlsVersion::Tls12, value, true),
            (TlsVersion::Tls12, None, false),
        ];
        for (version, exporter, expected) in rows {
            let presented = Presented::of(&HeaderMap::new(), &peer(&[], version, exporter)).unwrap();
            let binds = presented.channel.unwrap().binding().is_some();
            assert_eq!(binds, expected, "{version:?} {exporter:?}");
        }
    }
}
