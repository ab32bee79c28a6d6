//! Making CAs, and the times of what they issue.

use portreeve_pkix::IssuerChain;
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{CaBackend, CaError};

use super::*;
use crate::authority::{AuthorityError, create_management};
use crate::server::{ServerContents, create_server};
use crate::validity::{NoValidity, validity};

#[tokio::test]
async fn validity_is_cut_and_never_past_the_issuer() {
    let test = TestCa::new().await;
    let issuer = test.ca.issuer();
    let period = |backdate: u64, lifetime: u64| ValidityPeriod {
        backdate: Duration::from_secs(backdate),
        lifetime: Duration::from_secs(lifetime),
    };
    let year = 365 * 24 * 3600;
    let end = issuer.not_after();
    let rows = [
        (
            "plain",
            period(60, 3600),
            NOW,
            Ok(("2026-11-22T11:59:00Z", "2026-11-22T12:58:59Z")),
        ),
        (
            "one hour, no backdate",
            period(0, 3600),
            NOW,
            Ok(("2026-11-22T12:00:00Z", "2026-11-22T12:59:59Z")),
        ),
        (
            "begins before the CA",
            period(7200, 10800),
            NOW,
            Ok(("2026-11-22T11:00:00Z", "2026-11-22T12:59:59Z")),
        ),
        (
            "ends after the CA",
            period(0, year),
            NOW,
            Ok(("2026-11-22T12:00:00Z", "2027-11-22T10:59:59Z")),
        ),
        ("over at once", period(3600, 3600), NOW, Err(NoValidity::Over)),
        (
            "CA expired",
            period(0, 3600),
            end.saturating_add(DAY),
            Err(NoValidity::IssuerExpired),
        ),
        (
            "CA not begun",
            period(0, 3600),
            NOW.saturating_sub(DAY),
            Err(NoValidity::IssuerNotYetValid),
        ),
    ];
    for (name, period, now, expected) in rows {
        let given = validity(period, issuer, now);
        let given = given.map(|v| (v.not_before.to_string(), v.not_after.to_string()));
        let given = given
            .as_ref()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .map_err(|error| *error);
        assert_eq!(given, expected, "{name}");
    }
    let late = test.ca.prepare(
        &contents(ec_key()),
        EnrollmentId::new(NOW, &System),
        end.saturating_add(DAY),
    );
    assert!(matches!(late, Err(CaError::Contents(_))));
}

