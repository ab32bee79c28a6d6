use super::*;
use portreeve_ra::ports::DamagedTask;
use portreeve_store::Verdict;

/// A store with one task and a duty, and a clock to compare with, all by hand.
struct World {
    now: Timestamp,
    compared: Mutex<Option<Result<Verdict, StoreError>>>,
    claims: Mutex<Result<Claimed, StoreError>>,
}

impl World {
    fn new(compared: Option<Result<Verdict, StoreError>>) -> Arc<Self> {
        Arc::new(Self {
            now: Timestamp::from_unix_seconds(1_800_000_000),
            compared: Mutex::new(compared),
            claims: Mutex::new(Ok(Claimed::default())),
        })
    }

    fn intake(self: &Arc<Self>) -> Intake {
        Intake::of((self.clone(), self.clone()), self.clone(), self.clone())
    }
}

const UNAVAILABLE: StoreError = StoreError::Unavailable {
    retry_after: Duration::ZERO,
};

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        self.now
    }

    async fn sleep(&self, _: Duration) {}
}

#[async_trait]
impl Reference for World {
    async fn compare(&self, _: &dyn Clock) -> Option<Result<(Verdict, String), StoreError>> {
        let answer = self.compared.lock().unwrap().clone()?;
        Some(answer.map(|verdict| (verdict, "far away".to_owned())))
    }
}

#[async_trait]
impl Tasks for World {
    async fn claim_due(&self, _: NodeId, _: Duration, _: u32) -> Result<Claimed, StoreError> {
        self.claims.lock().unwrap().clone()
    }

    async fn release_of(&self, _: NodeId) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn next_due(&self) -> Result<Option<NextDue>, StoreError> {
        let (at, now) = (self.now, self.now);
        Ok(Some(NextDue { at, now }))
    }
}

#[async_trait]
impl Leases for World {
    async fn lease(&self, _: &str, _: NodeId, _: Duration) -> Result<Option<LeaseRow>, StoreError> {
        let until = self.now;
        Ok(Some(LeaseRow { fence: 1, until }))
    }
}

/// Whether this node takes tasks and duties.
async fn takes(intake: &Intake) -> (bool, bool) {
    let node = NodeId::from_bytes([1; 16]);
    let next = intake.next_due().await.unwrap();
    let lease = intake.lease("sweep", node, Duration::ZERO).await.unwrap();
    (next.is_some(), lease.is_some())
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_takes_no_work() {
    let rows = [
        ("no other clock", None, true),
        ("right", Some(Ok(Verdict::Fine)), true),
        ("some seconds away", Some(Ok(Verdict::Doubtful)), true),
        ("wrong", Some(Ok(Verdict::Wrong)), false),
        ("not compared yet", Some(Err(UNAVAILABLE)), true),
    ];
    for (name, compared, expected) in rows {
        let world = World::new(compared);
        *world.claims.lock().unwrap() = Err(UNAVAILABLE);
        let intake = world.intake();
        assert_eq!(takes(&intake).await, (expected, expected), "{name}");
        let claimed = intake
            .claim_due(NodeId::from_bytes([1; 16]), Duration::ZERO, 1)
            .await;
        assert_eq!(claimed.is_err(), expected, "{name}: the store was asked");
    }
}

#[tokio::test]
async fn a_clock_that_was_never_set_takes_no_work() {
    let world = Arc::new(World {
        now: Timestamp::default(),
        compared: Mutex::default(),
        claims: Mutex::new(Ok(Claimed::default())),
    });
    let intake = world.intake();
    assert!(intake.clock().is_err());
    assert_eq!(takes(&intake).await, (false, false));
}

#[tokio::test]
async fn claims_that_fail_or_bring_up_damage_are_told() {
    let world = World::new(None);
    let intake = world.intake();
    let damage = DamagedTask {
        id: vec![1],
        reason: "kind".to_owned(),
    };
    let damaged = Claimed {
        damaged: vec![damage],
        ..Claimed::default()
    };
    let rows = [
        ("fine", Ok(Claimed::default()), "claimed as"),
        ("failing", Err(StoreError::Broken("42501".to_owned())), "42501"),
        ("fine again", Ok(Claimed::default()), "claimed as"),
        ("damaged", Ok(damaged), "1 of the rows of the table task"),
        (
            "still there",
            Ok(Claimed::default()),
            "1 of the rows of the table task",
        ),
    ];
    for (name, claims, expected) in rows {
        *world.claims.lock().unwrap() = claims;
        let _ = intake
            .claim_due(NodeId::from_bytes([1; 16]), Duration::ZERO, 1)
            .await;
        let (Ok(words) | Err(words)) = intake.claims();
        assert!(words.contains(expected), "{name}: {words}");
        assert_eq!(intake.claims().is_ok(), expected == "claimed as", "{name}");
    }
}
