//! `/csrattrs` (RFC 7030 section 4.5, RFC 8951 section 4, RFC 9908): derived from the profile.

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::Client;
use portreeve_pkix::Oid;
use portreeve_wire::est::{CsrAttributes, KeyRequirement};

use super::support::publish;

#[test]
fn rfc_9908_the_profile_is_told_as_a_template() {
    let site = Site::shared();
    let text = "profiles = [\"device\"]\nbackend = \"issuing\"\n";
    publish(site, "endpoint", "est/template", text);
    let answer = Client::new(site, "template").get("csrattrs").expect(200);
    assert_eq!(answer.0.header("content-type"), Some("application/csrattrs"));
    let attributes = CsrAttributes::from_der(&answer.decoded()).unwrap();
    let template = attributes.template().unwrap().expect("a template");
    let subject: Vec<&Oid> = template
        .subject
        .iter()
        .flatten()
        .map(|attribute| &attribute.oid)
        .collect();
    assert!(subject.contains(&&Oid::COMMON_NAME));
    let extensions: Vec<&Oid> = template
        .extensions
        .iter()
        .map(|extension| &extension.oid)
        .collect();
    for oid in [&Oid::SUBJECT_ALT_NAME, &Oid::KEY_USAGE, &Oid::EXTENDED_KEY_USAGE] {
        assert!(extensions.contains(&oid), "{oid}");
    }
    let valued = template
        .extensions
        .iter()
        .find(|extension| extension.oid == Oid::EXTENDED_KEY_USAGE);
    assert!(valued.unwrap().value.is_some(), "with its value");
    assert_eq!(
        template.key,
        KeyRequirement::Any,
        "several kinds of keys are certified"
    );
}

#[test]
fn a_profile_that_says_nothing_about_a_request_still_names_what_it_certifies() {
    let site = Site::shared();
    let answer = Client::new(site, "default").get("csrattrs").expect(200);
    assert!(
        CsrAttributes::from_der(&answer.decoded())
            .unwrap()
            .template()
            .unwrap()
            .is_some()
    );
}

#[test]
fn an_endpoint_may_say_nothing() {
    let site = Site::own(&["endpoint.est.silent.template=false"]);
    let answer = Client::new(&site, "silent").get("csrattrs");
    assert_eq!((answer.status(), answer.0.body.len()), (204, 0));
}