#[tokio::test]
async fn authorities_that_are_not_made() {
    let test = TestCa::new().await;
    let ceremony = Ceremony {
        clock: &*test.clock,
        random: &System,
    };
    let key = ec_key();
    let below_issuing = Parent {
        certificate: test.ca.issuer(),
        signer: &*test.signer,
    };
    let refused = create_issuing(&below_issuing, &key, &authority("Sub", 10, Some(0)), &ceremony).await;
    assert!(
        matches!(refused, Err(AuthorityError::Parent)),
        "path length 0 has no CA below it"
    );

    let (top_signer, signer) = (TestSigner::new(), TestSigner::new());
    let top = create_root(&*top_signer, &authority("Top", 100, Some(1)), &ceremony)
        .await
        .expect("root");
    let parent = Parent {
        certificate: &top,
        signer: &*top_signer,
    };
    let rows = [
        ("same name", authority("Top", 10, Some(0)), key.clone()),
        ("path length as long", authority("Sub", 10, Some(1)), key.clone()),
        ("no path length", authority("Sub", 10, None), key.clone()),
        (
            "key of the parent",
            authority("Sub", 10, Some(0)),
            top.public_key().clone(),
        ),
        (
            "no name",
            AuthorityContents {
                subject: DistinguishedName::empty(),
                ..authority("Sub", 10, Some(0))
            },
            key.clone(),
        ),
        ("no time", authority("Sub", 0, Some(0)), key.clone()),
        (
            "name too long",
            authority(&"x".repeat(65), 10, Some(0)),
            key.clone(),
        ),
    ];
    for (name, wanted, key) in rows {
        assert!(
            create_issuing(&parent, &key, &wanted, &ceremony).await.is_err(),
            "{name}"
        );
    }
    let foreign = Parent {
        certificate: &top,
        signer: &*signer,
    };
    assert!(
        create_issuing(&foreign, &key, &authority("Sub", 10, Some(0)), &ceremony)
            .await
            .is_err()
    );

    let wanted = authority("Sub", 1000, Some(0));
    let sub = create_issuing(&parent, signer.public_key(), &wanted, &ceremony)
        .await
        .expect("issuing CA");
    assert_eq!(sub.not_after(), top.not_after(), "cut where its parent ends");
    assert_eq!((sub.is_ca(), sub.path_len()), (true, Some(0)));
    assert_eq!(
        sub.key_usage(),
        Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
    );
    assert_eq!(IssuerChain::from(top.clone()).check(&sub, NOW), Ok(()));

    let management = create_management(&*signer, &authority("Management", 100, None), &ceremony).await;
    let management = management.expect("management CA");
    assert_eq!(management.path_len(), Some(0));
    assert!(management.verify_signed_by(signer.public_key()).is_ok());
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
#[tokio::test]
async fn times_change_their_form_in_2050() {
    let clock = SetClock::at(NOW);
    let ceremony = Ceremony {
        clock: &*clock,
        random: &System,
    };
    let rows = [
        ("2049", 8000, "2048-10-17T10:59:59Z", 0x17),
        ("2050", 9000, "2051-07-14T10:59:59Z", 0x18),
    ];
    for (name, days, until, tag) in rows {
        let signer = TestSigner::new();
        let root = create_root(&*signer, &authority("Root", days, None), &ceremony)
            .await
            .expect("root");
        assert_eq!(root.not_after().to_string(), until, "{name}");
        let not_after = portreeve_pkix::encode::time(root.not_after());
        assert_eq!(not_after.first(), Some(&tag), "{name}");
        assert!(
            root.tbs_der()
                .windows(not_after.len())
                .any(|window| window == not_after),
            "{name}"
        );
    }
}

#[tokio::test]
async fn only_a_management_ca_certifies_servers() {
    let test = TestCa::new().await;
    let ceremony = Ceremony {
        clock: &*test.clock,
        random: &System,
    };
    let signer = TestSigner::new();
    let wanted = authority("Management", 100, None);
    let certificate = create_management(&*signer, &wanted, &ceremony)
        .await
        .expect("management CA");
    let management = Parent {
        certificate: &certificate,
        signer: &*signer,
    };
    let contents = |names: Vec<GeneralName>| ServerContents {
        key: ec_key(),
        names,
        lifetime: DAY * 30,
    };
    let good = contents(vec![dns("localhost"), GeneralName::Ip([127, 0, 0, 1].into())]);
    let server = create_server(&management, &good, &ceremony)
        .await
        .expect("server certificate");
    let alone = IssuerChain::from(certificate.clone());
    assert_eq!(alone.check(&server, NOW), Ok(()));
    assert_eq!(server.names(), good.names);
    assert_eq!(server.extended_key_usage(), Some(&[Oid::EKU_SERVER_AUTH][..]));

    let issuing = Parent {
        certificate: test.ca.issuer(),
        signer: &*test.signer,
    };
    let refused = create_server(&issuing, &good, &ceremony).await;
    assert!(matches!(refused, Err(AuthorityError::Parent)), "an issuing CA");
    let refused = create_server(&management, &contents(Vec::new()), &ceremony).await;
    assert!(matches!(refused, Err(AuthorityError::Parent)), "no names");
    let refused = create_server(
        &management,
        &contents(vec![GeneralName::Ip([0, 0, 0, 0].into())]),
        &ceremony,
    )
    .await;
    assert!(
        matches!(refused, Err(AuthorityError::Contents(_))),
        "fails the lint"
    );
}

#[tokio::test]
async fn a_signature_that_does_not_verify_makes_no_ca() {
    let clock = SetClock::at(NOW);
    let ceremony = Ceremony {
        clock: &*clock,
        random: &System,
    };
    let signer = TestSigner::new();
    signer.corrupts.store(true, Ordering::Relaxed);
    let made = create_root(&*signer, &authority("Root", 30, None), &ceremony).await;
    assert!(
        matches!(made, Err(AuthorityError::Sign(SignError::Corrupt))),
        "{made:?}"
    );
}
