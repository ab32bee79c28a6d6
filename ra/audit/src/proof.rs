//! Proofs of RFC 9162 sections 2.1.3 and 2.1.4: that a leaf is in a tree, and that a tree continues an earlier one.

use std::ops::Range;

use crate::tree::{Hash, Subtree, node_hash, root_over};

/// Hashes of one proof, at most: two for each bit of a size.
pub const PROOF_HASHES_MAX: usize = 128;

/// A proof does not prove what it should.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold: {0}")]
pub struct BadProof(pub &'static str);

/// The largest power of two below a number above 1.
const fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// The leaves under each hash of the inclusion proof of a leaf, in the order of the proof. `None` when there is no such
/// leaf.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(middle..to);
            to = middle;
        } else {
            path.push(from..middle);
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The leaves under each hash of the proof that a tree of `size` continues the one of `earlier`, in the order of the
/// proof; empty when they are equal or the earlier one is empty. `None` when the earlier one is larger.
pub fn consistency(earlier: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if earlier > size {
        return None;
    }
    let mut path = Vec::new();
    if earlier == 0 || earlier == size {
        return Some(path);
    }
    let (mut from, mut to, mut is_left_edge) = (0, size, true);
    while to != earlier {
        let middle = from + split(to - from);
        if earlier <= middle {
            path.push(middle..to);
            to = middle;
        } else {
            path.push(from..middle);
            from = middle;
            is_left_edge = false;
        }
    }
    if !is_left_edge {
        path.push(from..to);
    }
    path.reverse();
    Some(path)
}

/// The perfect subtrees that make up a range of leaves, from the left. The range must begin where one as large as it
/// would, as those of proofs and those from 0 on do.
pub fn subtrees(range: &Range<u64>) -> Vec<Subtree> {
    let (mut from, mut made) = (range.start, Vec::new());
    while from < range.end {
        let fits = 63 - (range.end - from).leading_zeros();
        let height = if from == 0 {
            fits
        } else {
            fits.min(from.trailing_zeros())
        };
        let index = from >> height;
        let height = u8::try_from(height).unwrap_or(u8::MAX);
        made.push(Subtree { height, index });
        from += 1 << height;
    }
    made
}

/// The hash over a range of leaves, given the root of each of its perfect subtrees.
pub fn hash_over(range: &Range<u64>, root_of: impl Fn(Subtree) -> Option<Hash>) -> Option<Hash> {
    let peaks: Option<Vec<Hash>> = subtrees(range).into_iter().map(root_of).collect();
    peaks
        .filter(|peaks| !peaks.is_empty())
        .map(|peaks| root_over(&peaks))
}

/// Checks that a leaf is the one at `index` of the tree with this size and root (RFC 9162 section 2.1.3.2).
pub fn check_inclusion(
    (leaf, index): (&Hash, u64),
    proof: &[Hash],
    (size, root): (u64, &Hash),
) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof("the tree has no such leaf"));
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return Err(BadProof("it is too long"));
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            if at & 1 == 0 {
                let up = at.trailing_zeros().min(63);
                at >>= up;
                last >>= up;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(BadProof("it is too short"));
    }
    same(&hash, root)
}

