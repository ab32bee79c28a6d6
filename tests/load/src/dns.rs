//! A DNS server for validation: 127.0.0.1 for every A question, no records of any other type.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::error::LoadError;

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const TTL_SECONDS: u32 = 1;
const MESSAGE_BYTES_MAX: usize = 1_500;

/// Answers on 127.0.0.1 until the runtime ends; returns where.
pub(crate) async fn serve(port: u16) -> Result<SocketAddr, LoadError> {
    let fail = |source| LoadError::Network {
        what: "the DNS server",
        source,
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(fail)?;
    let address = socket.local_addr().map_err(fail)?;
    tokio::spawn(async move {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        while let Ok((length, client)) = socket.recv_from(&mut message).await {
            if let Some(answer) = message.get(..length).and_then(answer) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    Ok(address)
}

/// The answer to a message with one question; anything else stays unanswered.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let header = query.get(..HEADER_BYTES)?;
    let (id, flags) = (header.get(..2)?, u16_at(header, 2)?);
    if flags & 0x8000 != 0 || u16_at(header, 4)? != 1 {
        return None;
    }
    let end = question_end(query)?;
    let kind = u16_at(query, end - 4)?;
    let class = u16_at(query, end - 2)?;
    let has_address = kind == TYPE_A && class == CLASS_IN;

    let mut answer = id.to_vec();
    // A response, authoritative, recursion as asked for and available.
    let flags = 0x8480 | (flags & 0x0100);
    for field in [flags, 1, u16::from(has_address), 0, 0] {
        answer.extend(field.to_be_bytes());
    }
    answer.extend(query.get(HEADER_BYTES..end)?);
    if has_address {
        answer.extend([0xc0, 0x0c]);
        answer.extend(TYPE_A.to_be_bytes());
        answer.extend(CLASS_IN.to_be_bytes());
        answer.extend(TTL_SECONDS.to_be_bytes());
        answer.extend(4_u16.to_be_bytes());
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}

/// Where the question ends: after the labels, the root label, type and class.
fn question_end(query: &[u8]) -> Option<usize> {
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => at += length,
            _ => return None,
        }
    }
    (at + 4 <= query.len()).then_some(at + 4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.as_bytes());
        }
        message.push(0);
        message.extend(kind.to_be_bytes());
        message.extend(CLASS_IN.to_be_bytes());
        message
    }

    #[test]
    fn an_address_is_answered_and_other_types_have_no_records() {
        let asked = query("n1.load.test", TYPE_A);
        let answered = answer(&asked).unwrap();
        assert_eq!(answered[..2], [0xab, 0xcd]);
        assert_eq!(answered[2..4], [0x85, 0x80]);
        assert_eq!(u16_at(&answered, 6), Some(1));
        assert!(answered.ends_with(&[0, 4, 127, 0, 0, 1]));
        for (name, kind) in [("AAAA", 28), ("TXT", 16), ("CAA", 257)] {
            let answered = answer(&query("n1.load.test", kind)).unwrap();
            assert_eq!(u16_at(&answered, 6), Some(0), "{name}");
        }
    }

    #[test]
    fn what_is_no_question_stays_unanswered() {
        let whole = query("n1.load.test", TYPE_A);
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]), None, "{length} bytes");
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert_eq!(answer(&response), None, "a response");
        let mut compressed = whole;
        compressed[HEADER_BYTES] = 0xc0;
        assert_eq!(answer(&compressed), None, "a compressed question");
    }
}
