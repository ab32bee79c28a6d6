//! What a CA may not do.

use super::*;

#[tokio::test]
async fn a_ca_that_never_ends_gives_way_to_others() {
    let odd = Odd {
        stalls: true,
        ..Odd::new(Vec::new())
    };
    let (authority, backend) = odd.start("").await;
    let account = authority.account(&["a.test"]).await;
    let answer = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    assert!(matches!(answer, Ok(Disposition::Pending { .. })), "{answer:?}");
    assert!(issues(&backend) <= 16, "{} orders in one turn", issues(&backend));
    let next = authority.store.next_due().await.unwrap().expect("put back");
    assert!(next.at > next.now, "with a pause");
}

#[tokio::test]
async fn a_handle_too_long_to_keep_is_for_an_operator() {
    let longest = Answer::Deferred(vec![1; 64 * 1024], Duration::ZERO);
    let longer = Answer::Checkpoint(vec![1; 64 * 1024 + 1]);
    let (authority, _) = Odd::new(vec![longest, longer]).start("").await;
    let account = authority.account(&["a.test"]).await;
    enroll(&authority, &account, ("order", &csr("a.test")))
        .await
        .expect("filed");
    assert_eq!(state(&authority).await, "issuing");
    reach(&authority, "in_doubt").await;
    assert_eq!(incidents(&authority).await, ["in_doubt"]);
}

#[tokio::test]
async fn the_certificate_of_another_enrollment_is_neither_delivered_nor_revoked() {
    for (case, same_key, state_after, incident) in [
        ("the same contents", true, "in_doubt", "serial_taken"),
        ("another key", false, "quarantined", "wrong_certificate"),
    ] {
        let odd = Odd {
            repeats: Some(Mutex::new(None)),
            ..Odd::new(Vec::new())
        };
        let (authority, backend) = odd.start("").await;
        let account = authority.account(&["a.test"]).await;
        let request = csr("a.test");
        issued(&authority, &account, ("one", &request)).await;
        let second = if same_key { request } else { csr("a.test") };
        let answer = enroll(&authority, &account, ("two", &second)).await;
        assert!(
            matches!(answer, Ok(Disposition::Pending { .. })),
            "{case}: {answer:?}"
        );
        assert_eq!(state(&authority).await, state_after, "{case}");
        finish_work(&authority).await;
        assert_eq!(incidents(&authority).await, [incident], "{case}");
        assert!(
            revoked_serials(&backend).is_empty(),
            "{case}: the first is in use"
        );
    }
}

#[tokio::test]
async fn a_wrong_certificate_of_our_own_ca_is_on_its_next_list() {
    let odd = Odd {
        power: RevocationPower::FromStore,
        ..Odd::new(vec![Answer::Issued(Fault::TooLong)])
    };
    let (authority, backend) = odd.start("").await;
    let account = authority.account(&["a.test"]).await;
    enroll(&authority, &account, ("order", &csr("a.test")))
        .await
        .expect("filed");
    assert_eq!(state(&authority).await, "quarantined");
    let listed = authority
        .store
        .revoked("scripted", Timestamp::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    finish_work(&authority).await;
    assert!(revoked_serials(&backend).is_empty(), "nobody has to be told");
}

#[tokio::test]
async fn a_serial_number_that_is_drawn_twice_is_not_used_twice() {
    let odd = Odd {
        serial: Some(SerialNumber::random128(&[7; 16])),
        ..Odd::new(Vec::new())
    };
    let (authority, backend) = odd.start("").await;
    let account = authority.account(&["a.test"]).await;
    enroll(&authority, &account, ("one", &csr("a.test")))
        .await
        .expect("filed");
    let before = issues(&backend);
    let second = enroll(&authority, &account, ("two", &csr("a.test"))).await;
    assert!(matches!(second, Err(Error::Unavailable { .. })), "{second:?}");
    assert_eq!(issues(&backend), before);
    assert!(incidents(&authority).await.contains(&"serial_taken"));
}
