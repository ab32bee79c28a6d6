use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Zeros;

impl portreeve_ra::ports::Random for Zeros {
    fn fill(&self, octets: &mut [u8]) {
        octets.fill(0);
    }
}

/// An enrollment made then; the number tells those of one time apart.
fn enrollment(made_at: Timestamp, number: u8) -> EnrollmentId {
    let mut octets = *EnrollmentId::new(made_at, &Zeros).as_bytes();
    octets[15] = number;
    EnrollmentId::from_bytes(octets)
}

fn open(directory: &Path) -> Journal {
    Journal::open(directory, NOW).expect("opens")
}

/// The octets of a journal without its room.
fn written(path: &Path) -> Vec<u8> {
    let octets = std::fs::read(path).expect("journal");
    record::without_room(&octets).to_vec()
}

fn record(journal: &mut Journal, enrollment: EnrollmentId, content: u8) -> Result<(), Refusal> {
    journal.stage(enrollment, [content; 32], NOW)?;
    journal.commit().expect("durable");
    Ok(())
}

#[test]
fn refuses_a_second_content_also_after_reopening() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("deep/er");
    let id = enrollment(NOW, 1);
    for round in 0..3 {
        let mut journal = open(&path);
        assert_eq!(record(&mut journal, id, 7), Ok(()), "round {round}");
        assert_eq!(
            record(&mut journal, id, 8),
            Err(Refusal::SecondContent),
            "round {round}"
        );
        assert_eq!(
            record(&mut journal, enrollment(NOW, 10 + round), 8),
            Ok(()),
            "round {round}"
        );
    }
    let length = written(&path.join("journal")).len();
    assert_eq!(length, 64 * 5, "the same bytes again are no new entry");
}

#[test]
fn knows_only_so_much_time() {
    let directory = tempfile::tempdir().expect("directory");
    let mut journal = open(directory.path());
    let rows = [
        ("now", NOW, Ok(())),
        ("within 31 days", NOW.saturating_sub(DAY * 30), Ok(())),
        ("older", NOW.saturating_sub(DAY * 31), Err(Refusal::TooOld)),
        ("a clock ahead", NOW.saturating_add(DAY), Ok(())),
        (
            "the future",
            NOW.saturating_add(DAY * 2),
            Err(Refusal::FromTheFuture),
        ),
    ];
    for (name, made_at, expected) in rows {
        assert_eq!(
            record(&mut journal, enrollment(made_at, 1), 1),
            expected,
            "{name}"
        );
    }
}

/// A clock that goes back does not make room for a second content.
#[test]
fn what_was_dropped_stays_refused() {
    let directory = tempfile::tempdir().expect("directory");
    let mut journal = open(directory.path());
    let old = enrollment(NOW, 1);
    assert_eq!(record(&mut journal, old, 1), Ok(()));
    drop(journal);
    let later = NOW.saturating_add(DAY * 40);
    let journal = Journal::open(directory.path(), later).expect("opens");
    assert!(journal.entries.is_empty());
    drop(journal);
    let length = std::fs::metadata(directory.path().join("journal"))
        .expect("metadata")
        .len();
    assert_eq!(length, 64, "compacted to its header");
    let mut journal = open(directory.path());
    assert_eq!(record(&mut journal, old, 2), Err(Refusal::TooOld));
    let newer = enrollment(NOW.saturating_add(Duration::from_millis(1)), 1);
    assert_eq!(record(&mut journal, newer, 2), Ok(()));
}

#[test]
fn one_signer_per_directory() {
    let directory = tempfile::tempdir().expect("directory");
    let _first = open(directory.path());
    let second = Journal::open_within(directory.path(), NOW, Duration::ZERO);
    assert!(matches!(second.err(), Some(JournalError::Locked(_))));
}

