//! Several certificates in one file.

use crate::der::{self, tag};

/// id-signedData and id-data (RFC 5652 sections 5.1 and 4), as whole elements.
const SIGNED_DATA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const DATA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

const SET: u8 = 0x31;

/// These certificates, each in DER, as a CMS SignedData without content and signers (RFC 5652 section 5.1): what `.p7b` files
/// hold. They come in the order of a DER set, which says nothing of who issued whom.
pub fn certificates(all: &[&[u8]]) -> Vec<u8> {
    let mut sorted: Vec<&[u8]> = all.to_vec();
    sorted.sort_unstable();
    let empty_set = der::tlv(SET, &[]);
    let signed_data = der::sequence(&[
        der::unsigned_integer(&[1]),
        empty_set.clone(),
        der::sequence(&[DATA.to_vec()]),
        der::constructed(tag::context_constructed(0), &sorted),
        empty_set,
    ]);
    let content = der::constructed(tag::context_constructed(0), &[signed_data]);
    der::sequence(&[SIGNED_DATA.to_vec(), content])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_lie_in_the_order_of_a_set() {
        let rows: [(&str, &[&[u8]], &str); 2] = [
            ("none", &[], "06092a864886f70d010702a0"),
            ("two", &[&[0x30, 1, 2], &[0x30, 1, 1]], "a006300101300102"),
        ];
        for (name, all, expected) in rows {
            let bundle = hex::encode(certificates(all));
            assert!(bundle.contains(expected), "{name}: {bundle}");
        }
    }
}
