//! From BER to DER, for the messages whose senders stream them.
//!
//! CMS writers may leave lengths open and cut octet strings in pieces (X.690 sections 8.1.3.6 and 8.7.3). Such input is
//! written again with definite, minimal lengths and whole octet strings, and then read by the one strict reader of
//! [`der`]. What is DER already comes back as it is, byte for byte, so that signatures over parts of it hold.

use std::borrow::Cow;

use crate::der::{self, Limits, tag};
use crate::error::{DecodeError, Flaw};

/// Constructed form of an OCTET STRING.
const OCTET_STRING_IN_PIECES: u8 = tag::OCTET_STRING | CONSTRUCTED;
const CONSTRUCTED: u8 = 0x20;
const INDEFINITE: u8 = 0x80;

/// The one element that the input is, in a form that [`der::prescan`] accepts.
///
/// Refused is what exceeds the limits, has multi-octet tags, ends before it is closed or goes on after it. Nothing here
/// recurses; time is linear in the input times the depth.
pub fn to_definite(input: &[u8], limits: Limits) -> Result<Cow<'_, [u8]>, DecodeError> {
    if input.len() > limits.bytes {
        return Err(Flaw::TooLarge("input").at(limits.bytes));
    }
    match der::prescan(input, limits) {
        Ok(()) => Ok(Cow::Borrowed(input)),
        Err(error) if is_about_form(&error.what) => Rewriter::new(input, limits).run().map(Cow::Owned),
        Err(error) => Err(error),
    }
}

/// Whether rewriting can help at all.
fn is_about_form(flaw: &Flaw) -> bool {
    matches!(
        flaw,
        Flaw::IndefiniteLength | Flaw::BadLength | Flaw::BadTag(OCTET_STRING_IN_PIECES)
    )
}

/// A constructed element that is not closed yet.
struct Open {
    tag: u8,
    /// Where its content ends; nothing when an end-of-contents element says so.
    end: Option<usize>,
    /// What is inside, rewritten.
    content: Vec<u8>,
}

struct Rewriter<'a> {
    input: &'a [u8],
    at: usize,
    limits: Limits,
    elements: usize,
    open: Vec<Open>,
}

