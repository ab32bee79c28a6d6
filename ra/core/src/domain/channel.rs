//! The channel a request came through, and what of it a client may bind its request to.

use borsh::{BorshDeserialize, BorshSerialize};

/// The version of a TLS channel.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ChannelVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// A TLS channel, as its listener knows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Channel {
    /// The version agreed on.
    pub version: ChannelVersion,
    /// Whether the listener refuses connections without the extended master secret (RFC 7627). Without it a value of
    /// TLS 1.2 does not name one channel alone.
    pub extended_master_secret: bool,
    /// The keying material of RFC 9266, when it was exported.
    pub exporter: Option<[u8; 32]>,
}

impl Channel {
    /// The value that names this channel and no other (RFC 9266 sections 2 and 3), if there is one.
    pub fn binding(&self) -> Option<&[u8; 32]> {
        let sound = match self.version {
            ChannelVersion::Tls13 => true,
            ChannelVersion::Tls12 => self.extended_master_secret,
        };
        self.exporter.as_ref().filter(|_| sound)
    }
}

/// Why what a client says about the channel does not hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum BindingRejection {
    /// It must say something and does not.
    #[error(
        "the request must be linked to its TLS channel: put the tls-exporter value (RFC 9266) into challengePassword"
    )]
    Missing,
    /// It names another channel, or none at all.
    #[error("challengePassword is not the tls-exporter value (RFC 9266) of this TLS channel")]
    Wrong,
    /// It is the value of another kind of binding.
    #[error("tls-unique linking is not supported; use tls-exporter (RFC 9266) or enrol without linking")]
    TlsUnique,
    /// No value names this channel alone: TLS 1.2 without the extended master secret, or no TLS.
    #[error("a request cannot be linked to this channel: use TLS 1.3")]
    NoBinding,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_one_channel() {
        use ChannelVersion::{Tls12, Tls13};
        let value = Some([7; 32]);
        let rows = [
            ("TLS 1.3", Tls13, false, value, true),
            ("TLS 1.2 with an extended master secret", Tls12, true, value, true),
            ("TLS 1.2", Tls12, false, value, false),
            ("nothing was exported", Tls13, true, None, false),
        ];
        for (name, version, extended_master_secret, exporter, expected) in rows {
            let channel = Channel {
                version,
                extended_master_secret,
                exporter,
            };
            assert_eq!(channel.binding().is_some(), expected, "{name}");
        }
    }
}
