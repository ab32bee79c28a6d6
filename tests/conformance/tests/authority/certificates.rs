//! Operators and certificates: what they find, what they may change, and who changes it.

use portreeve_ra::authority::{Meant, Search, SearchError, StatusOutcome, StatusRequest};
use portreeve_ra::search::{Among, parse};
use portreeve_ra::{
    EnrollmentState, OperatorRole, Reach, Right, Role, Roles, Standing, StatusChange, TeamReach,
};

use super::*;

fn standing(change: impl FnOnce(&mut OperatorRole)) -> Standing {
    let mut role = OperatorRole::superadmin();
    change(&mut role);
    let mut standing = Standing::superadmin("operator:alice".parse().unwrap());
    standing.roles = vec![role];
    standing
}

fn everything() -> Standing {
    standing(|_| {})
}

fn wish(authority: &TestAuthority, issuance: &Issuance, change: StatusChange) -> StatusRequest {
    StatusRequest {
        enrollment: issuance.enrollment,
        change,
        comment: "because".to_owned(),
        origin: Origin::node(authority.ra.node()),
    }
}

const HOLD: StatusChange = StatusChange::Revoke(RevocationReason::CertificateHold);
const SUPERSEDED: StatusChange = StatusChange::Revoke(RevocationReason::Superseded);

/// A CA whose CRL is signed here.
fn own() -> Odd {
    Odd {
        power: RevocationPower::FromStore,
        ..Odd::new(Vec::new())
    }
}

#[tokio::test]
async fn rights_limit_what_is_found_shown_and_changed() {
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let others =
        |names: &[&str]| Reach::Only(names.iter().map(|name| BackendName::new(name).unwrap()).collect());
    let rows: [(&str, Standing, Option<usize>, bool); 7] = [
        ("everything", everything(), Some(1), true),
        (
            "this CA",
            standing(|role| role.backends = others(&["scripted", "x"])),
            Some(1),
            true,
        ),
        (
            "another CA",
            standing(|role| role.backends = others(&["x"])),
            Some(0),
            false,
        ),
        (
            "no CA",
            standing(|role| role.backends = others(&[])),
            Some(0),
            false,
        ),
        (
            "own teams, and it is of none",
            standing(|role| role.teams = TeamReach::Own),
            Some(0),
            false,
        ),
        (
            "no right to see",
            standing(|role| role.rights = [Right::CertificateHold].into()),
            None,
            true,
        ),
        (
            "no right to hold",
            standing(|role| role.rights = [Right::CertificateRead].into()),
            Some(1),
            false,
        ),
    ];
    let serial = issuance.certificate.serial().clone();
    for (name, standing, found, may_hold) in rows {
        for query in [
            "",
            "san=a.test",
            "san=a.test or backend!=scripted",
            "not san=b.test",
        ] {
            let search = Search {
                query: parse(query, Among::Certificates).unwrap(),
                after: None,
                limit: 10,
            };
            let listed = authority.ra.search_certificates(&standing, &search).await;
            match found {
                Some(count) => assert_eq!(listed.unwrap().items.len(), count, "{name}: {query}"),
                None => assert!(
                    matches!(
                        listed,
                        Err(SearchError::Ra(Error::Refused(Refusal::NotAuthorized)))
                    ),
                    "{name}"
                ),
            }
        }
        let shown = authority.ra.certificate(&standing, (&serial, None)).await;
        assert_eq!(
            shown.is_ok_and(|shown| shown.is_some()),
            found == Some(1),
            "{name}"
        );
        let held = authority
            .ra
            .change_status(&standing, wish(&authority, &issuance, HOLD))
            .await;
        if may_hold {
            assert_eq!(held.unwrap(), StatusOutcome::Done, "{name}");
            let back = wish(&authority, &issuance, StatusChange::Release);
            authority.ra.change_status(&everything(), back).await.unwrap();
        } else {
            refused(name, held, &Refusal::NotAuthorized);
        }
        if !standing.may_somewhere(Right::CertificateRevoke) || found == Some(0) {
            let asked = wish(&authority, &issuance, SUPERSEDED);
            refused(
                name,
                authority.ra.change_status(&standing, asked).await,
                &Refusal::NotAuthorized,
            );
        }
    }
    let enrollment = authority
        .ra
        .enrollment(issuance.enrollment)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(enrollment.revoked(), None, "nobody got further than they may");
}