impl<'a> Rewriter<'a> {
    fn new(input: &'a [u8], limits: Limits) -> Self {
        Self {
            input,
            at: 0,
            limits,
            elements: 0,
            open: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Vec<u8>, DecodeError> {
        loop {
            let closed = match self.open.last() {
                Some(Open { end: Some(end), .. }) if self.at == *end => true,
                Some(Open { end: None, .. }) if self.rest().starts_with(&[0, 0]) => {
                    self.at += 2;
                    true
                }
                _ => false,
            };
            let done = if closed { self.close()? } else { self.element()? };
            if let Some(whole) = done {
                return if self.at == self.input.len() {
                    Ok(whole)
                } else {
                    Err(Flaw::Trailing("the outermost element").at(self.at))
                };
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        let end = self.open.iter().rev().find_map(|open| open.end);
        self.input
            .get(self.at..end.unwrap_or(self.input.len()))
            .unwrap_or_default()
    }

    /// Reads one header; a primitive element whole. The outermost element when it was primitive.
    fn element(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        let offset = self.at;
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(Flaw::TooMany("elements").at(offset));
        }
        let rest = self.rest();
        let (tag, length, content) = header(rest).map_err(|flaw| flaw.at(offset))?;
        let constructed = tag & CONSTRUCTED != 0;
        if content.is_some_and(|content| content > rest.len().saturating_sub(length)) {
            return Err(Flaw::Truncated.at(offset));
        }
        self.at += length;
        if constructed {
            if self.open.len() >= self.limits.depth.min(der::DEPTH_MAX) {
                return Err(Flaw::TooDeep.at(offset));
            }
            self.open.push(Open {
                tag,
                end: content.map(|content| self.at + content),
                content: Vec::new(),
            });
            return Ok(None);
        }
        let Some(content) = content else {
            return Err(Flaw::IndefiniteLength.at(offset));
        };
        let octets = self.input.get(self.at..self.at + content).unwrap_or_default();
        self.at += content;
        self.put(tag, octets, offset)
    }

    /// Closes the innermost open element. The outermost element when it was that.
    fn close(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some(open) = self.open.pop() else {
            return Err(Flaw::Truncated.at(self.at));
        };
        let tag = match open.tag {
            OCTET_STRING_IN_PIECES => tag::OCTET_STRING,
            other => other,
        };
        self.put(tag, &open.content, self.at)
    }

    /// Puts an element into the one around it.
    fn put(&mut self, tag: u8, content: &[u8], offset: usize) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some(outer) = self.open.last_mut() else {
            return Ok(Some(der::tlv(tag, content)));
        };
        if outer.tag == OCTET_STRING_IN_PIECES {
            if tag != tag::OCTET_STRING {
                return Err(Flaw::Expected("octet string").at(offset));
            }
            outer.content.extend_from_slice(content);
        } else {
            outer.content.extend_from_slice(&der::header(tag, content.len()));
            outer.content.extend_from_slice(content);
        }
        Ok(None)
    }
}

/// Tag, octets of tag and length, and octets of content unless they are open-ended.
fn header(input: &[u8]) -> Result<(u8, usize, Option<usize>), Flaw> {
    let (tag, first, rest) = match input {
        [tag, first, rest @ ..] => (*tag, *first, rest),
        _ => return Err(Flaw::Truncated),
    };
    let universal = tag & 0xc0 == 0;
    let container = matches!(tag & 0x1f, 0x10 | 0x11);
    let constructed = tag & CONSTRUCTED != 0;
    let allowed = !universal || constructed == container || tag == OCTET_STRING_IN_PIECES;
    if tag & 0x1f == 0x1f || tag == 0 || !allowed {
        return Err(Flaw::BadTag(tag));
    }
    match first {
        INDEFINITE => Ok((tag, 2, None)),
        0..=0x7f => Ok((tag, 2, Some(usize::from(first)))),
        0x81..=0x88 => {
            let count = usize::from(first & 0x7f);
            let octets = rest.get(..count).ok_or(Flaw::Truncated)?;
            let length = octets
                .iter()
                .try_fold(0_usize, |sum, octet| {
                    sum.checked_mul(256)?.checked_add(usize::from(*octet))
                })
                .ok_or(Flaw::BadLength)?;
            Ok((tag, 2 + count, Some(length)))
        }
        _ => Err(Flaw::BadLength),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        bytes: 4096,
        depth: 8,
        elements: 100,
    };

    #[test]
    fn open_lengths_and_pieces_are_closed() {
        let rows: [(&str, &str, Result<&str, Flaw>); 16] = [
            ("DER stays", "30030101ff", Ok("30030101ff")),
            ("open sequence", "30800101ff0000", Ok("30030101ff")),
            ("pieces", "24800401aa0402bbcc0000", Ok("0403aabbcc")),
            ("pieces of known length", "24060401aa0401bb", Ok("0402aabb")),
            ("pieces in pieces", "248024030401aa0401bb0000", Ok("0402aabb")),
            ("no pieces", "24800000", Ok("0400")),
            ("long form of a short length", "3081030101ff", Ok("30030101ff")),
            ("open in open", "3080308000000000", Ok("30023000")),
            ("none closed", "30803080", Err(Flaw::Truncated)),
            ("context tag", "a0800401aa0000", Ok("a0030401aa")),
            ("never closed", "30800101ff", Err(Flaw::Truncated)),
            (
                "trailing",
                "3080000000",
                Err(Flaw::Trailing("the outermost element")),
            ),
            (
                "primitive without length",
                "0480aa0000",
                Err(Flaw::IndefiniteLength),
            ),
            (
                "another type among the pieces",
                "24800201010000",
                Err(Flaw::Expected("octet string")),
            ),
            ("long tag", "30801f81000000", Err(Flaw::BadTag(0x1f))),
            ("constructed integer", "30802200000000", Err(Flaw::BadTag(0x22))),
        ];
        for (name, input, expected) in rows {
            let bytes = hex::decode(input).expect(name);
            let got = to_definite(&bytes, LIMITS).map(|bytes| hex::encode(&bytes));
            assert_eq!(got.map_err(|e| e.what), expected.map(str::to_owned), "{name}");
        }
    }

    #[test]
    fn limits_hold_for_open_lengths() {
        let deep = [[0x30, 0x80].repeat(9), [0, 0].repeat(9)].concat();
        assert_eq!(to_definite(&deep, LIMITS).map_err(|e| e.what), Err(Flaw::TooDeep));
        let many = [vec![0x30, 0x80], [5, 0].repeat(100), vec![0, 0]].concat();
        let refused = to_definite(&many, LIMITS).map_err(|e| e.what);
        assert_eq!(refused, Err(Flaw::TooMany("elements")));
        let large = [vec![0x30, 0x80], vec![0; 4096]].concat();
        let refused = to_definite(&large, LIMITS).map_err(|e| e.what);
        assert_eq!(refused, Err(Flaw::TooLarge("input")));
    }

    proptest! {
        #[test]
        fn any_input_ends_in_der_or_a_refusal(
            input in prop::collection::vec(prop_oneof![Just(0_u8), Just(0x30), Just(0x80), Just(0x24), Just(4), any::<u8>()], 0..60),
        ) {
            if let Ok(bytes) = to_definite(&input, LIMITS) {
                prop_assert_eq!(der::prescan(&bytes, Limits { bytes: 8192, ..LIMITS }), Ok(()));
            }
        }
    }
}
