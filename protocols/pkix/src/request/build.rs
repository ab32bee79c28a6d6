//! Making requests: for keys that are made here, and for clients of ours.

use crate::der::{self, tag};
use crate::dn::DistinguishedName;
use crate::encode;
use crate::extension::Extension;
use crate::key_pair::{KeyPair, KeyPairError};
use crate::oid::Oid;
use crate::signed;

use super::{Capability, CertificationRequest, ChangeSubjectName};

/// An attribute to put into a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAttribute {
    /// Extensions that are asked for; at least one.
    Extensions(Vec<Extension>),
    /// A challenge password, or the binding to a TLS channel in its place (RFC 7030 section 3.5).
    ChallengePassword(String),
    /// Another name for a renewed certificate.
    ChangeSubjectName(ChangeSubjectName),
    /// The shared secret key under which the server is to encrypt the key it makes.
    DecryptKeyIdentifier(Vec<u8>),
    /// The public key to which the server is to encrypt the key it makes.
    AsymmetricDecryptKeyIdentifier(Vec<u8>),
    /// The algorithms the requester can decrypt with, most wanted first.
    SmimeCapabilities(Vec<Capability>),
}

impl RequestAttribute {
    /// The Attribute element (RFC 2986 section 4.1).
    pub fn to_der(&self) -> Vec<u8> {
        let (oid, value) = match self {
            Self::Extensions(list) => (Oid::EXTENSION_REQUEST, encode::extensions(list)),
            Self::ChallengePassword(text) => (Oid::CHALLENGE_PASSWORD, directory_string(text)),
            Self::ChangeSubjectName(change) => (Oid::CHANGE_SUBJECT_NAME, change.to_der()),
            Self::DecryptKeyIdentifier(id) => (Oid::DECRYPT_KEY_IDENTIFIER, der::octet_string(id)),
            Self::AsymmetricDecryptKeyIdentifier(id) => {
                (Oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, der::octet_string(id))
            }
            Self::SmimeCapabilities(list) => {
                let list: Vec<Vec<u8>> = list.iter().map(Capability::to_der).collect();
                (Oid::SMIME_CAPABILITIES, der::sequence(&list))
            }
        };
        der::sequence(&[oid.to_der(), der::set_of(vec![value])])
    }
}

impl ChangeSubjectName {
    /// The value of the attribute, in the untagged form of RFC 6402.
    pub fn to_der(&self) -> Vec<u8> {
        let subject = self.subject.as_ref().map(DistinguishedName::to_der);
        let names = self.names.as_deref().map(encode::subject_alt_name);
        let parts: Vec<Vec<u8>> = subject.into_iter().chain(names).collect();
        der::sequence(&parts)
    }
}

impl Capability {
    /// An algorithm without parameters.
    pub fn plain(oid: Oid) -> Self {
        Self {
            oid,
            parameters: None,
        }
    }

    /// The SMIMECapability element.
    pub fn to_der(&self) -> Vec<u8> {
        let parameters = self.parameters.clone();
        let parts: Vec<Vec<u8>> = std::iter::once(self.oid.to_der()).chain(parameters).collect();
        der::sequence(&parts)
    }
}

impl CertificationRequest {
    /// Makes a request for this key and signs it with it.
    ///
    /// Fails when the library does not sign, or when what was made is more than a request may be.
    pub fn sign(
        subject: &DistinguishedName,
        attributes: &[RequestAttribute],
        key: &KeyPair,
    ) -> Result<Self, KeyPairError> {
        let list = attributes.iter().map(RequestAttribute::to_der).collect();
        let info = der::sequence(&[
            der::unsigned_integer(&[0]),
            subject.to_der(),
            key.public_key().der().to_vec(),
            implicit_set(list),
        ]);
        let signature = key.sign(&info)?;
        let whole = signed::assemble(&info, key.signature_algorithm(), &signature);
        Self::from_der(&whole).map_err(KeyPairError::Request)
    }
}

/// `[0] IMPLICIT SET OF`, in the order DER demands.
fn implicit_set(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    der::constructed(tag::context_constructed(0), &parts)
}

