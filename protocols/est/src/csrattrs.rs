//! What a request should look like (RFC 7030 section 4.5, RFC 9908). Public as the certificates of the CA are: it says
//! nothing about anybody, and many clients ask before every enrolment.

use http::StatusCode;
use portreeve_edge::Call;
use portreeve_pkix::{KeyAlgorithm, Oid};
use portreeve_ra::{Linking, RequestTemplate, TemplateKey};
use portreeve_wire::est::{
    ExtensionRequirement, KeyRequirement, Linking as LinkingRequirement, Requirements, SubjectRequirement,
};

use crate::error::EstError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) async fn handle(service: &Service, site: &Site, call: &Call) -> Result<Reply, EstError> {
    let nothing = || Reply::empty(StatusCode::NO_CONTENT);
    let Some(template) = service.ra.request_template(&site.endpoint, None).await? else {
        return Ok(nothing());
    };
    let requirements = requirements(template, site.face.linking);
    if requirements.is_empty() {
        return Ok(nothing());
    }
    let style = site.style(&call.headers, &service.config);
    Ok(render::attributes(&requirements.to_csr_attributes(), style))
}

/// The same in the words of EST.
fn requirements(template: RequestTemplate, linking: Linking) -> Requirements {
    let subject = template.subject.into_iter().map(|attribute| SubjectRequirement {
        oid: attribute.oid,
        value: attribute.value,
    });
    let names = (!template.names.is_empty()).then_some(ExtensionRequirement {
        oid: Oid::SUBJECT_ALT_NAME,
        critical: false,
        value: None,
    });
    let extensions = template
        .extensions
        .into_iter()
        .map(|extension| ExtensionRequirement {
            oid: extension.oid,
            critical: extension.critical,
            value: Some(extension.value),
        });
    Requirements {
        subject: subject.collect(),
        key: key(&template.keys),
        extensions: names.into_iter().chain(extensions).collect(),
        linking: match linking {
            Linking::Optional => LinkingRequirement::Optional,
            Linking::Required => LinkingRequirement::Required,
        },
    }
}

/// What can be said of the keys that are certified: a range of lengths is both its ends.
fn key(keys: &[TemplateKey]) -> KeyRequirement {
    let accepted: Vec<KeyAlgorithm> = keys
        .iter()
        .flat_map(|key| match key {
            TemplateKey::One(algorithm) => vec![*algorithm],
            TemplateKey::Rsa { bits_min, bits_max } if bits_min == bits_max => {
                vec![KeyAlgorithm::Rsa { bits: *bits_min }]
            }
            TemplateKey::Rsa { bits_min, bits_max } => vec![
                KeyAlgorithm::Rsa { bits: *bits_min },
                KeyAlgorithm::Rsa { bits: *bits_max },
            ],
        })
        .collect();
    KeyRequirement::of(&accepted)
}

#[cfg(test)]
mod tests {
    use portreeve_pkix::Extension;
    use portreeve_ra::{TemplateAttribute, TemplateName};

    use super::*;

    #[test]
    fn nothing_is_said_of_a_profile_that_asks_nothing() {
        let empty = requirements(RequestTemplate::default(), Linking::Optional);
        assert!(empty.is_empty());
        let linked = requirements(RequestTemplate::default(), Linking::Required);
        assert!(!linked.is_empty());
    }

    #[test]
    fn a_profile_in_the_words_of_est() {
        let template = RequestTemplate {
            subject: vec![TemplateAttribute {
                oid: Oid::COMMON_NAME,
                value: None,
            }],
            names: vec![TemplateName::Dns],
            keys: vec![TemplateKey::One(KeyAlgorithm::EcP256)],
            extensions: vec![Extension {
                oid: Oid::KEY_USAGE,
                critical: true,
                value: vec![3, 2, 7, 128],
            }],
        };
        let found = requirements(template, Linking::Optional);
        assert_eq!(
            found.key,
            KeyRequirement::EllipticCurve(Some(KeyAlgorithm::EcP256))
        );
        let extensions: Vec<_> = found
            .extensions
            .iter()
            .map(|extension| (&extension.oid, extension.critical, extension.value.is_some()))
            .collect();
        assert_eq!(
            extensions,
            [
                (&Oid::SUBJECT_ALT_NAME, false, false),
                (&Oid::KEY_USAGE, true, true)
            ]
        );
    }

    #[test]
    fn one_kind_of_key_is_named_and_several_are_not() {
        use KeyAlgorithm::{EcP256, EcP384};
        use TemplateKey::{One, Rsa};
        let range = Rsa {
            bits_min: 2048,
            bits_max: 4096,
        };
        let one_length = Rsa {
            bits_min: 3072,
            bits_max: 3072,
        };
        let rows: [(&[TemplateKey], KeyRequirement); 6] = [
            (&[One(EcP256)], KeyRequirement::EllipticCurve(Some(EcP256))),
            (&[One(EcP256), One(EcP384)], KeyRequirement::EllipticCurve(None)),
            (&[range], KeyRequirement::Rsa { bits: None }),
            (&[one_length], KeyRequirement::Rsa { bits: Some(3072) }),
            (&[One(EcP256), range], KeyRequirement::Any),
            (&[], KeyRequirement::Any),
        ];
        for (keys, expected) in rows {
            assert_eq!(key(keys), expected, "{keys:?}");
        }
    }
}
