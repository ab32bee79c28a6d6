use super::*;

const NOW: i64 = 1_800_000_000;

fn rules(outside: OutsideLimits) -> ValidityRules {
    ValidityRules {
        default: Duration::from_secs(1_000),
        max: Duration::from_secs(10_000),
        min: Duration::from_secs(100),
        backdate: Duration::from_secs(600),
        requested: RequestedTimes::Honour,
        outside,
    }
}

/// Seconds relative to now; results are (backdate, lifetime) or a part of the reason.
type Row = (
    &'static str,
    Option<i64>,
    Option<i64>,
    Result<(u64, u64), &'static str>,
);

fn check(outside: OutsideLimits, rows: &[Row]) {
    let at = |seconds: i64| Timestamp::from_unix_seconds(NOW + seconds);
    // The time of judgement has a fraction, what is certified has none.
    let now = Timestamp::from_unix_millis(NOW * 1000 + 700);
    for (name, begin, end, expected) in rows {
        let result = asked_for(&rules(outside), now, begin.map(at), end.map(at));
        match (result, expected) {
            (Ok(period), Ok((backdate, lifetime))) => {
                let seconds = (period.backdate.as_secs(), period.lifetime.as_secs());
                assert_eq!(seconds, (*backdate, *lifetime), "{name}");
                assert_eq!(period.lifetime.subsec_nanos(), 0, "{name}");
            }
            (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{name}: {reason}"),
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}

#[test]
fn refusing_outside_limits() {
    check(
        OutsideLimits::Refuse,
        &[
            ("end", None, Some(2_000), Ok((600, 2_601))),
            ("end near the limit", None, Some(9_799), Ok((200, 10_000))),
            (
                "end one second before the limit",
                None,
                Some(9_999),
                Ok((0, 10_000)),
            ),
            ("end at the limit", None, Some(10_000), Ok((0, 10_000))),
            (
                "end beyond the limit",
                None,
                Some(10_001),
                Err("longer than 10000s"),
            ),
            ("shortest end", None, Some(99), Ok((600, 700))),
            ("too short an end", None, Some(98), Err("ends in less than 100s")),
            ("end now", None, Some(0), Err("in the past")),
            ("end in the past", None, Some(-5), Err("in the past")),
            ("begin", Some(-500), None, Ok((500, 1_000))),
            ("begin now", Some(0), None, Ok((0, 1_000))),
            ("begin a clock's error ahead", Some(300), None, Ok((0, 1_000))),
            ("begin in the future", Some(301), None, Err("in the future")),
            ("begin at the limit", Some(-600), None, Ok((600, 1_000))),
            (
                "begin beyond the limit",
                Some(-601),
                None,
                Err("more than 10m in the past"),
            ),
            ("both", Some(-10), Some(89), Err("ends in less")),
            ("both within", Some(-10), Some(989), Ok((10, 1_000))),
            ("both, a second over", Some(-10), Some(9_990), Ok((10, 10_000))),
            (
                "both, too long",
                Some(-10),
                Some(9_991),
                Err("longer than 10000s"),
            ),
        ],
    );
}

#[test]
fn capping_outside_limits() {
    check(
        OutsideLimits::Cap,
        &[
            ("end beyond the limit", None, Some(50_000), Ok((600, 10_000))),
            ("too short an end", None, Some(5), Ok((600, 701))),
            ("begin beyond the limit", Some(-5_000), None, Ok((600, 1_000))),
            ("both, too long", Some(-10), Some(50_000), Ok((10, 10_000))),
            ("begin in the future", Some(301), None, Err("in the future")),
            ("end in the past", None, Some(-5), Err("in the past")),
        ],
    );
}
