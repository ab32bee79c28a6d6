//! Claims: one handle, one enrollment at a time.

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::Claim;
use portreeve_ra::ports::{Batch, Conflict};

use super::StoreUnderTest;
use super::fixtures::*;
use super::insist::insist;

fn taking(claim: Claim) -> Batch {
    Batch {
        claims: vec![claim],
        ..Batch::default()
    }
}

/// Many requests race for one claim: one wins, the others learn of it, and the row is the winner's.
pub async fn one_of_many_claimants_wins(subject: &mut dyn StoreUnderTest) {
    const CLAIMANTS: u64 = 32;
    let store = subject.store();
    let until = subject.clock().now_plus_hour();
    for round in 1..=4 {
        let racing: Vec<_> = (1..=CLAIMANTS)
            .map(|claimant| {
                let store = Arc::clone(&store);
                let mut batch = taking(claim(round, claimant, until));
                batch.records.push(record(stream(round * 1_000 + claimant), 1));
                tokio::spawn(async move { insist(store.as_ref(), batch).await })
            })
            .collect();
        let mut won = Vec::new();
        for (claimant, outcome) in (1..=CLAIMANTS).zip(racing) {
            match outcome.await.unwrap() {
                Ok(()) => won.push(claimant),
                lost => assert_eq!(conflict(lost), Conflict::Claim(claim_key(round))),
            }
        }
        assert_eq!(won.len(), 1, "round {round}");
        assert_eq!(
            store.claim(&claim_key(round)).await.unwrap(),
            Some(claim(round, won[0], until))
        );
        let streams: Vec<_> = (1..=CLAIMANTS)
            .map(|claimant| stream(round * 1_000 + claimant))
            .collect();
        let written = store
            .load(&streams)
            .await
            .unwrap()
            .iter()
            .filter(|records| !records.is_empty())
            .count();
        assert_eq!(written, 1, "round {round}: what lost left nothing");
    }
}

/// A claim keeps others away until its time is over, to the millisecond.
pub async fn a_claim_is_replaced_when_its_time_is_over(subject: &mut dyn StoreUnderTest) {
    let (store, clock) = (subject.store(), subject.clock());
    let until = clock.now_plus_hour();
    store.commit(taking(claim(1, 1, until))).await.unwrap();
    let later = until.saturating_add(Duration::from_secs(60));
    let steps = [
        ("at once", Duration::ZERO, false),
        ("just before", Duration::from_millis(3_600_000 - 1), false),
        ("when it ends", Duration::from_millis(1), true),
    ];
    for (name, wait, replaced) in steps {
        clock.advance(wait);
        let outcome = store.commit(taking(claim(1, 2, later))).await;
        if replaced {
            outcome.expect(name);
        } else {
            assert_eq!(conflict(outcome), Conflict::Claim(claim_key(1)), "{name}");
        }
        let owner = if replaced {
            claim(1, 2, later)
        } else {
            claim(1, 1, until)
        };
        assert_eq!(store.claim(&claim_key(1)).await.unwrap(), Some(owner), "{name}");
    }
    assert_eq!(
        conflict(store.commit(taking(claim(1, 1, later))).await),
        Conflict::Claim(claim_key(1))
    );
}

/// Who knows the enrollment that a claim leads to may replace it before its time; who knows of another may not.
pub async fn a_claim_gives_way_to_who_knows_where_it_leads(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let until = subject.clock().now_plus_hour();
    store.commit(taking(claim(1, 1, until))).await.unwrap();
    let knowing = |of: u64, by: u64| Batch {
        gives_way: Some(enrollment(of)),
        ..taking(claim(1, by, until))
    };
    let taken = Conflict::Claim(claim_key(1));
    assert_eq!(conflict(store.commit(knowing(3, 2)).await), taken, "of another");
    store.commit(knowing(1, 2)).await.unwrap();
    assert_eq!(conflict(store.commit(knowing(1, 3)).await), taken, "too late");
    let owner = store.claim(&claim_key(1)).await.unwrap();
    assert_eq!(owner, Some(claim(1, 2, until)));
}

/// The enrollment a claim leads to may shorten or extend it.
pub async fn the_same_enrollment_renews_its_claim(subject: &mut dyn StoreUnderTest) {
    let (store, clock) = (subject.store(), subject.clock());
    let until = clock.now_plus_hour();
    for until in [
        until,
        until.saturating_add(Duration::from_secs(1)),
        until.saturating_sub(Duration::from_secs(1)),
    ] {
        store.commit(taking(claim(1, 1, until))).await.unwrap();
        assert_eq!(
            store.claim(&claim_key(1)).await.unwrap(),
            Some(claim(1, 1, until))
        );
    }
    assert_eq!(store.claim(&claim_key(2)).await.unwrap(), None);
}
