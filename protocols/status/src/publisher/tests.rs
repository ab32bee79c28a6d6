use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use portreeve_pkix::{IssuerChain, SerialNumber};
use portreeve_ra::ports::{
    Answers, ApprovalHint, CaHealth, Capabilities, CertificateRow, Cursor, DocumentId, DocumentKey, Found,
    IssueOutcome, LeaseRow, Page, ReconcileOutcome, RegistrationFilter, RegistrationRow, RequestFilter,
    RequestRow, RevocationListSource, RevocationPower, RevokeOrder, RevokeOutcome, RevokedRow, Scan,
    SecretFilter, SecretRow, StoredDocument, Wanted,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{
    CertificateContents, EnrollmentId, Incident, IncidentKind, Intent, RevocationReason, StreamId, StreamKind,
};

use super::*;

#[path = "released.rs"]
mod released;
#[path = "turns.rs"]
mod turns;
#[path = "world.rs"]
mod world;

use world::*;

const START: i64 = 2_000_000;
#[test]
fn one_is_signed_at_once_and_then_only_when_it_is_due() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    assert_eq!(node.look().as_deref(), Some("1 @0: "));
    at(&world, 499);
    assert_eq!(node.look().as_deref(), Some("1 @0: "), "before half of its life");
    at(&world, 500);
    assert_eq!(node.look().as_deref(), Some("2 @500: "), "at half of its life");
    revoke(&world, 0x0a, 9_000);
    revoke(&world, 0x0b, 9_000);
    assert_eq!(
        node.look().as_deref(),
        Some("3 @500: 0a 0b"),
        "after a revocation, all pages"
    );
    assert_eq!(node.look().as_deref(), Some("3 @500: 0a 0b"));
    assert_eq!(world.signed.load(Ordering::Relaxed), 3);
}

#[test]
fn an_expired_certificate_appears_once_more() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    revoke(&world, 0x0a, 100);
    assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
    at(&world, 200);
    assert_eq!(
        node.look().as_deref(),
        Some("1 @0: 0a"),
        "its end alone is no reason to sign"
    );
    at(&world, 500);
    assert_eq!(
        node.look().as_deref(),
        Some("2 @500: 0a"),
        "it ended after the last CRL was made"
    );
    at(&world, 1000);
    assert_eq!(node.look().as_deref(), Some("3 @1000: "));
}

#[test]
fn a_restart_goes_on_with_what_is_stored() {
    let world = Arc::new(World::default());
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("1 @0: "));
    let restarted = Node::new(&world, 1);
    assert_eq!(
        restarted.look().as_deref(),
        Some("1 @0: "),
        "served without signing"
    );
    assert_eq!(world.signed.load(Ordering::Relaxed), 1);
    revoke(&world, 0x0a, 9_000);
    assert_eq!(
        Node::new(&world, 1).look().as_deref(),
        Some("2 @0: 0a"),
        "revoked while nobody looked"
    );
}

#[test]
fn one_node_signs_and_the_others_serve() {
    let world = Arc::new(World::default());
    let (one, two) = (Node::new(&world, 1), Node::new(&world, 2));
    assert_eq!(one.look().as_deref(), Some("1 @0: "));
    assert_eq!(two.look().as_deref(), Some("1 @0: "));
    revoke(&world, 0x0a, 9_000);
    assert_eq!(two.look().as_deref(), Some("1 @0: "), "not its turn");
    assert_eq!(one.look().as_deref(), Some("2 @0: 0a"));
    assert_eq!(two.look().as_deref(), Some("2 @0: 0a"));
    *world.holder.lock().unwrap() = None;
    at(&world, 500);
    assert_eq!(
        two.look().as_deref(),
        Some("3 @500: 0a"),
        "the first one has gone"
    );
    assert_eq!(world.signed.load(Ordering::Relaxed), 3);
}

#[test]
fn the_number_never_repeats_even_without_the_lease() {
    let world = Arc::new(World::default());
    let (one, two) = (Node::new(&world, 1), Node::new(&world, 2));
    let ca = BackendName::new("issuing").unwrap();
    let backend = one.0.parts.backends[&ca].clone();
    let none: Known = (None, 0);
    let first = ready(one.0.sign((&ca, backend.as_ref()), none.clone(), world.now())).unwrap();
    let second = ready(two.0.sign((&ca, backend.as_ref()), none, world.now())).unwrap();
    assert_eq!(first, second, "the slower one adopts what was stored");
    assert_eq!(first.0.unwrap().number, u64::try_from(START * 1_000).unwrap());
}

#[test]
fn the_last_good_one_is_served_while_the_store_is_down() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    world.broken.store(1, Ordering::Relaxed);
    at(&world, 900);
    assert_eq!(node.look().as_deref(), Some("1 @0: "));
    let again = ready(node.0.once());
    assert_eq!(again, world.now().saturating_add(AFTER_FAILURE));
}

/// What is wrong, of each incident.
fn incidents(world: &World) -> Vec<String> {
    let incidents = world.incidents.lock().unwrap();
    incidents.iter().map(|incident| incident.detail.clone()).collect()
}

#[test]
fn a_stored_list_that_lost_its_parts_is_replaced() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world
        .documents
        .lock()
        .unwrap()
        .retain(|id, _| id.kind == "status.crl");
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @0: "));
    let detail = "status.crl document leads to parts that are gone or damaged";
    assert_eq!(incidents(&world), [detail]);
}