/// Checks that the tree with `size` and `root` begins with the `earlier` one (RFC 9162 section 2.1.4.2).
pub fn check_consistency(
    (earlier, earlier_root): (u64, &Hash),
    proof: &[Hash],
    (size, root): (u64, &Hash),
) -> Result<(), BadProof> {
    if earlier > size {
        return Err(BadProof("the earlier tree is larger"));
    }
    if earlier == 0 || earlier == size {
        if !proof.is_empty() {
            return Err(BadProof("it is too long"));
        }
        return if earlier == 0 {
            Ok(())
        } else {
            same(earlier_root, root)
        };
    }
    let (first, rest) = if earlier.is_power_of_two() {
        (earlier_root, proof)
    } else {
        proof.split_first().ok_or(BadProof("it is too short"))?
    };
    let up = (earlier - 1).trailing_ones();
    let (mut at, mut last) = ((earlier - 1) >> up, (size - 1) >> up);
    let (mut old, mut new) = (*first, *first);
    for step in rest {
        if last == 0 {
            return Err(BadProof("it is too long"));
        }
        if at & 1 == 1 || at == last {
            old = node_hash(step, &old);
            new = node_hash(step, &new);
            if at & 1 == 0 {
                let up = at.trailing_zeros().min(63);
                at >>= up;
                last >>= up;
            }
        } else {
            new = node_hash(&new, step);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(BadProof("it is too short"));
    }
    same(&old, earlier_root)?;
    same(&new, root)
}

fn same(found: &Hash, expected: &Hash) -> Result<(), BadProof> {
    if found == expected {
        Ok(())
    } else {
        Err(BadProof("it leads to another root"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;
    use crate::tree::tests::{VECTORS, leaves, naive_root};
    use proptest::prelude::*;

    fn hashes(all: &[Hash], ranges: &[Range<u64>]) -> Vec<Hash> {
        let naive = |subtree: Subtree| {
            let from = (subtree.index << subtree.height) as usize;
            Some(naive_root(&all[from..from + (1 << subtree.height)]))
        };
        ranges
            .iter()
            .map(|range| {
                let hash = hash_over(range, naive).unwrap();
                assert_eq!(hash, naive_root(&all[range.start as usize..range.end as usize]));
                hash
            })
            .collect()
    }

    /// RFC 6962 section 2.1.3: PATH(m, D[n]) as defined.
    fn naive_path(index: usize, all: &[Hash]) -> Vec<Hash> {
        if all.len() == 1 {
            return Vec::new();
        }
        let middle = all.len().next_power_of_two() / 2;
        let (left, right) = all.split_at(middle);
        let (mut path, other) = if index < middle {
            (naive_path(index, left), naive_root(right))
        } else {
            (naive_path(index - middle, right), naive_root(left))
        };
        path.push(other);
        path
    }

    /// RFC 6962 section 2.1.4: SUBPROOF(m, D[n], b) as defined.
    fn naive_subproof(earlier: usize, all: &[Hash], known: bool) -> Vec<Hash> {
        if earlier == all.len() {
            return if known { Vec::new() } else { vec![naive_root(all)] };
        }
        let middle = all.len().next_power_of_two() / 2;
        let (left, right) = all.split_at(middle);
        let (mut proof, other) = if earlier <= middle {
            (naive_subproof(earlier, left, known), naive_root(right))
        } else {
            (naive_subproof(earlier - middle, right, false), naive_root(left))
        };
        proof.push(other);
        proof
    }

    #[test]
    fn the_example_of_rfc_6962_section_2_1_3() {
        let all: Vec<Hash> = VECTORS
            .iter()
            .take(7)
            .map(|(content, _)| leaf_hash(&hex::decode(content).unwrap()))
            .collect();
        let rows = [
            ("d0: b, h, l", inclusion(0, 7), "1..2 2..4 4..7"),
            ("d3: c, g, l", inclusion(3, 7), "2..3 0..2 4..7"),
            ("d4: f, j, k", inclusion(4, 7), "5..6 6..7 0..4"),
            ("d6: i, k", inclusion(6, 7), "4..6 0..4"),
            ("hash0: c, d, g, l", consistency(3, 7), "2..3 3..4 0..2 4..7"),
            ("hash1: l", consistency(4, 7), "4..7"),
            ("hash2: i, j, k", consistency(6, 7), "4..6 6..7 0..4"),
        ];
        for (name, found, expected) in rows {
            let words: Vec<String> = found.unwrap().iter().map(|range| format!("{range:?}")).collect();
            assert_eq!(words.join(" "), expected, "{name}");
        }
        assert_eq!(inclusion(7, 7), None);
        assert_eq!(consistency(8, 7), None);
        let path = hashes(&all, &inclusion(6, 7).unwrap());
        check_inclusion((&all[6], 6), &path, (7, &naive_root(&all))).unwrap();
    }

    proptest! {
        #[test]
        fn inclusion_proofs_hold_and_no_others(size in 1usize..300, at in any::<prop::sample::Index>()) {
            let (all, index) = (leaves(size), at.index(size));
            let (root, count) = (naive_root(&all), size as u64);
            let mut path = hashes(&all, &inclusion(index as u64, count).unwrap());
            prop_assert_eq!(&path, &naive_path(index, &all));
            let leaf = (&all[index], index as u64);
            prop_assert_eq!(check_inclusion(leaf, &path, (count, &root)), Ok(()));
            prop_assert!(check_inclusion((&[9; 32], index as u64), &path, (count, &root)).is_err());
            prop_assert!(check_inclusion(leaf, &path, (count, &[9; 32])).is_err());
            for other in (0..count).filter(|other| *other != index as u64) {
                prop_assert!(check_inclusion((&all[index], other), &path, (count, &root)).is_err());
            }
            if let Some(one) = path.first_mut() {
                one[0] ^= 1;
                prop_assert!(check_inclusion(leaf, &path, (count, &root)).is_err());
                path.pop();
                prop_assert!(check_inclusion(leaf, &path, (count, &root)).is_err());
            }
            path.push([1; 32]);
            path.push([1; 32]);
            prop_assert!(check_inclusion(leaf, &path, (count, &root)).is_err());
        }

        #[test]
        fn consistency_proofs_hold_and_no_others(size in 1usize..300, at in any::<prop::sample::Index>()) {
            let (all, earlier) = (leaves(size), at.index(size) + 1);
            let (old, new) = (naive_root(&all[..earlier]), naive_root(&all));
            let (before, after) = ((earlier as u64, &old), (size as u64, &new));
            let mut proof = hashes(&all, &consistency(earlier as u64, size as u64).unwrap());
            prop_assert_eq!(&proof, &naive_subproof(earlier, &all, true));
            prop_assert_eq!(check_consistency(before, &proof, after), Ok(()));
            prop_assert!(check_consistency((earlier as u64, &[9; 32]), &proof, after).is_err());
            prop_assert!(check_consistency(before, &proof, (size as u64, &[9; 32])).is_err());
            if let Some(one) = proof.first_mut() {
                one[0] ^= 1;
                prop_assert!(check_consistency(before, &proof, after).is_err());
                proof.pop();
                prop_assert!(check_consistency(before, &proof, after).is_err());
            }
        }
    }
}
