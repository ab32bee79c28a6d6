//! Secrets by chance, in a form that can be read out and typed.

use portreeve_pkix::Secret;

use crate::domain::{ProposalId, SecretId, SecretKind};
use crate::ports::Random;

/// Characters of a reference, at most.
pub const REFERENCE_MAX: usize = 128;

/// Without letters that look like digits, and without u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Octets of a key that MACs are made with.
const KEY_LENGTH: usize = 32;

/// Groups of four characters of 5 bits each: 140 bits.
const GROUPS: usize = 7;

/// Groups in front of a SCEP challenge or a token that serve as its reference, since there is no other place for one.
const CHALLENGE_GROUPS: usize = 2;

/// A secret just made. The only time that its value can be read.
#[derive(Debug)]
pub struct ShownSecret {
    /// Its id.
    pub id: SecretId,
    /// What it is for.
    pub kind: SecretKind,
    /// What its holder names it by.
    pub reference: String,
    /// The secret itself: text, or for an ACME external account key octets.
    pub value: Secret,
    /// Where people decide on it, if they must before it is good.
    pub proposal: Option<ProposalId>,
}

/// A new secret of this kind and its reference, which is made up unless it is given.
pub(super) fn secret(random: &dyn Random, kind: SecretKind, reference: Option<String>) -> (String, Secret) {
    match kind {
        SecretKind::AcmeEab => {
            let mut key = vec![0; KEY_LENGTH];
            random.fill(&mut key);
            // Written as base64url it then never begins with `-`, which programs take for the start of an option.
            if let Some(first) = key.first_mut() {
                *first &= 0x7f;
            }
            (
                reference.unwrap_or_else(|| grouped(random, GROUPS)),
                Secret::new(key),
            )
        }
        SecretKind::ScepChallenge => {
            let front = grouped(random, CHALLENGE_GROUPS);
            let challenge = format!("{front}-{}", grouped(random, GROUPS));
            (front, Secret::new(challenge.into_bytes()))
        }
        SecretKind::EnrollmentToken => {
            let front = grouped(random, CHALLENGE_GROUPS);
            let token = format!("{front}.{}", grouped(random, GROUPS));
            (front, Secret::new(token.into_bytes()))
        }
        SecretKind::EstPassword | SecretKind::CmpSecret | SecretKind::Password | SecretKind::Token => (
            reference.unwrap_or_else(|| grouped(random, GROUPS)),
            Secret::new(grouped(random, GROUPS).into_bytes()),
        ),
    }
}

fn grouped(random: &dyn Random, groups: usize) -> String {
    let mut octets = vec![0; groups * 4];
    random.fill(&mut octets);
    let mut text = String::with_capacity(groups * 5);
    for (index, octet) in octets.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        // A multiple of 32 divides 256: every character is as likely as any other.
        let character = ALPHABET.get(usize::from(octet % 32)).copied().unwrap_or(b'0');
        text.push(char::from(character));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Counts up.
    #[derive(Default)]
    struct Counter(AtomicU8);

    impl Random for Counter {
        fn fill(&self, octets: &mut [u8]) {
            for octet in octets {
                *octet = self.0.fetch_add(37, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn secrets_have_enough_bits_and_can_be_typed() {
        for kind in SecretKind::OF_REGISTRATIONS {
            let random = Counter::default();
            let (reference, value) = secret(&random, kind, None);
            if kind == SecretKind::AcmeEab {
                assert_eq!(value.expose().len(), 32);
            } else {
                let text = std::str::from_utf8(value.expose()).unwrap();
                let characters = text.bytes().filter(|octet| !b"-.".contains(octet));
                let bits = 5 * characters.clone().count();
                assert!(bits >= 128, "{kind:?}");
                assert!(
                    characters.clone().all(|octet| ALPHABET.contains(&octet)),
                    "{text}"
                );
                let secret_part = text.strip_prefix(&reference).unwrap_or(text);
                assert!(secret_part.len() >= 26, "{kind:?}: what the reference leaves");
            }
            assert!(!reference.is_empty() && reference.len() <= REFERENCE_MAX);
        }
        let (reference, _) = secret(
            &Counter::default(),
            SecretKind::EstPassword,
            Some("press-7".into()),
        );
        assert_eq!(reference, "press-7");
    }

    /// Always the same octet.
    struct Same(u8);

    impl Random for Same {
        fn fill(&self, octets: &mut [u8]) {
            octets.fill(self.0);
        }
    }

    #[test]
    fn what_is_given_to_a_program_looks_like_no_option() {
        for octet in 0..=u8::MAX {
            for kind in SecretKind::OF_REGISTRATIONS {
                let (reference, value) = secret(&Same(octet), kind, None);
                let text = URL_SAFE_NO_PAD.encode(value.expose());
                let written = if kind == SecretKind::AcmeEab {
                    text.as_bytes()
                } else {
                    value.expose()
                };
                assert!(
                    !written.starts_with(b"-") && !reference.starts_with('-'),
                    "{octet}, {kind:?}"
                );
            }
        }
    }

    #[test]
    fn every_character_comes_up() {
        let random = Counter::default();
        let text: String = (0..64).map(|_| grouped(&random, 8)).collect();
        assert!(ALPHABET.iter().all(|octet| text.contains(char::from(*octet))));
    }
}