#[test]
fn a_successor_waits_for_its_predecessor() {
    let directory = tempfile::tempdir().expect("directory");
    let first = open(directory.path());
    let generous = Duration::from_secs(60);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| Journal::open_within(directory.path(), NOW, generous).map(drop));
        drop(first);
        second
            .join()
            .expect("no panic")
            .expect("opens once the other has gone");
    });
}

#[test]
fn a_torn_end_is_no_loss_and_a_damaged_middle_is() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("journal");
    let mut journal = open(directory.path());
    for number in 0..4 {
        assert_eq!(record(&mut journal, enrollment(NOW, number), number), Ok(()));
    }
    drop(journal);
    let good = written(&path);
    let with = |tail: &[u8]| [&good[..], tail].concat();
    let changed = |offset: usize| {
        let mut octets = good.clone();
        octets[offset] ^= 1;
        octets
    };
    let torn_batch = with(
        &[
            &[0; 64][..],
            &record_of(9, 900),
            &[0xff; 64][..],
            &record_of(8, 900),
        ]
        .concat(),
    );
    let two_batches = with(&[&[0; 64][..], &record_of(9, 900), &record_of(8, 901)].concat());
    let rows: [(&str, Vec<u8>, Option<usize>); 15] = [
        ("whole", good.clone(), Some(4)),
        ("part of a record", with(&[1; 30]), Some(4)),
        ("room", with(&[0; 64 * 256]), Some(4)),
        ("more room than there ever is", with(&[0; 64 * 257]), None),
        (
            "room that was being made",
            with(&[[0; 64 * 200].as_slice(), &[0xa5; 64 * 56]].concat()),
            Some(4),
        ),
        (
            "part of a record in room",
            with(&[[1; 30].as_slice(), &[0; 6400]].concat()),
            Some(4),
        ),
        (
            "record changed before room",
            [changed(64 * 4 + 5), vec![0; 6400]].concat(),
            Some(3),
        ),
        ("garbage", with(&[0xa5; 1000]), Some(4)),
        ("a batch written in part", torn_batch, Some(6)),
        ("last record changed", changed(64 * 4 + 5), Some(3)),
        ("record in the middle changed", changed(64 + 5), None),
        ("readable batches behind", two_batches, None),
        ("more garbage than one write", with(&[0xa5; 64 * 257]), None),
        ("header changed", changed(9), None),
        ("empty", Vec::new(), None),
    ];
    for (name, octets, expected) in rows {
        std::fs::write(&path, &octets).expect("written");
        let entries = Journal::open(directory.path(), NOW).map(|journal| journal.entries.len());
        assert_eq!(entries.as_ref().ok(), expected.as_ref(), "{name}: {entries:?}");
        if expected.is_some() {
            let again = Contents::decode(&std::fs::read(&path).expect("journal")).expect("whole");
            assert!(!again.is_torn(), "{name}: still torn after opening");
        }
    }
}

fn record_of(number: u8, batch: u32) -> [u8; 64] {
    let enrollment = enrollment(NOW, number);
    Record {
        enrollment,
        digest: [number; 32],
        at: NOW,
        batch,
    }
    .encode()
}

#[test]
fn nothing_is_kept_that_was_not_committed_and_nothing_lost_that_was() {
    let directory = tempfile::tempdir().expect("directory");
    let mut journal = open(directory.path());
    for number in 0..100 {
        assert_eq!(journal.stage(enrollment(NOW, number), [number; 32], NOW), Ok(()));
    }
    journal.commit().expect("durable");
    assert_eq!(journal.stage(enrollment(NOW, 200), [1; 32], NOW), Ok(()));
    drop(journal);
    assert_eq!(open(directory.path()).entries.len(), 100);
}