#[test]
fn parts_that_had_to_be_swept_are_no_incident() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world
        .documents
        .lock()
        .unwrap()
        .retain(|id, _| id.kind == "status.crl");
    at(&world, 1000 + 24 * 3600);
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @87400: "));
    assert!(incidents(&world).is_empty());
}

#[test]
fn a_damaged_part_is_an_incident_and_replaced() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world.damaged.lock().unwrap().push("status.crl.part");
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @0: "));
    assert_eq!(incidents(&world).len(), 1);
}

#[test]
fn a_damaged_head_is_one_incident_and_the_last_good_list_is_served() {
    type Damage = fn(&World);
    let rows: [(&str, Damage); 2] = [
        ("does not open", |world| {
            world.damaged.lock().unwrap().push("status.crl")
        }),
        ("cannot be read", |world| {
            let mut documents = world.documents.lock().unwrap();
            let (_, head) = documents
                .iter_mut()
                .find(|(id, _)| id.kind == "status.crl")
                .unwrap();
            *head = (2, b"nonsense".to_vec());
        }),
    ];
    for (how, damage) in rows {
        let world = Arc::new(World::default());
        let node = Node::new(&world, 1);
        node.look();
        damage(&world);
        for _ in 0..3 {
            assert_eq!(node.look().as_deref(), Some("1 @0: "), "{how}");
        }
        assert_eq!(incidents(&world), [format!("status.crl document {how}")]);
        assert_eq!(Node::new(&world, 1).look(), None, "{how}: nothing good is left");
        assert_eq!(
            world.signed.load(Ordering::Relaxed),
            1,
            "{how}: the number is not known"
        );
    }
}

/// Removes the row of a revocation.
fn remove_row(world: &World, serial: u8) {
    let serial = SerialNumber::from_bytes(&[serial]).unwrap();
    world.revoked.lock().unwrap().retain(|row| row.serial != serial);
}

#[test]
fn a_removed_row_takes_nothing_off_the_list() {
    for restarted in [false, true] {
        let world = Arc::new(World::default());
        let mut node = Node::new(&world, 1);
        revoke(&world, 0x0a, 600);
        revoke(&world, 0x0b, 9_000);
        assert_eq!(node.look().as_deref(), Some("1 @0: 0a 0b"));
        remove_row(&world, 0x0a);
        if restarted {
            node = Node::new(&world, 1);
        }
        for _ in 0..2 {
            assert_eq!(node.look().as_deref(), Some("1 @0: 0a 0b"));
        }
        assert_eq!(world.signed.load(Ordering::Relaxed), 1, "nothing is new");
        revoke(&world, 0x0c, 9_000);
        assert_eq!(node.look().as_deref(), Some("2 @0: 0a 0b 0c"));
        at(&world, 500);
        assert_eq!(node.look().as_deref(), Some("3 @500: 0a 0b 0c"));
        let detail = "the revocation of 0a by issuing was removed; it stays on the CRL";
        assert_eq!(incidents(&world), [detail], "once");
        let kinds: Vec<IncidentKind> = world
            .incidents
            .lock()
            .unwrap()
            .iter()
            .map(|one| one.what)
            .collect();
        assert_eq!(kinds, [IncidentKind::RevocationVanished]);
        at(&world, 1_000);
        assert_eq!(
            node.look().as_deref(),
            Some("4 @1000: 0a 0b 0c"),
            "once after its end"
        );
        at(&world, 1_500);
        assert_eq!(
            node.look().as_deref(),
            Some("5 @1500: 0b 0c"),
            "its certificate has ended"
        );
    }
}

#[test]
fn a_list_whose_entries_are_not_known_is_not_replaced() {
    type Damage = fn(&World);
    let rows: [(&str, Damage); 2] = [
        ("do not open", |world| {
            world.damaged.lock().unwrap().push("status.crl.entries");
        }),
        ("gone", |world| {
            let mut documents = world.documents.lock().unwrap();
            documents.retain(|id, _| id.kind != "status.crl.entries");
        }),
    ];
    for (how, damage) in rows {
        let world = Arc::new(World::default());
        let node = Node::new(&world, 1);
        revoke(&world, 0x0a, 9_000);
        assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
        damage(&world);
        remove_row(&world, 0x0a);
        for _ in 0..2 {
            assert_eq!(node.look().as_deref(), Some("1 @0: 0a"), "{how}");
        }
        let detail = "status.crl document leads to entries that are gone or damaged";
        assert_eq!(incidents(&world), [detail], "{how}");
    }
}

#[test]
fn a_list_that_was_brought_back_is_noticed_by_who_has_seen_the_newer() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    let earlier = world.documents.lock().unwrap().clone();
    revoke(&world, 0x0a, 9_000);
    assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    *world.documents.lock().unwrap() = earlier;
    remove_row(&world, 0x0a);
    for _ in 0..2 {
        assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    }
    let detail = "status.crl document was brought back to an earlier version";
    assert_eq!(incidents(&world), [detail]);
    world.documents.lock().unwrap().clear();
    assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    assert_eq!(incidents(&world), [detail, "status.crl document is gone"]);
}
