//! Bounds of work, in steps of about a tenth of a microsecond.

use super::ITEMS_MAX;

/// Looking at one node.
pub(super) const NODE: usize = 2;
/// Searching, comparing or joining texts of a kilobyte.
pub(super) const TEXT: usize = 10;
/// A regular expression over a text of a kilobyte.
pub(super) const PATTERN: usize = 150;
/// Comparing a value with each item of a list, or two lists.
pub(super) const LIST: usize = ITEMS_MAX * 4;
/// One turn of a comprehension, besides its body; a longer result is copied in each.
pub(super) const TURN: usize = 40;

/// A comprehension over a list with such a body.
pub(super) const fn comprehension(body: usize) -> usize {
    body.saturating_add(TURN).saturating_mul(ITEMS_MAX)
}
