//! One CA key in the signer process.

use std::fmt;

use async_trait::async_trait;
use portreeve_pkix::{PublicKey, SignatureAlgorithm};
use portreeve_ra::ports::{SignError, Signer, ToSign};

use super::process::SignerProcess;
use crate::soft_key::SealedKey;
use crate::wire::KeyName;

/// Above this many octets the check of a signature leaves the reactor.
const LARGE: usize = 256 * 1024;

/// A CA key whose private half is in the signer process.
pub struct SoftSigner {
    process: SignerProcess,
    sealed: SealedKey,
    name: KeyName,
}

impl SoftSigner {
    pub(super) fn new(process: SignerProcess, sealed: SealedKey) -> Self {
        let name = sealed.public_key().fingerprint();
        Self {
            process,
            sealed,
            name,
        }
    }

    /// The key as it is stored.
    pub const fn sealed(&self) -> &SealedKey {
        &self.sealed
    }

    /// The process that holds it.
    pub const fn process(&self) -> &SignerProcess {
        &self.process
    }
}

#[async_trait]
impl Signer for SoftSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.sealed.algorithm().signature_algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.sealed.public_key()
    }

    async fn sign(&self, what: ToSign) -> Result<Vec<u8>, SignError> {
        let signature = self.process.sign(self.name, &what).await?;
        let ToSign::RevocationList { tbs } = what else {
            return Ok(signature);
        };
        let (key, algorithm) = (self.public_key().clone(), self.algorithm());
        let is_large = tbs.len() > LARGE;
        let check = move || match key.verify(algorithm, &tbs, &signature) {
            Ok(()) => Ok(signature),
            Err(_) => Err(SignError::Corrupt),
        };
        if is_large {
            let checked = tokio::task::spawn_blocking(check).await;
            return checked.map_err(|error| SignError::Unavailable(error.to_string()))?;
        }
        check()
    }
}

impl fmt::Debug for SoftSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftSigner")
            .field("public_key", self.public_key())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::Connection;
    use super::*;
    use crate::frame::{self, Assembler};
    use crate::soft_key::{SoftKey, SoftKeyAlgorithm};
    use crate::structure::samples;
    use crate::wire::{Failure, Reply, Request};
    use portreeve_keyset::{Kek, KekSet, Keyset, WrappedKeyset};
    use portreeve_ra::Purpose;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    struct System;

    impl portreeve_ra::ports::Random for System {
        fn fill(&self, octets: &mut [u8]) {
            aws_lc_rs::rand::fill(octets).expect("random");
        }
    }

    fn keyset() -> Keyset {
        let keks = KekSet::shared(Kek::new(&[1; 32]).expect("kek"));
        let wrapped = WrappedKeyset::generate(&keks, &System).expect("keyset");
        wrapped.open(&keks, &[Purpose::Ca]).expect("opens")
    }

    /// A child that gives one answer to everything.
    async fn play(mut stream: UnixStream, reply: Reply) {
        let mut assembler = Assembler::default();
        let mut field = [0; 4];
        while stream.read_exact(&mut field).await.is_ok() {
            let mut octets = vec![0; frame::frame_length(field).expect("length")];
            stream.read_exact(&mut octets).await.expect("frame");
            let Some((id, message)) = assembler.push(&octets).expect("frame") else {
                continue;
            };
            assert!(borsh::from_slice::<Request>(&message).is_ok());
            let answer = borsh::to_vec(&reply).expect("reply");
            stream
                .write_all(&frame::encode_small(id, &answer))
                .await
                .expect("sent");
        }
    }

    #[tokio::test]
    async fn signatures_of_lists_are_verified_before_use() {
        let keyset = keyset();
        let sealed = SoftKey::generate(SoftKeyAlgorithm::EcP256, &keyset).expect("generated");
        let other = SoftKey::generate(SoftKeyAlgorithm::EcP256, &keyset).expect("generated");
        let tbs = samples::certificate(&[7; 16], SignatureAlgorithm::EcdsaSha256);
        let signed = |sealed| {
            SoftKey::open(sealed, &keyset)
                .expect("opens")
                .sign(&tbs)
                .expect("signed")
        };
        let good = signed(&sealed);
        let unavailable = || SignError::Unavailable(String::new());
        let rows = [
            ("good", Reply::Signature(good.clone()), Ok(good.clone())),
            (
                "of another key",
                Reply::Signature(signed(&other)),
                Err(SignError::Corrupt),
            ),
            (
                "truncated",
                Reply::Signature(good[..good.len() - 1].to_vec()),
                Err(SignError::Corrupt),
            ),
            ("empty", Reply::Signature(Vec::new()), Err(SignError::Corrupt)),
            ("another reply", Reply::Pong, Err(unavailable())),
            (
                "second content",
                Reply::Failed(Failure::SecondContent),
                Err(SignError::SecondContent),
            ),
        ];
        for (name, reply, expected) in rows {
            let (ours, theirs) = UnixStream::pair().expect("pair");
            let child = tokio::spawn(play(theirs, reply));
            let process = SignerProcess::played_by(Connection::over(ours));
            let signer = SoftSigner::new(process, sealed.clone());
            let given = signer.sign(ToSign::RevocationList { tbs: tbs.clone() }).await;
            let given = given.map_err(|error| match error {
                SignError::Unavailable(_) => unavailable(),
                other => other,
            });
            assert_eq!(given, expected, "{name}");
            drop(signer);
            child.await.expect(name);
        }
    }
}
