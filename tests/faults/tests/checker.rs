//! The checker notices what it is there for: a whole installation passes, and each way of not being whole does not.

#![cfg(test)]

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use portreeve_faults::checker::{Known, check_at};
use portreeve_faults::database::Database;
use portreeve_faults::journal::{self, Entry};
use portreeve_faults::ledger::Ledger;
use portreeve_faults::site::{FileLimit, Site};
use portreeve_ra::EnrollmentId;

const LIMIT: Duration = Duration::from_secs(60);

/// Statements that break something, each alone.
const EDITS: [(&str, &str); 9] = [
    ("a lost end", "DELETE FROM record WHERE kind = 1 AND position = 2"),
    ("a lost enrollment", "DELETE FROM record WHERE kind = 1"),
    (
        "a broken signature",
        "UPDATE record SET signature = zeroblob(64) WHERE kind = 1",
    ),
    (
        "a signature by another role",
        "UPDATE record SET key = (SELECT key FROM record WHERE kind = 5) WHERE kind = 1",
    ),
    ("a request that is not shown", "DELETE FROM request"),
    (
        "a request shown in another state",
        "UPDATE request SET state = 'issuing'",
    ),
    ("a certificate that is not shown", "DELETE FROM certificate"),
    (
        "a certificate shown with another serial",
        "UPDATE certificate SET serial = zeroblob(20)",
    ),
    (
        "work that is left",
        "INSERT INTO task VALUES (zeroblob(16), 1, 1, zeroblob(16), 0, 0, 0, 0, NULL)",
    ),
];

/// A copy of a data directory; sockets and the like are left out.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, kind) = entry
            .map(|entry| (entry.path(), entry.file_type().unwrap()))
            .unwrap();
        let target = to.join(path.file_name().unwrap());
        if kind.is_dir() {
            copy(&path, &target);
        } else if kind.is_file() {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found = entries.find_map(|path| match path.is_dir() {
        true => Some(find(&path, name)).filter(|path| path.exists()),
        false => (path.file_name().unwrap() == name).then_some(path),
    });
    found.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flaw_is_noticed() {
    let mut site = Site::start(&[], FileLimit::Ends).await.unwrap();
    let client = site.client("default").await.unwrap();
    client.obtain("whole.localhost", LIMIT).await.unwrap();
    site.stop().unwrap();
    let known = Known::of(&site);
    let data = site.gateway.data_dir();
    let whole = check_at(data, &known).await.unwrap();
    assert!(whole.violations.is_empty(), "{:#?}", whole.violations);
    assert_eq!((whole.finalized, whole.issued, whole.signed), (1, 1, 1));

    for (number, (name, edit)) in EDITS.into_iter().enumerate() {
        let copied = site.folder().join(format!("copy{number}"));
        copy(data, &copied);
        assert!(
            Database::open(&copied)
                .await
                .unwrap()
                .execute(edit)
                .await
                .unwrap()
                > 0,
            "{name}"
        );
        assert!(
            !check_at(&copied, &known).await.unwrap().violations.is_empty(),
            "{name}"
        );
    }

    let nothing_shown = Known {
        own: Vec::new(),
        ..known.clone()
    };
    assert_eq!(
        check_at(data, &nothing_shown).await.unwrap().violations.len(),
        1,
        "a signature without an intent"
    );

    let entry = site.journals().unwrap().pop().unwrap();
    let stranger = Entry {
        enrollment: EnrollmentId::from_bytes([9; 16]),
        ..entry.clone()
    };
    let second = Entry {
        digest: [9; 32],
        ..entry
    };
    for (name, entry) in [
        ("a signature without an intent", stranger),
        ("a second content", second),
    ] {
        let copied = site.folder().join(name);
        copy(data, &copied);
        let mut file = std::fs::File::options()
            .append(true)
            .open(find(&copied, "journal"))
            .unwrap();
        file.write_all(&journal::block(&entry)).unwrap();
        assert!(
            !check_at(&copied, &known).await.unwrap().violations.is_empty(),
            "{name}"
        );
    }

    let (url, name) = (
        "https://localhost/order/00000000-0000-4000-8000-000000000000",
        "whole.localhost",
    );
    let nothing_ordered = Ledger::default();
    let nothing_given = Ledger::default();
    nothing_given.ordered(url, "default", name);
    nothing_given.finalizing(url);
    for (name, ledger) in [
        ("nothing was ordered", nothing_ordered),
        ("nothing was given", nothing_given),
    ] {
        assert!(
            !check_at(
                data,
                &Known {
                    lines: ledger.lines(),
                    ..known.clone()
                }
            )
            .await
            .unwrap()
            .violations
            .is_empty(),
            "{name}"
        );
    }
}
