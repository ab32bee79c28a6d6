use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use portreeve_pkix::Secret;
use proptest::prelude::*;

use super::*;

/// MACs with a key that tests can tell apart.
struct Macs(u8);

impl Sealer for Macs {
    fn seal(&self, _: Purpose, _: &[u8], _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::Invalid)
    }

    fn open(&self, _: Purpose, _: &[u8], _: &[u8]) -> Result<Secret, KeyError> {
        Err(KeyError::Invalid)
    }

    fn mac(&self, purpose: Purpose, label: &str, input: &[u8]) -> Result<[u8; 32], KeyError> {
        Ok(sha256(
            &[&[self.0], purpose.as_str().as_bytes(), label.as_bytes(), input].concat(),
        ))
    }

    fn check_mac(&self, purpose: Purpose, label: &str, input: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        if self.mac(purpose, label, input)? == tag {
            Ok(())
        } else {
            Err(KeyError::Invalid)
        }
    }
}

struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, octets: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        octets
            .iter_mut()
            .zip(next.iter().cycle())
            .for_each(|(to, from)| *to = *from);
    }
}

struct Hands(AtomicI64);

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {}
}

fn nonces(key: u8) -> (Nonces, Arc<Hands>) {
    let clock = Arc::new(Hands(AtomicI64::new(1_000_000)));
    let random = Arc::new(Counter(AtomicU64::new(0)));
    let nonces = Nonces::new(
        Arc::new(Macs(key)),
        random,
        clock.clone(),
        Duration::from_secs(60),
    );
    (nonces, clock)
}

fn is_bad<T: std::fmt::Debug>(result: Result<T, AcmeError>) -> bool {
    matches!(result, Err(AcmeError::NonceInvalid))
}

#[test]
fn a_nonce_is_good_once() {
    let (nonces, _) = nonces(1);
    let text = nonces.issue().unwrap();
    assert_eq!(text.len(), TEXT);
    let nonce = nonces.check(&text).unwrap();
    assert_eq!(nonces.check(&text).unwrap(), nonce, "looking does not use it");
    let spend = nonces.spend(&nonce).unwrap();
    assert_eq!(spend.until, nonce.expires);
    assert!(
        is_bad(nonces.spend(&nonce)),
        "two requests that were checked at once"
    );
    assert!(is_bad(nonces.check(&text)), "a replay");
}

#[test]
fn a_nonce_is_good_on_every_node_until_it_expires() {
    let (here, _) = nonces(1);
    let (there, clock) = nonces(1);
    let text = here.issue().unwrap();
    let nonce = there.check(&text).unwrap();
    assert_eq!(
        here.spend(&nonce).unwrap(),
        there.spend(&nonce).unwrap(),
        "both spend the same row"
    );
    let text = here.issue().unwrap();
    clock.0.fetch_add(59, Ordering::Relaxed);
    assert!(there.check(&text).is_ok());
    clock.0.fetch_add(1, Ordering::Relaxed);
    assert!(is_bad(there.check(&text)), "expired");
}

#[test]
fn what_was_not_made_here_is_refused() {
    let (nonces, _) = nonces(1);
    let text = nonces.issue().unwrap();
    let (strangers, _) = self::nonces(2);
    let mut later = URL_SAFE_NO_PAD.decode(&text).unwrap();
    later[7] ^= 1;
    let rows = [
        ("another key", strangers.issue().unwrap()),
        ("a later expiry", URL_SAFE_NO_PAD.encode(later)),
        ("cut", text[..TEXT - 1].to_owned()),
        ("longer", format!("{text}A")),
        ("padded", format!("{text}=")),
        ("empty", String::new()),
        ("chance", "A".repeat(TEXT)),
    ];
    for (name, text) in rows {
        assert!(is_bad(nonces.check(&text)), "{name}");
    }
}

#[test]
fn memory_is_bounded() {
    let (nonces, _) = nonces(1);
    let expires = Timestamp::from_unix_seconds(2_000_000);
    for number in 0..=REMEMBERED_MAX as u128 {
        nonces
            .spend(&Nonce {
                expires,
                chance: number.to_be_bytes(),
            })
            .unwrap();
    }
    let used = nonces.used();
    assert_eq!(
        (used.set.len(), used.order.len()),
        (REMEMBERED_MAX, REMEMBERED_MAX)
    );
    assert!(!used.set.contains(&[0; CHANCE]), "the oldest was forgotten");
}

proptest! {
    #[test]
    fn any_text_is_handled(text in "[A-Za-z0-9_-]{70,80}|\\PC{0,90}") {
        let (nonces, _) = nonces(1);
        prop_assert!(is_bad(nonces.check(&text)));
    }
}
