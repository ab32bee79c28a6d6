//! Passwords: Argon2id, at most a few at once, never on the threads that answer requests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use portreeve_pkix::Secret;
use tokio::sync::Semaphore;

/// Characters of a password, at least.
const CHARACTERS_MIN: usize = 12;
/// Octets of a password, at most.
const OCTETS_MAX: usize = 1024;
/// Passwords checked at once: each takes 19 MiB.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// A password is not checked or taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is too short, too long, or the name.
    #[error(
        "a password has at least {CHARACTERS_MIN} characters and at most {OCTETS_MAX} octets, and is not the name"
    )]
    Unfit,
    /// There are too many at once.
    #[error("too many passwords at once")]
    Busy,
    /// The library fails.
    #[error("a password could not be hashed")]
    Failed,
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Stands in for the hash of who has none, so that it takes as long.
    nobody: Arc<OnceLock<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: Arc::default(),
        }
    }
}

impl Passwords {
    /// The hash of a new password, in PHC form.
    pub async fn hash(&self, name: &str, password: Secret, salt: [u8; 16]) -> Result<String, PasswordError> {
        check(name, &password)?;
        self.turn(move || hashed(password.expose(), &salt)).await?
    }

    /// Whether this is the password. Without a hash it is not, and finding out takes as long.
    pub async fn is_right(&self, hash: Option<String>, password: Secret) -> Result<bool, PasswordError> {
        if password.expose().len() > OCTETS_MAX {
            return Ok(false);
        }
        let nobody = Arc::clone(&self.nobody);
        self.turn(move || {
            let stand_in = nobody.get_or_init(|| hashed(b"nobody", &[0; 16]).unwrap_or_default());
            let against = hash.as_deref().unwrap_or(stand_in);
            let matches = verified(password.expose(), against);
            matches && hash.is_some()
        })
        .await
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(TURN_WITHIN, turn).await;
        let Ok(Ok(turn)) = turn else {
            return Err(PasswordError::Busy);
        };
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| PasswordError::Failed)
    }
}

fn check(name: &str, password: &Secret) -> Result<(), PasswordError> {
    let text = std::str::from_utf8(password.expose()).map_err(|_| PasswordError::Unfit)?;
    let long = text.chars().count() >= CHARACTERS_MIN && text.len() <= OCTETS_MAX;
    if long && !text.eq_ignore_ascii_case(name) {
        return Ok(());
    }
    Err(PasswordError::Unfit)
}

/// Argon2id with 19 MiB, two passes and one lane.
fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|_| PasswordError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hashed(password: &[u8], salt: &[u8]) -> Result<String, PasswordError> {
    let hash = argon2()?.hash_password_with_salt(password, salt);
    hash.map(|hash| hash.to_string())
        .map_err(|_| PasswordError::Failed)
}

/// By the parameters in the hash, which was signed when it was stored.
fn verified(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn the_right_password_alone_is_right() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("alice", secret("correct horse"), [7; 16])
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let rows = [
            ("right", Some(hash.clone()), "correct horse", true),
            ("wrong", Some(hash.clone()), "correct horses", false),
            ("empty", Some(hash), "", false),
            ("nobody", None, "nobody", false),
            ("no hash", Some("x".to_owned()), "x", false),
        ];
        for (name, hash, password, right) in rows {
            assert_eq!(
                passwords.is_right(hash, secret(password)).await,
                Ok(right),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn unfit_passwords_are_not_taken() {
        let passwords = Passwords::default();
        let long = "a".repeat(1025);
        for password in ["", "short", "elevenchars", "Administrator", &long] {
            let refused = passwords.hash("administrator", secret(password), [0; 16]).await;
            assert_eq!(refused, Err(PasswordError::Unfit), "{password}");
        }
    }
}