#[tokio::test]
async fn what_may_follow_what() {
    let release = StatusChange::Release;
    let revoke_as = StatusChange::Revoke;
    let rows: [(&str, &[StatusChange], StatusChange, Option<Refusal>); 10] = [
        ("hold", &[], HOLD, None),
        ("release what is good", &[], release, Some(Refusal::NotHeld)),
        ("hold twice", &[HOLD], HOLD, Some(Refusal::AlreadyRevoked)),
        ("release", &[HOLD], release, None),
        ("release twice", &[HOLD, release], release, Some(Refusal::NotHeld)),
        ("hold again", &[HOLD, release], HOLD, None),
        ("for good after a hold", &[HOLD], SUPERSEDED, None),
        (
            "release what is revoked",
            &[HOLD, SUPERSEDED],
            release,
            Some(Refusal::NotHeld),
        ),
        (
            "hold what is revoked",
            &[SUPERSEDED],
            HOLD,
            Some(Refusal::AlreadyRevoked),
        ),
        (
            "a reason of CAs",
            &[],
            revoke_as(RevocationReason::CaCompromise),
            Some(Refusal::RevocationReason),
        ),
    ];
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    for (number, (name, before, change, expected)) in rows.into_iter().enumerate() {
        let handle = format!("order {number}");
        let issuance = issued(&authority, &account, (&handle, &csr("a.test"))).await;
        for step in before {
            let step = wish(&authority, &issuance, *step);
            authority.ra.change_status(&everything(), step).await.expect(name);
        }
        let asked = wish(&authority, &issuance, change);
        let outcome = authority.ra.change_status(&everything(), asked).await;
        match expected {
            None => assert_eq!(outcome.expect(name), StatusOutcome::Done),
            Some(refusal) => refused(name, outcome, &refusal),
        }
    }
}

#[tokio::test]
async fn a_ca_that_cannot_says_so_at_once() {
    let powers = [
        (
            "told, hold",
            RevocationPower::MustBeTold,
            HOLD,
            Some(Refusal::CannotRevoke),
        ),
        ("told, for good", RevocationPower::MustBeTold, SUPERSEDED, None),
        (
            "impossible",
            RevocationPower::Impossible,
            SUPERSEDED,
            Some(Refusal::CannotRevoke),
        ),
    ];
    for (name, power, change, expected) in powers {
        let odd = Odd {
            power,
            ..Odd::new(Vec::new())
        };
        let (authority, _) = odd.start("").await;
        let account = authority.account(&["a.test"]).await;
        let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
        let outcome = authority
            .ra
            .change_status(&everything(), wish(&authority, &issuance, change))
            .await;
        match expected {
            None => assert_eq!(outcome.expect(name), StatusOutcome::Done),
            Some(refusal) => refused(name, outcome, &refusal),
        }
    }
}

#[tokio::test]
async fn the_event_names_the_operator_and_their_words() {
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    for change in [HOLD, StatusChange::Release] {
        let asked = wish(&authority, &issuance, change);
        authority.ra.change_status(&everything(), asked).await.unwrap();
        let stream = StreamId::enrollment(issuance.enrollment);
        let records = authority.store.load(&[stream]).await.unwrap().remove(0);
        let header = records.last().unwrap().header();
        assert_eq!(header.actor, Actor::Operator("operator:alice".parse().unwrap()));
        assert_eq!(header.reason, "because");
    }
    let same = issued(
        &authority,
        &account,
        ("order", &issuance_csr(&authority, &issuance).await),
    )
    .await;
    assert_eq!(
        same.enrollment, issuance.enrollment,
        "a hold does not end the claim"
    );
}

async fn issuance_csr(authority: &TestAuthority, issuance: &Issuance) -> Vec<u8> {
    let enrollment = authority
        .ra
        .enrollment(issuance.enrollment)
        .await
        .unwrap()
        .unwrap();
    enrollment.application().unwrap().request.clone()
}

