//! Trust anchors: whoever changes them decides who may ask at the endpoints that name them.

use portreeve_ra::{DecisionRejection, ProposalState};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::guarded::{guarded, proposed, rejection, vote};
use super::*;

const ANCHORS: ObjectKind = ObjectKind::TrustAnchors;
const OFFER: &str = "profiles = [\"web\"]\nbackend = \"other\"\nclient_trust = [\"factory\"]\n";

/// A set of one CA of its own.
fn anchors() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    format!("certificates = '''\n{}'''\n", certificate.pem())
}

#[tokio::test]
async fn their_authors_need_the_right_where_they_are_used() {
    let authority = started().await;
    let ra = &authority.ra;
    let alice = author(&authority, "alice").await;
    let lea = person(&authority, "lea", ("\"configuration.write\"", true)).await;
    let publish = || to(ANCHORS, "factory", Step::Publish(anchors()));
    ra.change_object(&lea, &publish()).await.expect("nothing uses it");
    authority.put(ObjectKind::Endpoint, "est/line", OFFER).await;
    let forbidden =
        |found: Result<Changed, ConfigurationError>| matches!(found, Err(ConfigurationError::Forbidden(_)));
    assert!(
        forbidden(ra.change_object(&lea, &publish()).await),
        "of another CA"
    );
    let retire = to(ANCHORS, "factory", Step::Retire);
    assert!(forbidden(ra.change_object(&lea, &retire).await));
    let replaced = ra.change_object(&alice, &publish()).await.expect("everywhere");
    let codes: Vec<&str> = replaced.remarks.iter().map(|remark| remark.code).collect();
    assert_eq!(codes, ["anchor_removed"]);

    let named = ra.change_object(&alice, &retire).await;
    let Err(ConfigurationError::Named(names)) = named else {
        panic!("{named:?}")
    };
    assert_eq!(names, ["endpoint est/line"]);
    let other = OFFER.replace("client_trust", "ra_trust");
    authority.put(ObjectKind::Endpoint, "est/line", &other).await;
    let named = ra.change_object(&alice, &retire).await;
    assert!(matches!(named, Err(ConfigurationError::Named(_))), "{named:?}");
    authority
        .put(
            ObjectKind::Endpoint,
            "est/line",
            "profiles = [\"web\"]\nbackend = \"other\"\n",
        )
        .await;
    ra.change_object(&lea, &retire).await.expect("nothing uses it");
}

#[tokio::test]
async fn others_agree_to_them_who_have_the_right_where_they_are_used() {
    let authority = guarded().await;
    let ra = &authority.ra;
    let (alice, bob) = (author(&authority, "alice").await, author(&authority, "bob").await);
    let role = "rights = [\"configuration.approve\"]\nbackends = [\"scripted\"]\nprofiles = [\"dev\"]\n";
    authority.put(ObjectKind::Role, "limited", role).await;
    let text = format!("roles = [\"limited\"]\n{}", key_of("lea"));
    authority.put(ObjectKind::Operator, "lea", &text).await;
    authority.put(ObjectKind::Endpoint, "est/line", OFFER).await;
    let first = to(ANCHORS, "factory", Step::Publish(anchors()));
    let (_, asked) = proposed(&authority, &alice, &first).await;
    let lea = authority.vote("lea").await;
    let why = rejection(ra.approve(asked, lea).await);
    assert!(matches!(why, DecisionRejection::Right(_)), "{why:?}");
    let agreed = ra.approve(asked, vote(&bob)).await.unwrap();
    assert_eq!(agreed, ProposalState::Approved);
    assert_eq!(in_force(&authority, ANCHORS, "factory").await, Some(1));
}
