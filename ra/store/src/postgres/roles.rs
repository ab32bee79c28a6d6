//! The roles of nodes on a PostgreSQL server, as a script for its administrator.

const SCRIPT: &str = include_str!("../../roles/postgres.sql");

/// What the names of the roles begin with in the script.
pub const ROLE_PREFIX: &str = "portreeve";

/// The longest prefix: PostgreSQL cuts names at 63 octets.
const PREFIX_MAX: usize = 40;

/// The script that makes the roles, or brings them up to date; `None` when the prefix is not a name of lower-case
/// letters, digits and underscores.
pub fn roles_script(prefix: &str) -> Option<String> {
    let legal = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
    let begins = prefix
        .bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_lowercase());
    if !begins || prefix.len() > PREFIX_MAX || !prefix.bytes().all(legal) {
        return None;
    }
    Some(SCRIPT.replace(&format!("{ROLE_PREFIX}_"), &format!("{prefix}_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_a_plain_name() {
        let script = roles_script("acme2").unwrap();
        assert!(script.contains("acme2_edge") && !script.contains("portreeve_edge"));
        for bad in ["", "2acme", "Acme", "a;b", "a-b", &"a".repeat(41)] {
            assert_eq!(roles_script(bad), None, "{bad}");
        }
    }
}
