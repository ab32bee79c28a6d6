//! A strict, zero-copy DER reader, the scan that runs before it, and writers for the shapes PKIX needs.
//!
//! Only definite, minimal lengths and single-octet tags are accepted, which covers every structure of RFC 2986 and
//! RFC 5280. Nothing here recurses.

use crate::error::{DecodeError, Flaw};
use crate::oid::Oid;

/// Identifier octets used by PKIX structures.
pub mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// UTF8String.
    pub const UTF8_STRING: u8 = 0x0c;
    /// PrintableString.
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// TeletexString.
    pub const TELETEX_STRING: u8 = 0x14;
    /// IA5String.
    pub const IA5_STRING: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// UniversalString.
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    /// BMPString.
    pub const BMP_STRING: u8 = 0x1e;
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;
    /// SET and SET OF.
    pub const SET: u8 = 0x31;

    /// A primitive context-specific tag, `[number]` IMPLICIT over a primitive type.
    pub const fn context(number: u8) -> u8 {
        0x80 | (number & 0x1f)
    }

    /// A constructed context-specific tag.
    pub const fn context_constructed(number: u8) -> u8 {
        0xa0 | (number & 0x1f)
    }
}

/// Bounds for [`prescan`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest input in bytes.
    pub bytes: usize,
    /// Deepest nesting; at most [`DEPTH_MAX`].
    pub depth: usize,
    /// Most elements, containers included.
    pub elements: usize,
}

/// Nesting beyond this is refused whatever the limits say.
pub const DEPTH_MAX: usize = 32;

/// Walks the whole input once and refuses what no strict DER reader would accept, or what exceeds the limits.
///
/// The input must be one element without trailing bytes. The contents of primitive elements are not looked into. Time
/// is linear in the input, memory is constant.
pub fn prescan(input: &[u8], limits: Limits) -> Result<(), DecodeError> {
    if input.len() > limits.bytes {
        return Err(Flaw::TooLarge("input").at(limits.bytes));
    }
    let depth_max = limits.depth.min(DEPTH_MAX);
    let mut ends: Vec<usize> = Vec::with_capacity(depth_max);
    let mut end = input.len();
    let mut at = 0;
    let mut elements = 0_usize;
    loop {
        let header = Header::read(input.get(at..end).unwrap_or_default(), at)?;
        elements += 1;
        if elements > limits.elements {
            return Err(Flaw::TooMany("elements").at(at));
        }
        let content_end = at + header.length + header.content;
        if ends.is_empty() && content_end != end {
            return Err(Flaw::Trailing("the outermost element").at(content_end));
        }
        at += header.length;
        if header.is_constructed() {
            if ends.len() >= depth_max {
                return Err(Flaw::TooDeep.at(at));
            }
            ends.push(end);
            end = content_end;
        } else {
            at = content_end;
            if ends.is_empty() {
                return Ok(());
            }
        }
        while at == end {
            match ends.pop() {
                Some(outer) if !ends.is_empty() => end = outer,
                _ => return Ok(()),
            }
        }
    }
}

/// One element: tag, content, and the bytes of the whole.
#[derive(Copy, Clone, Debug)]
pub struct Tlv<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// Identifier, length and content as received.
    pub whole: &'a [u8],
    /// The content octets.
    pub content: &'a [u8],
    /// Offset of the element in the original input.
    pub offset: usize,
}

impl<'a> Tlv<'a> {
    /// Reads the elements inside this one.
    pub fn reader(&self) -> Reader<'a> {
        Reader {
            rest: self.content,
            offset: self.content_offset(),
        }
    }

    /// Offset of the first content octet in the original input.
    pub fn content_offset(&self) -> usize {
        self.offset + self.whole.len().saturating_sub(self.content.len())
    }

    /// A refusal that points at this element.
    pub fn refuse(&self, what: Flaw) -> DecodeError {
        what.at(self.offset)
    }
}

