//! Frames: how messages lie on the socket.
//!
//! `length (4) || id (8) || last (1) || part of a message`, numbers big-endian; the length counts everything after
//! itself. A message larger than one frame goes in several frames of the same id, with frames of other messages
//! between them.

use std::collections::HashMap;

/// Largest frame, length field not counted.
pub(crate) const FRAME_LENGTH_MAX: usize = 256 * 1024;
/// Id and last flag.
const PREFIX_LENGTH: usize = 9;
/// Most message octets in one frame.
pub(crate) const PART_LENGTH_MAX: usize = FRAME_LENGTH_MAX - PREFIX_LENGTH;
/// Largest message: a revocation list of two million entries.
pub(crate) const MESSAGE_LENGTH_MAX: usize = 96 * 1024 * 1024;
/// Most messages of several frames at a time.
pub(crate) const LARGE_MESSAGES_MAX: usize = 2;

/// The peer does not keep to the form. The connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A frame is too short or too long.
    #[error("frame of {0} octets")]
    FrameLength(usize),
    /// A message is too long.
    #[error("message of more than {MESSAGE_LENGTH_MAX} octets")]
    MessageLength,
    /// Too many large messages at once.
    #[error("more than {LARGE_MESSAGES_MAX} unfinished messages")]
    TooManyParts,
}

/// One frame, ready to be written; `last` ends the message.
pub(crate) fn encode(id: u64, last: bool, part: &[u8]) -> Vec<u8> {
    let length = u32::try_from(part.len() + PREFIX_LENGTH).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(part.len() + PREFIX_LENGTH + 4);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&id.to_be_bytes());
    out.push(u8::from(last));
    out.extend_from_slice(part);
    out
}

/// A whole message in one frame; for the small ones.
pub(crate) fn encode_small(id: u64, message: &[u8]) -> Vec<u8> {
    encode(id, true, message)
}

/// Checks the length field.
pub(crate) fn frame_length(field: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(field)).unwrap_or(usize::MAX);
    if (PREFIX_LENGTH..=FRAME_LENGTH_MAX).contains(&length) {
        Ok(length)
    } else {
        Err(FrameError::FrameLength(length))
    }
}

/// Puts messages together again.
#[derive(Default)]
pub(crate) struct Assembler {
    unfinished: HashMap<u64, Vec<u8>>,
}

impl Assembler {
    /// Takes a frame without its length field; gives the message that it ends.
    pub(crate) fn push(&mut self, frame: &[u8]) -> Result<Option<(u64, Vec<u8>)>, FrameError> {
        let bad = FrameError::FrameLength(frame.len());
        let Some((id, rest)) = frame.split_first_chunk::<8>() else {
            return Err(bad);
        };
        let Some((last, part)) = rest.split_first() else {
            return Err(bad);
        };
        let id = u64::from_be_bytes(*id);
        let mut message = self.unfinished.remove(&id).unwrap_or_default();
        if message.len() + part.len() > MESSAGE_LENGTH_MAX {
            return Err(FrameError::MessageLength);
        }
        message.extend_from_slice(part);
        if *last == 1 {
            return Ok(Some((id, message)));
        }
        if self.unfinished.len() >= LARGE_MESSAGES_MAX {
            return Err(FrameError::TooManyParts);
        }
        self.unfinished.insert(id, message);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(id: u64, message: &[u8], part: usize) -> Vec<Vec<u8>> {
        let count = message.len().div_ceil(part).max(1);
        (0..count)
            .map(|n| {
                let end = (n * part + part).min(message.len());
                encode(id, n + 1 == count, &message[n * part..end])
            })
            .collect()
    }

    #[test]
    fn limits() {
        let rows = [
            (8, false),
            (9, true),
            (FRAME_LENGTH_MAX, true),
            (FRAME_LENGTH_MAX + 1, false),
        ];
        for (length, accepted) in rows {
            let field = u32::try_from(length).expect("length").to_be_bytes();
            assert_eq!(frame_length(field).is_ok(), accepted, "{length}");
        }
        let mut assembler = Assembler::default();
        for id in 0..2 {
            assert!(matches!(assembler.push(&encode(id, false, b"x")[4..]), Ok(None)));
        }
        assert!(matches!(
            assembler.push(&encode(2, false, b"x")[4..]),
            Err(FrameError::TooManyParts)
        ));
        let mut assembler = Assembler::default();
        let part = vec![0; PART_LENGTH_MAX];
        let frame = encode(1, false, &part);
        let most = MESSAGE_LENGTH_MAX / PART_LENGTH_MAX;
        for _ in 0..most {
            assert!(assembler.push(&frame[4..]).is_ok());
        }
        assert!(matches!(
            assembler.push(&frame[4..]),
            Err(FrameError::MessageLength)
        ));
    }

    proptest! {
        #[test]
        fn interleaved_messages_come_back(first in prop::collection::vec(any::<u8>(), 0..300),
                                          second in prop::collection::vec(any::<u8>(), 0..300),
                                          part in 1_usize..100) {
            let (one, two) = (frames(1, &first, part), frames(2, &second, part));
            let mut assembler = Assembler::default();
            let mut done = Vec::new();
            for n in 0..one.len().max(two.len()) {
                for frame in [one.get(n), two.get(n)].into_iter().flatten() {
                    let length = frame_length(frame[..4].try_into().expect("4")).expect("length");
                    prop_assert_eq!(length, frame.len() - 4);
                    done.extend(assembler.push(&frame[4..]).expect("frame"));
                }
            }
            done.sort();
            prop_assert_eq!(done, vec![(1, first), (2, second)]);
        }

        #[test]
        fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = Assembler::default().push(&bytes);
        }
    }
}
