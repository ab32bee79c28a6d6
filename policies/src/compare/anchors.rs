//! Trust anchors: another certificate lets other clients in, one less lets fewer in.

use portreeve_ra::TrustAnchorSet;

use super::Facet;
use super::measure::Measure;
use crate::anchors::shown;

pub(super) fn facets(set: &TrustAnchorSet) -> Vec<Facet> {
    let TrustAnchorSet {
        name: _,
        certificates,
    } = set;
    vec![Facet::new(
        "certificates",
        Measure::Set(certificates.iter().map(shown).collect()),
    )]
}

#[cfg(test)]
mod tests {
    use crate::anchors::tests::{certificate, text};
    use crate::{Direction, compare, widens};
    use portreeve_ra::ObjectKind::TrustAnchors;

    #[test]
    fn another_anchor_widens_and_one_less_narrows() {
        let (one, two) = (certificate("one", |_| {}), certificate("two", |_| {}));
        let (alone, both) = (text(&[&one]), text(&[&two, &one]));
        let renamed = certificate("one", |_| {});
        let rows = [
            ("another one", &alone, &both, Some(Direction::Widens)),
            ("one less", &both, &alone, Some(Direction::Narrows)),
            (
                "one by another key",
                &alone,
                &text(&[&renamed]),
                Some(Direction::Widens),
            ),
            ("another order", &both, &text(&[&one, &two]), None),
            (
                "another description",
                &alone,
                &alone.replace("devices", "x"),
                None,
            ),
        ];
        for (name, old, new, expected) in rows {
            let changes = compare(TrustAnchors, old, new).unwrap();
            let found = changes.first().map(|change| change.direction);
            assert_eq!(found, expected, "{name}: {changes:?}");
            let expected = expected == Some(Direction::Widens);
            assert_eq!(widens(TrustAnchors, Some(old), new), expected, "{name}");
        }
        assert!(widens(TrustAnchors, None, &alone), "a first text");
    }
}
