//! Which numbers of records were looked at. On PostgreSQL a number is given before its commit, so a higher one can be
//! there first, and some are never used: what is missing is looked for again, for a generous time.

use std::time::Duration;

use portreeve_pkix::Timestamp;

/// Ranges that are looked for again, at most; more of them are taken together.
const GAPS_MAX: usize = 2_048;

/// Numbers that nobody has seen yet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Gap {
    first: u64,
    last: u64,
    since: Timestamp,
}

/// How far sealing looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Looked {
    /// Everything above is looked for.
    after: u64,
    /// The highest number that is known.
    high: u64,
    /// Below `high`, in order; each is looked for on its own as far as it lies below `after`.
    gaps: Vec<Gap>,
}

/// What to look for: ranges, and all after a number.
pub(crate) type Look = (Vec<(u64, u64)>, u64);

impl Looked {
    /// Nothing above the watermark was looked at. `present` are the numbers that are there, in order, up to `high`.
    pub(crate) fn from(watermark: u64, present: impl IntoIterator<Item = u64>, now: Timestamp) -> Self {
        let mut looked = Self {
            after: watermark,
            high: watermark,
            gaps: Vec::new(),
        };
        present.into_iter().for_each(|number| looked.saw(number, now));
        looked
    }

    /// What to look for next.
    pub(crate) fn next(&self) -> Look {
        let below = self.gaps.iter().filter(|gap| gap.first <= self.after);
        let ranges = below.map(|gap| (gap.first, gap.last.min(self.after)));
        (ranges.collect(), self.after)
    }

    /// Takes in what a look found, in order. It began at this time; `whole` if nothing was left out.
    pub(crate) fn found(&mut self, numbers: &[u64], whole: bool, (began, kept): (Timestamp, Duration)) {
        for number in numbers {
            self.saw(*number, began);
        }
        if whole {
            self.after = self.high;
            // A look that began when the time was over has not found it: it never comes.
            self.gaps.retain(|gap| gap.since.saturating_add(kept) > began);
        } else if let Some(last) = numbers.last() {
            self.after = self.after.max(*last);
        }
        if self.gaps.len() > GAPS_MAX {
            self.gaps = self.gaps.chunks(2).filter_map(together).collect();
        }
    }

    fn saw(&mut self, number: u64, now: Timestamp) {
        if number > self.high {
            if number > self.high + 1 {
                self.gaps.push(Gap {
                    first: self.high + 1,
                    last: number - 1,
                    since: now,
                });
            }
            self.high = number;
            return;
        }
        let at = self.gaps.partition_point(|gap| gap.last < number);
        let Some(gap) = self.gaps.get(at).copied().filter(|gap| gap.first <= number) else {
            return;
        };
        let left = Gap {
            last: number.saturating_sub(1),
            ..gap
        };
        let right = Gap {
            first: number.saturating_add(1),
            ..gap
        };
        let rest = [left, right].into_iter().filter(|gap| gap.first <= gap.last);
        self.gaps.splice(at..=at, rest);
    }

    /// The highest number that is known.
    pub(crate) const fn high(&self) -> u64 {
        self.high
    }

    /// Up to this number everything is sealed, or never comes.
    pub(crate) fn watermark(&self) -> u64 {
        let first = self.gaps.first().map(|gap| gap.first.saturating_sub(1));
        first.map_or(self.after, |first| first.min(self.after))
    }

    /// Whether there is nothing to look for but what is new.
    pub(crate) fn is_settled(&self) -> bool {
        self.gaps.is_empty() && self.after == self.high
    }
}

