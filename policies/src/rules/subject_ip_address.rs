use std::net::IpAddr;

use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};

/// Looks at what was asked for: nothing else in a profile or in the names can put an address there.
pub(super) fn judge(question: &Question<'_>, _: &mut Draft, reasons: &mut Reasons) {
    let mut names = question.request.subject().common_names();
    if names.any(is_address) {
        reasons.refuse(Refusal::Subject(
            "an IP address cannot be the common name".to_owned(),
        ));
    }
}

/// Whether somebody may read the text as an address: also in brackets, and the short and hexadecimal forms of IPv4.
fn is_address(text: &str) -> bool {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let parts = text.split('.');
    (2..=4).contains(&parts.clone().count()) && parts.clone().all(is_number)
}

fn is_number(part: &str) -> bool {
    let (digits, hexadecimal) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        Some(digits) => (digits, true),
        None => (part, false),
    };
    let legal = |c: char| {
        if hexadecimal {
            c.is_ascii_hexdigit()
        } else {
            c.is_ascii_digit()
        }
    };
    !digits.is_empty() && digits.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in [
            "192.0.2.1",
            "::1",
            "[2001:db8::1]",
            " 10.0.0.1 ",
            "127.1",
            "0x7f.0.0.1",
            "::ffff:192.0.2.1",
        ] {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "example.com",
            "4711",
            "sensor.42",
            "v1.2",
            "1.2.3.4.5",
            "",
            ".",
            "a:b",
            "Model 1.5",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
