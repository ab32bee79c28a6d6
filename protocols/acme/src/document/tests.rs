use proptest::prelude::*;

use super::*;
use crate::problem::{ProblemType, Subproblem};

fn failures() -> impl Strategy<Value = Failure> {
    let subproblems = prop::collection::vec(("[a-z]{1,8}", "\\PC{0,20}"), 0..3);
    (100u16..600, "\\PC{0,40}", subproblems).prop_map(|(status, detail, names)| Failure {
        status,
        kind: ProblemType::Unauthorized,
        detail,
        subproblems: names
            .into_iter()
            .map(|(kind, value)| Subproblem {
                kind: ProblemType::RejectedIdentifier,
                detail: value.clone(),
                identifier: (kind, value),
            })
            .collect(),
    })
}

fn names() -> impl Strategy<Value = DnsName> {
    "(\\*\\.)?[a-w]{1,10}\\.[a-w]{2,5}".prop_map(|text| DnsName::parse(&text).unwrap())
}

fn times() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_millis)
}

fn progress() -> impl Strategy<Value = Progress> {
    prop_oneof![
        Just(Progress::Open),
        any::<[u8; 32]>().prop_map(|csr| Progress::Finalized { csr }),
        failures().prop_map(Progress::Failed),
    ]
}

fn reasons() -> impl Strategy<Value = Option<Reason>> {
    prop_oneof![
        Just(None),
        Just(Some(Reason::Proven)),
        Just(Some(Reason::Unasked)),
        (any::<[u8; 16]>(), any::<u32>()).prop_map(|(id, version)| Some(Reason::Vouched {
            registration: RegistrationId::from_bytes(id),
            version,
        })),
    ]
}

fn states() -> impl Strategy<Value = ChallengeState> {
    prop_oneof![
        Just(ChallengeState::Pending),
        times().prop_map(|since| ChallengeState::Processing { since }),
        times().prop_map(|at| ChallengeState::Valid { at }),
        (times(), failures()).prop_map(|(at, failure)| ChallengeState::Invalid { at, failure }),
    ]
}

prop_compose! {
    fn orders()(
        account in any::<[u8; 16]>(),
        (created_at, expires_at) in (times(), times()),
        names in prop::collection::vec(names(), 0..5),
        authorizations in prop::collection::vec(any::<[u8; 16]>(), 0..5),
        (not_before, not_after) in (prop::option::of(times()), prop::option::of(times())),
        progress in progress(),
    ) -> Order {
        Order {
            account: AccountId::from_bytes(account),
            endpoint: EndpointName::new("acme/default").unwrap(),
            created_at, expires_at, names,
            authorizations: authorizations.into_iter().map(AuthorizationId::from_bytes).collect(),
            not_before, not_after, progress,
        }
    }
}

prop_compose! {
    fn authorizations()(
        (account, order) in (any::<[u8; 16]>(), any::<[u8; 16]>()),
        (created_at, expires_at) in (times(), times()),
        name in names(),
        reason in reasons(),
        standing in prop::sample::select(vec![
            Standing::Pending, Standing::Valid, Standing::Invalid, Standing::Deactivated,
        ]),
        challenges in prop::collection::vec(
            (prop::sample::select(ChallengeKind::ALL.to_vec()), any::<[u8; 24]>(), states()), 0..3),
    ) -> Authorization {
        Authorization {
            account: AccountId::from_bytes(account),
            endpoint: EndpointName::new("acme/default").unwrap(),
            order: OrderId::from_bytes(order),
            name, created_at, expires_at, standing, reason,
            challenges: challenges
                .into_iter()
                .map(|(kind, token, state)| Challenge { kind, token, state })
                .collect(),
        }
    }
}

fn round_trip<T: Document + Clone + PartialEq + fmt::Debug>(value: T) {
    let stored = Stored {
        id: [7; 16],
        version: 3,
        value,
    };
    let config = AcmeConfig::default();
    let write = stored.write(&config).unwrap();
    assert_eq!(write.version, 4);
    assert_eq!(write.expires_at, Some(stored.value.kept_until(&config)));
    let document = StoredDocument {
        id: write.id.id,
        version: write.version,
        body: write.body.unwrap(),
    };
    assert_eq!(
        Stored::<T>::read(&document).unwrap(),
        Stored { version: 4, ..stored }
    );

    let mut longer = document.clone();
    longer.body.push(0);
    assert!(Stored::<T>::read(&longer).is_err(), "trailing octets");
    let mut other = document.clone();
    other.body[0] = FORMAT + 1;
    assert!(Stored::<T>::read(&other).is_err(), "another format");
}

proptest! {
    #[test]
    fn orders_round_trip(order in orders()) {
        round_trip(order);
    }

    #[test]
    fn authorizations_round_trip(authorization in authorizations()) {
        round_trip(authorization);
    }

    #[test]
    fn any_octets_are_handled(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let document = StoredDocument { id: [0; 16], version: 1, body };
        let _ = Stored::<Order>::read(&document);
        let _ = Stored::<Authorization>::read(&document);
    }

    #[test]
    fn an_authorization_outlives_its_order(order in orders(), authorization in authorizations()) {
        let config = AcmeConfig::default();
        let order = Order { expires_at: order.created_at.saturating_add(config.order_lifetime), ..order };
        let authorization = Authorization { created_at: order.created_at, ..authorization };
        prop_assert!(authorization.kept_until(&config) >= order.kept_until(&config));
        prop_assert!(authorization.kept_until(&config) >= authorization.expires_at);
    }

    #[test]
    fn only_open_orders_count_as_open(order in orders()) {
        let listed = order.keys().contains(&open_by_account(order.account));
        prop_assert_eq!(listed, order.progress == Progress::Open);
        prop_assert!(order.keys().contains(&by_account(order.account)));
    }
}

#[test]
fn ids_sort_by_time_and_read_back() {
    struct Ones;
    impl Random for Ones {
        fn fill(&self, octets: &mut [u8]) {
            octets.fill(1);
        }
    }
    let early = OrderId::new(Timestamp::from_unix_seconds(1_000), &Ones);
    let late = OrderId::new(Timestamp::from_unix_seconds(2_000), &Ones);
    assert!(early.as_bytes() < late.as_bytes());
    assert_eq!(early.to_string().parse(), Ok(early));
    assert_eq!("nonsense".parse::<OrderId>(), Err(BadId));
}