#[test]
fn what_is_written_into_room_stays_and_leaves_the_length() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("journal");
    let length = || std::fs::metadata(&path).expect("metadata").len();
    let mut journal = open(directory.path());
    assert_eq!(record(&mut journal, enrollment(NOW, 0), 0), Ok(()));
    let with_room = length();
    for number in 1..9 {
        assert_eq!(record(&mut journal, enrollment(NOW, number), number), Ok(()));
        assert_eq!(length(), with_room);
    }
    drop(journal);
    let mut again = open(directory.path());
    assert_eq!(again.entries.len(), 9);
    assert_eq!(record(&mut again, enrollment(NOW, 9), 9), Ok(()));
    assert_eq!((length(), written(&path).len()), (with_room, 64 * 11));
    // As many as go into what is left, and one more.
    let left = (with_room - 64 * 11) / 64;
    for number in 0..=u16::try_from(left).expect("few") {
        let mut id = *enrollment(NOW, 100).as_bytes();
        id[13..15].copy_from_slice(&number.to_be_bytes());
        assert_eq!(again.stage(EnrollmentId::from_bytes(id), [7; 32], NOW), Ok(()));
    }
    again.commit().expect("durable");
    assert!(length() > with_room, "room is made when there is none left");
    drop(again);
    let entries = open(directory.path()).entries.len();
    assert_eq!(u64::try_from(entries).expect("few"), 11 + left);
}

#[derive(Clone, Debug)]
enum Step {
    Sign { number: u8, content: u8 },
    StageOnly { number: u8, content: u8 },
    Restart,
    TornWrite(Vec<u8>),
    Days(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sign = (0_u8..6, 0_u8..3).prop_map(|(number, content)| Step::Sign { number, content });
    let stage = (0_u8..6, 0_u8..3).prop_map(|(number, content)| Step::StageOnly { number, content });
    let torn = prop::collection::vec(any::<u8>(), 0..200).prop_map(Step::TornWrite);
    let step = prop_oneof![6 => sign, 1 => stage, 2 => Just(Step::Restart), 1 => torn,
        1 => (0_u32..40).prop_map(Step::Days)];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens between them, no two contents are ever durable for one enrollment.
    #[test]
    fn never_two_contents_for_one_enrollment(steps in steps()) {
        let directory = tempfile::tempdir().expect("directory");
        let mut signed: HashMap<EnrollmentId, u8> = HashMap::new();
        let mut now = NOW;
        let mut journal = Some(Journal::open(directory.path(), now).expect("opens"));
        for step in steps {
            match step {
                Step::Sign { number, content } => {
                    let id = enrollment(NOW, number);
                    let journal = journal.as_mut().expect("open");
                    if journal.stage(id, [content; 32], now).is_ok() {
                        journal.commit().expect("durable");
                        let first = *signed.entry(id).or_insert(content);
                        prop_assert_eq!(first, content);
                    } else {
                        // Refused only for a reason: other bytes are known, or it is too old to know.
                        let known = journal.entries.get(&id).is_some_and(|digest| *digest != [content; 32]);
                        let forgotten = now.since(NOW) >= DAY * 31 || id.made_at() <= journal.floor;
                        prop_assert!(known || forgotten);
                    }
                }
                Step::StageOnly { number, content } => {
                    // A crash before the write: nothing was signed.
                    let _ = journal.as_mut().expect("open").stage(enrollment(NOW, number), [content; 32], now);
                    drop(journal.take());
                    journal = Some(Journal::open(directory.path(), now).expect("opens"));
                }
                Step::Restart => {
                    drop(journal.take());
                    journal = Some(Journal::open(directory.path(), now).expect("opens"));
                }
                Step::TornWrite(tail) => {
                    drop(journal.take());
                    let path = directory.path().join("journal");
                    let mut octets = written(&path);
                    octets.extend_from_slice(&tail);
                    std::fs::write(&path, octets).expect("written");
                    journal = Some(Journal::open(directory.path(), now).expect("opens"));
                }
                Step::Days(days) => now = NOW.saturating_add(DAY * days),
            }
        }
    }

    #[test]
    fn any_file_is_handled(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Contents::decode(&octets).is_err());
        let behind = [&Header { floor: NOW }.encode()[..], &octets].concat();
        prop_assert!(Contents::decode(&behind).is_ok_and(|contents| contents.len() == 0));
    }
}
