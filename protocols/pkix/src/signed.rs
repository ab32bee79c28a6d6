//! The SIGNED form that certificates, requests and revocation lists share.

use std::ops::Range;

use crate::der::{self, Limits, Reader, Tlv, tag};
use crate::error::{DecodeError, Flaw};
use crate::oid::Oid;
use crate::signature::SignatureAlgorithm;

/// Puts what was signed, the algorithm and the signature together: `SEQUENCE { tbs, algorithm, BIT STRING }`.
///
/// The bytes of `tbs` go in as they are.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let algorithm = algorithm.algorithm_identifier_der();
    der::sequence(&[tbs, &algorithm, &der::bit_string(signature)])
}

/// The three parts of a SIGNED structure, as they lie in the input.
pub(crate) struct Signed<'a> {
    /// What is signed.
    pub(crate) tbs: Tlv<'a>,
    /// The AlgorithmIdentifier element.
    pub(crate) algorithm: Tlv<'a>,
    /// Its identifier.
    pub(crate) algorithm_oid: Oid,
    /// The signature octets.
    pub(crate) signature: Range<usize>,
}

impl<'a> Signed<'a> {
    /// Scans the whole input, then splits it.
    pub(crate) fn read(input: &'a [u8], limits: Limits, what: &'static str) -> Result<Self, DecodeError> {
        der::prescan(input, limits)?;
        let mut outer = Reader::new(input);
        let mut fields = outer.sequence(what)?;
        outer.finish(what)?;
        let tbs = fields.expect(tag::SEQUENCE, "signed content")?;
        let algorithm = fields.expect(tag::SEQUENCE, "signature algorithm")?;
        let bits = fields.expect(tag::BIT_STRING, "signature")?;
        fields.finish(what)?;
        let algorithm_oid = algorithm.reader().oid("signature algorithm")?;
        let Some((0, octets)) = bits.content.split_first() else {
            return Err(bits.refuse(Flaw::Invalid("signature")));
        };
        let start = bits.content_offset() + 1;
        Ok(Self {
            tbs,
            algorithm,
            algorithm_oid,
            signature: start..start + octets.len(),
        })
    }
}

/// Where an element lies in the input.
pub(crate) fn range(element: &Tlv<'_>) -> Range<usize> {
    element.offset..element.offset + element.whole.len()
}
