//! The Merkle tree of RFC 9162 section 2.1 (RFC 6962 section 2), as it grows: only the roots of its perfect subtrees are
//! kept, one for each bit of its size.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Prefix of a leaf.
const LEAF: u8 = 0;
/// Prefix of an inner node.
const NODE: u8 = 1;

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}

/// The hash of a leaf with this content.
pub fn leaf_hash(content: &[u8]) -> Hash {
    sha256(&[&[LEAF], content])
}

/// The hash of a node above these two.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[NODE], left, right])
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The root over the roots of perfect subtrees, each smaller than the one to its left.
pub fn root_over(peaks: &[Hash]) -> Hash {
    let mut from_the_right = peaks.iter().rev();
    let Some(last) = from_the_right.next() else {
        return empty_root();
    };
    from_the_right.fold(*last, |right, left| node_hash(left, &right))
}

/// A perfect subtree: the leaves from `index * 2^height` on, `2^height` of them.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subtree {
    /// Its height; a leaf has 0.
    pub height: u8,
    /// Which of its height, from the left.
    pub index: u64,
}

/// A subtree was appended where it does not fit.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of height {height} does not fit behind {size} leaves")]
pub struct Misplaced {
    /// Its height.
    pub height: u8,
    /// Leaves of the tree.
    pub size: u64,
}

/// The right edge of a tree: all that is needed to append to it and to know its root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of perfect subtrees, the largest first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// A tree of this size, given the roots of its perfect subtrees, the largest first.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        let count = usize::try_from(size.count_ones()).ok()?;
        (peaks.len() == count).then_some(Self { size, peaks })
    }

    /// The root.
    pub fn root(&self) -> Hash {
        root_over(&self.peaks)
    }

    /// Appends a leaf by its hash. `completed` is told of each perfect subtree that this completes, the leaf excluded.
    pub fn append(&mut self, leaf: Hash, completed: impl FnMut(Subtree, Hash)) {
        self.add(0, leaf, completed);
    }

    /// Appends a perfect subtree by its root.
    pub fn append_subtree(
        &mut self,
        height: u8,
        root: Hash,
        completed: impl FnMut(Subtree, Hash),
    ) -> Result<(), Misplaced> {
        if height > 62 || self.size.trailing_zeros() < u32::from(height) && self.size > 0 {
            let size = self.size;
            return Err(Misplaced { height, size });
        }
        self.add(height, root, completed);
        Ok(())
    }

    fn add(&mut self, height: u8, root: Hash, mut completed: impl FnMut(Subtree, Hash)) {
        let (mut at, mut hash) = (height, root);
        while self.size >> at & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            at += 1;
            let index = self.size >> at;
            completed(Subtree { height: at, index }, hash);
        }
        self.peaks.push(hash);
        self.size += 1 << height;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition of RFC 9162 section 2.1.1, word by word.
    pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    pub(crate) fn leaves(count: usize) -> Vec<Hash> {
        (0..count)
            .map(|number| leaf_hash(&number.to_be_bytes()))
            .collect()
    }

    /// The leaves of the test vectors of Certificate Transparency, and the roots of the first trees over them.
    pub(crate) const VECTORS: [(&str, &str); 8] = [
        (
            "",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            "00",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            "10",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            "2021",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
        (
            "3031",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ),
        (
            "40414243",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        ),
        (
            "5051525354555657",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            "606162636465666768696a6b6c6d6e6f",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];

    #[test]
    fn the_vectors_of_certificate_transparency() {
        let mut tree = Frontier::default();
        assert_eq!(
            hex::encode(tree.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (content, root) in VECTORS {
            tree.append(leaf_hash(&hex::decode(content).unwrap()), |_, _| ());
            assert_eq!(hex::encode(tree.root()), root, "{} leaves", tree.size());
        }
    }

    #[test]
    fn a_subtree_fits_only_where_it_is_whole() {
        let all = leaves(16);
        let mut tree = Frontier::default();
        tree.append_subtree(2, naive_root(&all[..4]), |_, _| ()).unwrap();
        assert!(tree.append_subtree(3, [0; 32], |_, _| ()).is_err());
        tree.append(all[4], |_, _| ());
        assert!(tree.append_subtree(1, [0; 32], |_, _| ()).is_err());
        tree.append(all[5], |_, _| ());
        tree.append_subtree(1, naive_root(&all[6..8]), |_, _| ()).unwrap();
        tree.append_subtree(3, naive_root(&all[8..]), |_, _| ()).unwrap();
        assert_eq!((tree.size(), tree.root()), (16, naive_root(&all)));
    }

    proptest! {
        #[test]
        fn it_grows_as_the_definition_says(count in 0usize..600) {
            let all = leaves(count);
            let mut tree = Frontier::default();
            let mut told = Vec::new();
            for leaf in &all {
                tree.append(*leaf, |subtree, hash| told.push((subtree, hash)));
            }
            prop_assert_eq!(tree.root(), naive_root(&all));
            for (subtree, hash) in told {
                let from = (subtree.index << subtree.height) as usize;
                let over = &all[from..from + (1 << subtree.height)];
                prop_assert_eq!(hash, naive_root(over));
            }
        }
    }
}