/// One range over several: what lies between them is sealed, which looking again does no harm.
fn together(gaps: &[Gap]) -> Option<Gap> {
    let (first, last) = (gaps.first()?, gaps.last()?);
    Some(Gap {
        first: first.first,
        last: last.last,
        since: first.since.max(last.since),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const KEPT: Duration = Duration::from_secs(300);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_gap_is_passed_only_after_its_time() {
        let mut looked = Looked::from(0, [], at(0));
        looked.found(&[1, 2, 5, 6], true, (at(0), KEPT));
        assert_eq!(looked.next(), (vec![(3, 4)], 6));
        assert_eq!((looked.watermark(), looked.high()), (2, 6));
        looked.found(&[4], true, (at(299), KEPT));
        assert_eq!((looked.next(), looked.watermark()), ((vec![(3, 3)], 6), 2));
        looked.found(&[], false, (at(300), KEPT));
        assert_eq!(looked.watermark(), 2, "a look that was cut short says nothing");
        looked.found(&[], true, (at(300), KEPT));
        assert_eq!((looked.next(), looked.watermark()), ((vec![], 6), 6));
        assert!(looked.is_settled());
    }

    #[test]
    fn after_a_restart_all_above_the_watermark_is_looked_for() {
        let mut looked = Looked::from(2, [3, 4, 8, 9], at(0));
        assert_eq!((looked.next(), looked.watermark()), ((vec![], 2), 2));
        looked.found(&[4, 8], false, (at(0), KEPT));
        assert_eq!(
            looked.next(),
            (vec![(5, 7)], 8),
            "a gap behind what was looked at is asked for"
        );
        looked.found(&[9, 11], true, (at(0), KEPT));
        assert_eq!(looked.next(), (vec![(5, 7), (10, 10)], 11));
        assert!(!looked.is_settled());
    }

    #[test]
    fn very_many_gaps_are_taken_together() {
        let odd: Vec<u64> = (0..9_000).map(|number| 2 * number + 1).collect();
        let mut looked = Looked::from(0, [], at(0));
        for part in odd.chunks(500) {
            looked.found(part, true, (at(0), KEPT));
        }
        let (ranges, _) = looked.next();
        assert!(ranges.len() <= GAPS_MAX, "{}", ranges.len());
        let covered = |number: u64| {
            ranges
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&number))
        };
        assert!((1..8_999).all(|half| covered(2 * half)));
    }

    /// What may happen to the numbers and to the sealer.
    #[derive(Clone, Debug)]
    enum Step {
        /// A writer takes a number.
        Take,
        /// A writer commits what it took.
        Commit(prop::sample::Index),
        /// A writer gives up.
        GiveUp(prop::sample::Index),
        /// The sealer looks, for at most so many.
        Look(usize),
        /// Another sealer begins where this one left off.
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Take),
            4 => any::<prop::sample::Index>().prop_map(Step::Commit),
            1 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
            3 => (1usize..6).prop_map(Step::Look),
            1 => Just(Step::Restart),
        ]
    }

    fn look(looked: &mut Looked, (there, sealed): (&BTreeSet<u64>, &mut Vec<u64>), limit: usize, now: i64) {
        let (ranges, after) = looked.next();
        let wanted = |number: &&u64| {
            **number > after || ranges.iter().any(|(first, last)| (first..=last).contains(number))
        };
        let all = there
            .iter()
            .filter(wanted)
            .filter(|number| !sealed.contains(number));
        let numbers: Vec<u64> = all.take(limit).copied().collect();
        looked.found(&numbers, numbers.len() < limit, (at(now), KEPT));
        sealed.extend(numbers);
    }

    proptest! {
        #[test]
        fn nothing_is_missed_and_nothing_found_twice(steps in prop::collection::vec(step(), 1..120)) {
            let (mut next, mut open, mut there) = (1, Vec::new(), BTreeSet::new());
            let (mut sealed, mut looked) = (Vec::new(), Looked::from(0, [], at(0)));
            for one in steps {
                match one {
                    Step::Take => {
                        open.push(next);
                        next += 1;
                    }
                    Step::Commit(which) if !open.is_empty() => {
                        there.insert(open.remove(which.index(open.len())));
                    }
                    Step::GiveUp(which) if !open.is_empty() => {
                        open.remove(which.index(open.len()));
                    }
                    Step::Look(limit) => look(&mut looked, (&there, &mut sealed), limit, 0),
                    Step::Restart => {
                        let watermark = looked.watermark();
                        prop_assert!(there.range(..=watermark).all(|number| sealed.contains(number)));
                        let present = there.range(watermark + 1..).copied();
                        looked = Looked::from(watermark, present, at(0));
                    }
                    Step::Commit(_) | Step::GiveUp(_) => {}
                }
            }
            there.extend(open);
            for _ in 0..=there.len() {
                look(&mut looked, (&there, &mut sealed), 2, 1);
            }
            let once: BTreeSet<u64> = sealed.iter().copied().collect();
            prop_assert_eq!(once.len(), sealed.len());
            prop_assert_eq!(once, there);
            look(&mut looked, (&BTreeSet::new(), &mut sealed), 2, 1_000);
            prop_assert!(looked.is_settled());
        }
    }
}
