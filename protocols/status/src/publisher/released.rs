use super::*;

/// Puts a certificate on hold.
fn hold(world: &World, serial: u8) {
    revoke(world, serial, 9_000);
    if let Some(row) = world.revoked.lock().unwrap().last_mut() {
        row.reason = RevocationReason::CertificateHold;
    }
}

fn release(world: &World, serial: u8) {
    world.released.lock().unwrap().insert(vec![serial], world.now());
}

#[test]
fn only_a_release_that_events_tell_of_takes_off_what_was_on_hold() {
    type Case = fn(&World);
    let rows: [(&str, Case, &str, usize); 5] = [
        ("released", |world| release(world, 0x0a), "2 @10: ", 0),
        ("only the row is gone", |_| {}, "1 @0: 0a", 1),
        (
            "another one was released",
            |world| release(world, 0x0b),
            "1 @0: 0a",
            1,
        ),
        (
            "released before it was on hold again",
            |world| {
                let earlier = Timestamp::from_unix_seconds(START - 1);
                world.released.lock().unwrap().insert(vec![0x0a], earlier);
            },
            "1 @0: 0a",
            1,
        ),
        (
            "on hold again in another row",
            |world| {
                release(world, 0x0a);
                hold(world, 0x0a);
            },
            "2 @10: 0a",
            0,
        ),
    ];
    for (name, case, list, incidents_raised) in rows {
        let world = Arc::new(World::default());
        let node = Node::new(&world, 1);
        hold(&world, 0x0a);
        assert_eq!(node.look().as_deref(), Some("1 @0: 0a"), "{name}");
        at(&world, 10);
        remove_row(&world, 0x0a);
        case(&world);
        assert_eq!(node.look().as_deref(), Some(list), "{name}");
        assert_eq!(incidents(&world).len(), incidents_raised, "{name}");
    }
}

#[test]
fn what_was_revoked_for_good_is_never_released() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    revoke(&world, 0x0a, 9_000);
    assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
    at(&world, 10);
    release(&world, 0x0a);
    remove_row(&world, 0x0a);
    assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
    assert_eq!(incidents(&world).len(), 1);
}