#[tokio::test]
async fn who_holds_the_key_may_revoke_what_is_on_hold() {
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let asked = wish(&authority, &issuance, HOLD);
    authority.ra.change_status(&everything(), asked).await.unwrap();
    let reason = (issuance.as_ref(), RevocationReason::CessationOfOperation);
    revoke(&authority, account.credential(), reason)
        .await
        .expect("the owner, for good");
    let again = revoke(&authority, account.credential(), reason).await;
    refused("twice", again, &Refusal::AlreadyRevoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_hands_over_and_a_worker_does_it() {
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let wakeups = Arc::new(portreeve_queue::LocalWakeups::new());
    let console = authority.node_with(Roles::NONE.with(Role::Console), None, wakeups, 7);
    for (change, expected) in [
        (HOLD, Some(RevocationReason::CertificateHold)),
        (StatusChange::Release, None),
    ] {
        let asked = wish(&authority, &issuance, change);
        let begun = console.begin_change(&everything(), asked.clone()).await.unwrap();
        assert_eq!(begun, StatusOutcome::HandedOver);
        let again = console.begin_change(&everything(), asked).await.unwrap();
        assert_eq!(again, StatusOutcome::HandedOver, "asked twice");
        finish_work(&authority).await;
        let enrollment = authority
            .ra
            .enrollment(issuance.enrollment)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(enrollment.revoked().map(|(reason, _)| reason), expected);
        assert_eq!(enrollment.state(), Some(EnrollmentState::Issued));
    }
    let records = authority
        .store
        .load(&[StreamId::enrollment(issuance.enrollment)])
        .await
        .unwrap()
        .remove(0);
    let done = records.iter().filter(|record| {
        let kinds = &record.header().kinds;
        kinds.contains(&portreeve_ra::EventKind::EnrollmentRevoked)
            || kinds.contains(&portreeve_ra::EventKind::EnrollmentReleased)
    });
    assert_eq!(done.count(), 2, "each once");
}

#[tokio::test]
async fn a_list_goes_on_only_with_its_own_cursor() {
    let (authority, _) = own().start("").await;
    let account = authority.account(&["a.test"]).await;
    for number in 0..3 {
        issued(&authority, &account, (&format!("order {number}"), &csr("a.test"))).await;
    }
    let search = |query: &str, after| Search {
        query: parse(query, Among::Certificates).unwrap(),
        after,
        limit: 2,
    };
    let first = authority
        .ra
        .search_certificates(&everything(), &search("san~test", None))
        .await
        .unwrap();
    assert_eq!(first.items.len(), 2);
    let rest = search("san~test", first.next.clone());
    let rest = authority
        .ra
        .search_certificates(&everything(), &rest)
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    for query in ["", "san~a", "status=valid and expires<1000d"] {
        let foreign = search(query, first.next.clone());
        let found = authority.ra.search_certificates(&everything(), &foreign).await;
        assert!(matches!(found, Err(SearchError::Cursor(_))), "{query}");
    }
}

/// For proofs that it was recorded. The CA here is none of the installation's own.
#[tokio::test]
async fn the_request_of_a_certificate_is_found_whoever_signed_it() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let issuance = issued(&authority, &account, ("order", &csr("a.test"))).await;
    let certificate = &issuance.certificate;
    let dn = |text: &str| Some(portreeve_pkix::DistinguishedName::parse(text).unwrap());
    let ca = |name: &str| Some(BackendName::new(name).unwrap());
    let upper = certificate.issuer().to_string().to_uppercase();
    let rows = [
        ("by its number", None, None, true),
        ("by its issuer", Some(certificate.issuer().clone()), None, true),
        ("in another case", dn(&upper), None, true),
        ("another issuer", dn("CN=another"), None, false),
        ("by its CA", None, Some(backend_name()), true),
        ("another CA", None, ca("another"), false),
    ];
    for (name, issuer, backend, is_there) in rows {
        let meant = Meant {
            serial: certificate.serial().clone(),
            issuer,
            backend,
        };
        let found = authority.ra.certified(&meant).await.unwrap();
        assert_eq!(found, is_there.then_some(issuance.enrollment), "{name}");
    }
}