fn directory_string(text: &str) -> Vec<u8> {
    let printable = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
    let string = if printable {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    };
    der::tlv(string, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{DecodeError, Flaw};
    use crate::key::KeyAlgorithm;
    use crate::names::GeneralName;

    fn key() -> KeyPair {
        KeyPair::generate(KeyAlgorithm::EcP256).expect("key")
    }

    fn names() -> Vec<GeneralName> {
        let name = "a.example".parse().expect("name");
        vec![GeneralName::Dns(name)]
    }

    #[test]
    fn what_is_written_is_read() {
        let subject = DistinguishedName::common_name("a.example");
        let change = ChangeSubjectName {
            subject: Some(DistinguishedName::common_name("b.example")),
            names: Some(names()),
        };
        let capabilities = vec![
            Capability::plain(Oid::AES256_WRAP),
            Capability {
                oid: Oid::RSA_OAEP,
                parameters: Some(der::sequence::<Vec<u8>>(&[])),
            },
        ];
        let san = Extension::non_critical(Oid::SUBJECT_ALT_NAME, encode::subject_alt_name(&names()));
        let attributes = [
            RequestAttribute::Extensions(vec![san]),
            RequestAttribute::ChallengePassword("secret".to_owned()),
            RequestAttribute::ChangeSubjectName(change.clone()),
            RequestAttribute::DecryptKeyIdentifier(b"psk-1".to_vec()),
            RequestAttribute::AsymmetricDecryptKeyIdentifier(vec![7; 20]),
            RequestAttribute::SmimeCapabilities(capabilities.clone()),
        ];
        let request = CertificationRequest::sign(&subject, &attributes, &key()).expect("request");
        assert_eq!(request.verify_possession(), Ok(()));
        assert_eq!(request.subject(), &subject);
        assert_eq!(request.names(), names());
        assert_eq!(request.challenge_password(), Some("secret"));
        assert_eq!(request.change_subject_name(), Some(&change));
        assert_eq!(request.decrypt_key_identifier(), Some(&b"psk-1"[..]));
        assert_eq!(request.asymmetric_decrypt_key_identifier(), Some(&[7; 20][..]));
        assert_eq!(request.smime_capabilities(), Some(&capabilities[..]));
    }

    /// A request whose attributes are these elements.
    fn with_attributes(list: &[Vec<u8>]) -> Result<CertificationRequest, DecodeError> {
        let key = key();
        let info = der::sequence(&[
            der::unsigned_integer(&[0]),
            DistinguishedName::common_name("a").to_der(),
            key.public_key().der().to_vec(),
            der::constructed(tag::context_constructed(0), list),
        ]);
        let signature = key.sign(&info).expect("signed");
        CertificationRequest::from_der(&signed::assemble(&info, key.signature_algorithm(), &signature))
    }

    fn attribute(oid: &Oid, values: &[Vec<u8>]) -> Vec<u8> {
        der::sequence(&[oid.to_der(), der::constructed(tag::SET, values)])
    }

    #[test]
    fn forms_of_a_name_change() {
        let subject = DistinguishedName::common_name("b");
        let san = encode::subject_alt_name(&names());
        let implicit = der::constructed(tag::context_constructed(1), &[names()[0].to_der()]);
        let explicit = der::constructed(tag::context_constructed(1), std::slice::from_ref(&san));
        let empty = DistinguishedName::empty();
        type Row<'a> = (
            &'a str,
            Vec<Vec<u8>>,
            Option<(Option<&'a DistinguishedName>, usize)>,
        );
        let rows: [Row<'_>; 9] = [
            ("subject", vec![subject.to_der()], Some((Some(&subject), 0))),
            ("names", vec![san.clone()], Some((None, 1))),
            (
                "both",
                vec![subject.to_der(), san.clone()],
                Some((Some(&subject), 1)),
            ),
            (
                "empty subject",
                vec![empty.to_der(), san.clone()],
                Some((Some(&empty), 1)),
            ),
            (
                "tagged",
                vec![subject.to_der(), implicit],
                Some((Some(&subject), 1)),
            ),
            ("tagged twice", vec![explicit], Some((None, 1))),
            ("nothing", vec![], None),
            ("the other way round", vec![san.clone(), subject.to_der()], None),
            ("no name", vec![der::octet_string(b"x")], None),
        ];
        for (name, parts, expected) in rows {
            let value = der::sequence(&parts);
            let read = with_attributes(&[attribute(&Oid::CHANGE_SUBJECT_NAME, &[value])]).ok();
            let change = read.as_ref().and_then(CertificationRequest::change_subject_name);
            let got = change.map(|c| (c.subject.as_ref(), c.names.as_ref().map_or(0, Vec::len)));
            assert_eq!(got, expected, "{name}");
        }
    }

    #[test]
    fn attributes_that_are_read_are_bounded_and_single() {
        let id = |length: usize| der::octet_string(&vec![1; length]);
        let capability = Capability::plain(Oid::AES256_WRAP).to_der();
        let many = |count: usize| der::sequence(&vec![capability.clone(); count]);
        let decrypt = &Oid::DECRYPT_KEY_IDENTIFIER;
        type Row = (&'static str, Vec<Vec<u8>>, Option<Flaw>);
        let rows: [Row; 10] = [
            ("one", vec![attribute(decrypt, &[id(128)])], None),
            (
                "too long",
                vec![attribute(decrypt, &[id(129)])],
                Some(Flaw::Invalid("key identifier")),
            ),
            (
                "empty",
                vec![attribute(decrypt, &[id(0)])],
                Some(Flaw::Invalid("key identifier")),
            ),
            (
                "two values",
                vec![attribute(decrypt, &[id(1), id(2)])],
                Some(Flaw::Trailing("attribute")),
            ),
            (
                "twice",
                vec![attribute(decrypt, &[id(1)]), attribute(decrypt, &[id(1)])],
                Some(Flaw::Duplicate("attribute")),
            ),
            (
                "twice the same challenge",
                vec![RequestAttribute::ChallengePassword("a".into()).to_der(); 2],
                Some(Flaw::Duplicate("challenge password")),
            ),
            (
                "no octet string",
                vec![attribute(&Oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, &[der::null()])],
                Some(Flaw::Expected("key identifier")),
            ),
            (
                "32 capabilities",
                vec![attribute(&Oid::SMIME_CAPABILITIES, &[many(32)])],
                None,
            ),
            (
                "33 capabilities",
                vec![attribute(&Oid::SMIME_CAPABILITIES, &[many(33)])],
                Some(Flaw::TooMany("capabilities")),
            ),
            (
                "unknown, twice",
                vec![attribute(&Oid::SHA256, &[der::null()]); 2],
                None,
            ),
        ];
        for (name, list, expected) in rows {
            assert_eq!(with_attributes(&list).err().map(|e| e.what), expected, "{name}");
        }
    }

    #[test]
    fn a_request_seen_under_its_new_names_asks_for_them_in_its_extensions() {
        let new = vec![GeneralName::Dns("b.example".parse().expect("name"))];
        let change = RequestAttribute::ChangeSubjectName(ChangeSubjectName {
            subject: None,
            names: Some(new.clone()),
        });
        let usage = Extension::critical(Oid::KEY_USAGE, vec![3, 2, 7, 128]);
        let san = |names: &[GeneralName]| encode::subject_alt_name(names);
        let old = Extension::critical(Oid::SUBJECT_ALT_NAME, san(&names()));
        let rows = [(vec![old, usage.clone()], true), (vec![usage.clone()], false)];
        for (extensions, critical) in rows {
            let attributes = [RequestAttribute::Extensions(extensions), change.clone()];
            let subject = DistinguishedName::common_name("a.example");
            let request = CertificationRequest::sign(&subject, &attributes, &key()).expect("request");
            let renamed = request.renamed();
            assert_eq!(renamed.names(), new);
            let of = |oid: &Oid| {
                let found = renamed.extensions().iter().filter(|it| it.oid == *oid);
                found.cloned().collect::<Vec<_>>()
            };
            let expected = Extension {
                oid: Oid::SUBJECT_ALT_NAME,
                critical,
                value: san(&new),
            };
            assert_eq!(of(&Oid::SUBJECT_ALT_NAME), [expected]);
            assert_eq!(of(&Oid::KEY_USAGE), std::slice::from_ref(&usage));
            assert_eq!(renamed.der(), request.der(), "what was signed stays");
        }
    }
}
