//! Searches along each index, for tests that have an engine explain them.

use portreeve_pkix::Timestamp;
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::Scan;
use portreeve_ra::search::{Among, Plan, Position, parse};

use super::{Dialect, Statement, Statements};

const CERTIFICATES: &[&str] = &[
    "",
    "cn~web and not status=held",
    "serial=01",
    "fingerprint=0000000000000000000000000000000000000000000000000000000000000000",
    "spki=0000000000000000000000000000000000000000000000000000000000000000",
    "san=www.example.org",
    "cn=www.example.org and san!=other",
    "requester=a",
    "profile=a and team in (b, c)",
    "team=a and profile=b",
    "registration=a and team=b",
    "endpoint=a",
    "status=valid and expires<30d",
    "expires<30d",
    "issued>-1d",
    "status=held",
    "revoked>-1d and reason=keyCompromise",
];

const REQUESTS: &[&str] = &[
    "",
    "cn=web",
    "state=awaiting_approval",
    "state=awaiting_approval and requester=a",
    "state=awaiting_approval and profile=a",
    "state=awaiting_approval and team=a and profile=b",
    "team=a and state=issued",
    "registration=a and not state=erased",
    "state=issued and san~x",
    "endpoint=a",
    "received>-1d and received<-1h",
];

/// Every kind of search, from the beginning and from a place: what it asks for, and the statements.
pub(crate) fn examples(dialect: Dialect) -> Vec<(String, Statement)> {
    let queries = [(Among::Certificates, CERTIFICATES), (Among::Requests, REQUESTS)];
    let mut found = Vec::new();
    for (among, queries) in queries {
        for query in queries {
            let now = Timestamp::from_unix_seconds(1_800_000_000);
            let expression = parse(query, among).ok().flatten();
            let plan = Plan::of(expression.as_ref(), among, now);
            let id = EnrollmentId::from_bytes([0x80; 16]);
            let place = if plan.is_by_time() {
                Position::Time(now, id)
            } else {
                Position::Enrollment(id)
            };
            for after in [None, Some(place)] {
                let scan = Scan {
                    expression: expression.as_ref(),
                    plan: &plan,
                    now,
                    after,
                    limit: 50,
                };
                let statements = Statements::of((dialect, among), &scan);
                let from = if after.is_some() {
                    "from a place"
                } else {
                    "from the beginning"
                };
                let name = format!("{among:?} {from}: {query}");
                found.push((format!("{name}, the end"), statements.end));
                found.push((name, statements.rows));
            }
        }
    }
    found
}
