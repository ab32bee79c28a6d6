//! Checkpoints (C2SP `tlog-checkpoint`): how large the tree is and what its root is, as the text of a signed note.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tree::Hash;

/// A tree: whose, how large, with which root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint that a note says, if one of these keys has signed it.
    pub fn verified(note: &SignedNote, keys: &[VerifierKey]) -> Result<Self, NoteError> {
        note.verify(keys)?;
        note.text().parse()
    }
}

/// The text to sign: origin, size and root, each a line.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }
}

/// Further lines after the root are read over: they are signed as well, and mean nothing here.
impl FromStr for Checkpoint {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Form("no checkpoint");
        if !text.ends_with('\n') || text.lines().any(str::is_empty) {
            return Err(bad);
        }
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(bad);
        };
        let number: u64 = size.parse().map_err(|_| bad.clone())?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        match root {
            Some(root) if number.to_string() == size => Ok(Self {
                origin: origin.to_owned(),
                size: number,
                root,
            }),
            _ => Err(bad),
        }
    }
}

/// The notes of a file in which one was appended after the other, each followed by an empty line. A last one that was not
/// written to its end is left out; the second value says so.
pub fn notes(text: &str) -> Result<(Vec<SignedNote>, bool), NoteError> {
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start_matches('\n');
        if rest.is_empty() {
            return Ok((found, false));
        }
        let signatures = rest.find("\n\n").map(|end| end + 2);
        let Some(signatures) = signatures else {
            return Ok((found, true));
        };
        let tail = rest.get(signatures..).unwrap_or_default();
        let end = tail.find("\n\n").map_or(rest.len(), |end| signatures + end + 1);
        let (note, after) = rest.split_at(end);
        match note.parse() {
            Ok(note) => found.push(note),
            // A node died while it wrote the last one.
            Err(_) if after.is_empty() && !note.ends_with('\n') => return Ok((found, true)),
            Err(error) => return Err(error),
        }
        rest = after;
    }
}

/// A note as one line, for systems that keep lines: line feeds as `\n`.
pub fn one_line(note: &SignedNote) -> String {
    note.to_string().replace('\n', "\\n")
}

/// Text that may hold notes written by [`one_line`], one in a line, as notes one after the other.
pub fn unfold(text: &str) -> String {
    text.lines()
        .map(|line| match line.contains("\\n") {
            true => format!("{}\n", line.replace("\\n", "\n")),
            false => format!("{line}\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn note(size: u64) -> SignedNote {
        let (origin, root) = ("log.test/a".to_owned(), [1; 32]);
        let key = VerifierKey::new(&origin, [2; 32]).unwrap();
        let text = Checkpoint { origin, size, root }.to_string();
        SignedNote::new(text, vec![key.signature([3; 64])]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification() {
        let read: Checkpoint = TEXT.parse().unwrap();
        assert_eq!(
            (read.origin.as_str(), read.size),
            ("example.com/behind-the-sofa", 20_852_163)
        );
        assert_eq!(read.to_string(), TEXT);
        assert_eq!(format!("{TEXT}extension\n").parse(), Ok(read));
    }

    #[test]
    fn what_is_no_checkpoint() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let rows = [
            ("two lines", "a\n1\n".to_owned()),
            ("no origin", format!("\n1\n{root}\n")),
            ("a leading zero", format!("a\n01\n{root}\n")),
            ("a sign", format!("a\n+1\n{root}\n")),
            ("no number", format!("a\nx\n{root}\n")),
            ("a short root", "a\n1\nAAAA\n".to_owned()),
            ("no last line feed", format!("a\n1\n{root}")),
            ("an empty line", format!("a\n1\n{root}\n\n")),
        ];
        for (name, text) in rows {
            assert!(text.parse::<Checkpoint>().is_err(), "{name}");
        }
    }

    #[test]
    fn many_in_one_file() {
        let all: Vec<SignedNote> = [1, 2, 30].map(note).into();
        let text: String = all.iter().map(|note| format!("{note}\n")).collect();
        assert_eq!(notes(&text), Ok((all.clone(), false)));
        assert_eq!(notes(""), Ok((Vec::new(), false)));
        assert_eq!(
            notes(text.trim_end()).unwrap(),
            (all[..2].to_vec(), true),
            "cut in the last line"
        );
        assert_eq!(
            notes(&text[..text.len() - 120]).unwrap(),
            (all[..2].to_vec(), true),
            "cut in the text"
        );
        assert!(
            notes(&text.replace("\n2\n", "\n2\n\n")).is_err(),
            "damaged in the middle"
        );
        let lines: String = all.iter().map(|note| format!("{}\n", one_line(note))).collect();
        assert_eq!(lines.lines().count(), 3);
        assert_eq!(notes(&unfold(&lines)), Ok((all.clone(), false)));
        assert_eq!(notes(&unfold(&text)), Ok((all, false)));
    }
}
