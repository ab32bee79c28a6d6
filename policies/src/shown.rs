//! Values from outside, cut to a bounded length before they go into reasons and findings.

use portreeve_pkix::GeneralName;

/// Most characters of a name in a reason; a DNS name always fits.
pub(crate) const CHARS_MAX: usize = 253;

/// The text, cut to a bounded length.
pub(crate) fn text(value: &str) -> String {
    match value.char_indices().nth(CHARS_MAX) {
        None => value.to_owned(),
        Some((end, _)) => value.get(..end).unwrap_or_default().to_owned(),
    }
}

/// The name, cut to a bounded length.
pub(crate) fn name(name: &GeneralName) -> String {
    text(&name.to_string())
}

/// Names in one line, each bounded, at most ten of them spelled out.
pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a GeneralName>) -> String {
    const SPELLED_MAX: usize = 10;
    let mut names = names.into_iter();
    let mut line = names
        .by_ref()
        .take(SPELLED_MAX)
        .map(name)
        .collect::<Vec<_>>()
        .join(", ");
    let rest = names.count();
    if rest > 0 {
        line.push_str(&format!(" and {rest} more"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_a_character() {
        let long = "\u{e4}".repeat(300);
        assert_eq!(text(&long).chars().count(), CHARS_MAX);
        assert_eq!(text("short"), "short");
    }

    #[test]
    fn lists_ten_names_at_most() {
        let list: Vec<_> = (0..12)
            .map(|n| GeneralName::Email(format!("{n}@example.com")))
            .collect();
        assert!(names(&list).ends_with("email:9@example.com and 2 more"));
    }
}
