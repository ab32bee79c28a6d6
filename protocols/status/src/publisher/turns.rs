//! Who signs when others do not, what is told of that, and numbers.

use super::*;

/// Since when the list is late, in seconds after the start.
fn late(node: &Node, world: &World) -> Option<i64> {
    let late = node.1.lists().first().unwrap().late(world.now());
    late.map(|since| since.unix_seconds() - START)
}

fn kinds(world: &World) -> Vec<&'static str> {
    let incidents = world.incidents.lock().unwrap();
    incidents.iter().map(|one| one.what.as_str()).collect()
}

#[test]
fn a_list_that_nobody_signs_is_told_of_once() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    // The duty is held by a node that does not work.
    *world.holder.lock().unwrap() = Some(NodeId::from_bytes([9; 16]));
    revoke(&world, 0x0a, 9_000);
    for (seconds, expected) in [(100, None), (279, None), (280, Some(100)), (290, Some(100))] {
        at(&world, seconds);
        assert_eq!(node.look().as_deref(), Some("1 @0: "));
        assert_eq!(late(&node, &world), expected, "after {seconds} s");
        assert_eq!(
            kinds(&world).len(),
            usize::from(expected.is_some()),
            "after {seconds} s"
        );
    }
    assert_eq!(kinds(&world), ["crl_overdue"]);
    *world.holder.lock().unwrap() = None;
    assert_eq!(node.look().as_deref(), Some("2 @290: 0a"));
    assert_eq!(late(&node, &world), None);
}

#[test]
fn a_list_past_its_half_is_late_even_if_no_publisher_looks() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    for (seconds, expected) in [(500, None), (679, None), (680, Some(500))] {
        at(&world, seconds);
        assert_eq!(late(&node, &world), expected, "after {seconds} s");
    }
}

#[test]
fn a_node_that_cannot_sign_does_not_keep_the_duty() {
    let world = Arc::new(World::default());
    let (lame, other) = (Node::new(&world, 1), Node::new(&world, 2));
    world.lame.store(1, Ordering::Relaxed);
    world.lease_ends.store(60, Ordering::Relaxed);
    for seconds in [0, 30, 59] {
        at(&world, seconds);
        assert_eq!(lame.look(), None);
        assert_eq!(other.look(), None, "not its turn after {seconds} s");
    }
    at(&world, 60);
    assert_eq!(lame.look(), None, "it leaves the turn to others");
    assert_eq!(other.look().as_deref(), Some("1 @60: "));
    assert_eq!(lame.look().as_deref(), Some("1 @60: "));
    assert!(kinds(&world).is_empty());
}

#[test]
fn a_node_without_others_tries_again_soon() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    world.lame.store(1, Ordering::Relaxed);
    assert_eq!(node.look(), None);
    at(&world, 5);
    world.lame.store(0, Ordering::Relaxed);
    assert_eq!(node.look().as_deref(), Some("1 @5: "));
}

/// RFC 5280 section 5.2.3: CRL numbers MUST increase monotonically.
#[test]
fn the_number_does_not_go_back_when_the_documents_are_lost() {
    let world = Arc::new(World::default());
    let number = |node: &Node| -> u64 {
        let shown = node.look().unwrap();
        shown.split_once(' ').unwrap().0.parse().unwrap()
    };
    let mut last = 0;
    for second in 1..=5 {
        world
            .store_now
            .store(1_800_000_000_000 + second * 1_000, Ordering::Relaxed);
        revoke(&world, u8::try_from(second).unwrap(), 9_000);
        let shown = number(&Node::new(&world, 1));
        assert!(shown > last, "{shown} after {last}");
        last = shown;
    }
    world.documents.lock().unwrap().clear();
    *world.holder.lock().unwrap() = None;
    world.store_now.store(1_800_000_006_000, Ordering::Relaxed);
    let after = number(&Node::new(&world, 2));
    assert!(after > last, "{after} after {last}");
}
