//! Signed notes (C2SP `signed-note`): a text, an empty line, and signature lines `— name base64(key id || signature)`.
//! Only Ed25519 (algorithm 1) is made and verified; signatures of other keys are kept and ignored.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of a note, at most.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Signatures of a note, at most.
const SIGNATURES_MAX: usize = 64;

/// The algorithm Ed25519.
const ED25519_ALGORITHM: u8 = 1;

/// Why a text is no signed note, or no key of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has another form.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// A text is not a verifier key `name+id+key`.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// None of the keys given has signed it.
    #[error("no signature by a key that is trusted")]
    NotSigned,
    /// A signature in the name of a key that is trusted is wrong.
    #[error("the signature by {0} does not verify")]
    BadSignature(String),
}

/// The public key of a signer, with its name: `name+hex(id)+base64(1 || key)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl VerifierKey {
    /// The Ed25519 key of this name.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("its name"));
        }
        let input = [name.as_bytes(), &[b'\n', ED25519_ALGORITHM], &key].concat();
        let mut id = [0; 4];
        let hash = digest(&SHA256, &input);
        id.iter_mut()
            .zip(hash.as_ref())
            .for_each(|(to, from)| *to = *from);
        Ok(Self {
            name: name.to_owned(),
            id,
            key,
        })
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself.
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The line with a signature that this key has made.
    pub fn signature(&self, signature: [u8; 64]) -> NoteSignature {
        NoteSignature {
            name: self.name.clone(),
            id: self.id,
            signature: signature.to_vec(),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_ALGORITHM], self.key.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has three parts, with + between them"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("no base64"))?;
        let Some((&ED25519_ALGORITHM, key)) = key.split_first() else {
            return Err(NoteError::Key("not of Ed25519"));
        };
        let key = key.try_into().map_err(|_| NoteError::Key("its length"))?;
        let made = Self::new(name, key)?;
        if hex::encode(made.id) == id {
            Ok(made)
        } else {
            Err(NoteError::Key("its id belongs to another key"))
        }
    }
}

/// One signature of a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// A text with signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note of this text, which ends with a line feed and has no other control characters.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || text.chars().any(|one| one.is_ascii_control() && one != '\n') {
            return Err(NoteError::Form("its text"));
        }
        if signatures.is_empty() || signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Form("the number of its signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The text that is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks that one of these keys has signed it, and says which. A wrong signature in the name of any of them is an
    /// error, whatever the others say.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<&'k VerifierKey, NoteError> {
        let mut by = None;
        for one in &self.signatures {
            let named = |key: &&VerifierKey| key.name == one.name && key.id == one.id;
            let Some(key) = keys.iter().find(named) else {
                continue;
            };
            UnparsedPublicKey::new(&ED25519, key.key)
                .verify(self.text.as_bytes(), &one.signature)
                .map_err(|_| NoteError::BadSignature(key.name.clone()))?;
            by = by.or(Some(key));
        }
        by.ok_or(NoteError::NotSigned)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for one in &self.signatures {
            let octets = [one.id.as_slice(), &one.signature].concat();
            writeln!(f, "\u{2014} {} {}", one.name, STANDARD.encode(octets))?;
        }
        Ok(())
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("it is too long"));
        }
        let end = note
            .rfind("\n\n")
            .ok_or(NoteError::Form("no empty line before the signatures"))?;
        let (text, lines) = note.split_at(end + 1);
        let lines = lines.get(1..).unwrap_or_default();
        if !lines.ends_with('\n') {
            return Err(NoteError::Form("its last line has no end"));
        }
        let signatures = lines.lines().map(signature).collect::<Result<_, _>>()?;
        Self::new(text.to_owned(), signatures)
    }
}

fn signature(line: &str) -> Result<NoteSignature, NoteError> {
    let bad = NoteError::Form("a signature line");
    let rest = line.strip_prefix("\u{2014} ").ok_or_else(|| bad.clone())?;
    let (name, octets) = rest.split_once(' ').ok_or_else(|| bad.clone())?;
    let octets = STANDARD.decode(octets).map_err(|_| bad.clone())?;
    match octets.split_first_chunk::<4>() {
        Some((id, signature)) if is_name(name) && !signature.is_empty() => Ok(NoteSignature {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        }),
        _ => Err(bad),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|one: char| one.is_whitespace() || one.is_control() || one == '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n\n\
                        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_example_of_the_first_implementation() {
        let key: VerifierKey = KEY.parse().unwrap();
        let note: SignedNote = NOTE.parse().unwrap();
        assert_eq!(note.verify(std::slice::from_ref(&key)), Ok(&key));
        assert_eq!((key.to_string().as_str(), note.to_string().as_str()), (KEY, NOTE));
        let changed: SignedNote = NOTE.replace("answer", "anxwer").parse().unwrap();
        assert!(matches!(changed.verify(&[key]), Err(NoteError::BadSignature(_))));
    }

    #[test]
    fn only_keys_that_are_given_count() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::new("log.test/a", public).unwrap();
        let text = "hello\n".to_owned();
        let signature = pair.sign(text.as_bytes()).as_ref().try_into().unwrap();
        let note = SignedNote::new(text, vec![key.signature(signature)]).unwrap();
        let read: SignedNote = note.to_string().parse().unwrap();
        assert_eq!(read, note);
        assert_eq!(read.verify(std::slice::from_ref(&key)), Ok(&key));
        let renamed = VerifierKey::new("log.test/b", public).unwrap();
        assert_eq!(read.verify(&[renamed]), Err(NoteError::NotSigned));
        assert_eq!(read.verify(&[]), Err(NoteError::NotSigned));
    }

    #[test]
    fn what_is_no_note_or_key() {
        let rows = [
            ("nothing", ""),
            ("no signatures", "text\n"),
            ("an empty signature block", "text\n\n"),
            ("another dash", "text\n\n- name AAAAAAAA\n"),
            ("no name", "text\n\n\u{2014}  AAAAAAAA\n"),
            ("a plus in the name", "text\n\n\u{2014} a+b AAAAAAAA\n"),
            ("no signature octets", "text\n\n\u{2014} name AAAAAA==\n"),
            ("no base64", "text\n\n\u{2014} name ????\n"),
            ("a control character", "te\u{7}xt\n\n\u{2014} name AAAAAAAA\n"),
            ("no end of line", "text\n\n\u{2014} name AAAAAAAA"),
        ];
        for (name, text) in rows {
            assert!(text.parse::<SignedNote>().is_err(), "{name}");
        }
        let rows = [
            ("two parts", "name+c74f20a3"),
            (
                "another id",
                "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            ),
            ("another algorithm", "PeterNeumann+c74f20a3+AhpcAQ=="),
            ("too short", "PeterNeumann+c74f20a3+ARpc"),
            (
                "a space in the name",
                "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            ),
        ];
        for (name, text) in rows {
            assert!(text.parse::<VerifierKey>().is_err(), "{name}");
        }
    }
}