/// Reads elements one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            offset: 0,
        }
    }

    /// Offset of the next element in the original input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Result<Tlv<'a>, DecodeError> {
        let header = Header::read(self.rest, self.offset)?;
        let truncated = Flaw::Truncated.at(self.offset);
        let (whole, rest) = self
            .rest
            .split_at_checked(header.length + header.content)
            .ok_or_else(|| truncated.clone())?;
        let content = whole.get(header.length..).ok_or(truncated)?;
        let tlv = Tlv {
            tag: header.tag,
            whole,
            content,
            offset: self.offset,
        };
        self.rest = rest;
        self.offset += whole.len();
        Ok(tlv)
    }

    /// The next element, which must have this tag; `what` names it in the refusal.
    pub fn expect(&mut self, tag: u8, what: &'static str) -> Result<Tlv<'a>, DecodeError> {
        self.optional(tag)?
            .ok_or_else(|| Flaw::Expected(what).at(self.offset))
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, DecodeError> {
        if self.rest.first() == Some(&tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Enters a SEQUENCE.
    pub fn sequence(&mut self, what: &'static str) -> Result<Reader<'a>, DecodeError> {
        Ok(self.expect(tag::SEQUENCE, what)?.reader())
    }

    /// The next element, which must be an OBJECT IDENTIFIER.
    pub fn oid(&mut self, what: &'static str) -> Result<Oid, DecodeError> {
        let element = self.expect(tag::OID, what)?;
        Oid::from_der_content(element.content).map_err(|error| error.shifted(element.content_offset()))
    }

    /// Refuses if anything is left.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Flaw::Trailing(what).at(self.offset))
        }
    }
}

struct Header {
    tag: u8,
    /// Octets of identifier and length.
    length: usize,
    /// Octets of content.
    content: usize,
}

impl Header {
    fn read(input: &[u8], offset: usize) -> Result<Self, DecodeError> {
        let truncated = || Flaw::Truncated.at(offset);
        let (&tag, after_tag) = input.split_first().ok_or_else(truncated)?;
        check_tag(tag).map_err(|flaw| flaw.at(offset))?;
        let (&first, after_first) = after_tag.split_first().ok_or_else(truncated)?;
        let (content, length_octets) = match first {
            0..=0x7f => (usize::from(first), 0),
            0x80 => return Err(Flaw::IndefiniteLength.at(offset)),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let octets = after_first.get(..count).ok_or_else(truncated)?;
                let value = octets
                    .iter()
                    .fold(0_usize, |sum, octet| (sum << 8) | usize::from(*octet));
                let minimal = value > 0x7f && octets.first() != Some(&0);
                if !minimal {
                    return Err(Flaw::BadLength.at(offset));
                }
                (value, count)
            }
            _ => return Err(Flaw::BadLength.at(offset)),
        };
        let length = 2 + length_octets;
        if content > input.len().saturating_sub(length) {
            return Err(truncated());
        }
        Ok(Self { tag, length, content })
    }

    fn is_constructed(&self) -> bool {
        self.tag & 0x20 != 0
    }
}

/// Single-octet tags only; universal SEQUENCE and SET are constructed, every other universal type is primitive.
fn check_tag(tag: u8) -> Result<(), Flaw> {
    let universal = tag & 0xc0 == 0;
    let number = tag & 0x1f;
    let constructed = tag & 0x20 != 0;
    let is_container = matches!(number, 0x10 | 0x11);
    if number == 0x1f || tag == 0 || (universal && constructed != is_container) {
        return Err(Flaw::BadTag(tag));
    }
    Ok(())
}

/// One element with this tag and content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = header(tag, content.len());
    out.extend_from_slice(content);
    out
}

/// Identifier and length octets of an element whose content has this many octets.
pub fn header(tag: u8, content_length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(content_length.saturating_add(10));
    out.push(tag);
    match u8::try_from(content_length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let octets: Vec<u8> = content_length
                .to_be_bytes()
                .into_iter()
                .skip_while(|octet| *octet == 0)
                .collect();
            out.push(0x80 | (octets.len() as u8));
            out.extend_from_slice(&octets);
        }
    }
    out
}

/// One constructed element around parts that are encoded already.
pub fn constructed<P: AsRef<[u8]>>(tag: u8, parts: &[P]) -> Vec<u8> {
    let mut out = header(tag, parts.iter().map(|part| part.as_ref().len()).sum());
    for part in parts {
        out.extend_from_slice(part.as_ref());
    }
    out
}

/// A SEQUENCE of parts that are encoded already.
pub fn sequence<P: AsRef<[u8]>>(parts: &[P]) -> Vec<u8> {
    constructed(tag::SEQUENCE, parts)
}

/// A SET OF parts that are encoded already, in the order DER demands (X.690 section 11.6).
pub fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    constructed(tag::SET, &parts)
}

/// A non-negative INTEGER from big-endian octets; leading zeros are removed.
pub fn unsigned_integer(octets: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
    let pad = significant.first().is_none_or(|octet| octet & 0x80 != 0);
    let mut content = Vec::with_capacity(significant.len() + 1);
    if pad {
        content.push(0);
    }
    content.extend_from_slice(&significant);
    tlv(tag::INTEGER, &content)
}

/// A BIT STRING of whole octets.
pub fn bit_string(octets: &[u8]) -> Vec<u8> {
    constructed(tag::BIT_STRING, &[&[0_u8][..], octets])
}

/// An OCTET STRING.
pub fn octet_string(octets: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, octets)
}

/// A BOOLEAN.
pub fn boolean(value: bool) -> Vec<u8> {
    tlv(tag::BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// NULL.
pub fn null() -> Vec<u8> {
    tlv(tag::NULL, &[])
}

#[cfg(test)]
mod tests;
