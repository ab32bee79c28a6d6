//! Why an encoding was refused, and where.

use crate::dns::DnsNameError;

/// An encoding was refused: what is wrong with it, and at which byte of the input.
///
/// Text formats (PEM, RFC 3339, distinguished names as text) count bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub what: Flaw,
    /// Offset of the offending element from the start of the input.
    pub offset: usize,
}

impl DecodeError {
    /// A refusal at a known offset.
    pub const fn new(what: Flaw, offset: usize) -> Self {
        Self { what, offset }
    }

    /// The same refusal, for an element that starts at `base` of a larger input.
    #[must_use]
    pub const fn shifted(self, base: usize) -> Self {
        Self {
            what: self.what,
            offset: self.offset.saturating_add(base),
        }
    }
}

/// The reasons for refusing an encoding; the text names the element that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The input ends inside an element.
    #[error("element runs past the end of its container")]
    Truncated,
    /// Bytes follow the end of the element.
    #[error("trailing bytes after {0}")]
    Trailing(&'static str),
    /// A length uses the indefinite form, which DER forbids.
    #[error("indefinite length")]
    IndefiniteLength,
    /// A length is not encoded in the shortest form, or uses more than four octets.
    #[error("length is not minimal or too large")]
    BadLength,
    /// A tag is of the multi-octet form or a universal type in the wrong primitive/constructed form.
    #[error("unsupported tag {0:#04x}")]
    BadTag(u8),
    /// Another element stands where this one is required.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The element has the right type and an impossible content.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// The input or an element is larger than is accepted.
    #[error("{0} too large")]
    TooLarge(&'static str),
    /// There are more elements of a kind than are accepted.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Elements are nested more deeply than is accepted.
    #[error("nested too deeply")]
    TooDeep,
    /// An element that may occur once occurs twice.
    #[error("duplicate {0}")]
    Duplicate(&'static str),
    /// The point of an elliptic-curve key is not on its curve.
    #[error("public key point is not on the curve")]
    PointNotOnCurve,
    /// A DNS name is not acceptable.
    #[error("DNS name refused: {0}")]
    DnsName(#[from] DnsNameError),
}

impl Flaw {
    /// This flaw at the given offset.
    pub(crate) const fn at(self, offset: usize) -> DecodeError {
        DecodeError::new(self, offset)
    }
}

/// A decoding failure inside a stored record.
pub(crate) fn invalid_record(error: impl std::error::Error + Send + Sync + 'static) -> borsh::io::Error {
    borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error)
}
