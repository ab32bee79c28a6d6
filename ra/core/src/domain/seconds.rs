//! Durations in signed bytes: whole seconds.

use borsh::{BorshDeserialize, BorshSerialize};
use std::time::Duration;

pub(super) fn write<W: borsh::io::Write>(value: &Duration, writer: &mut W) -> borsh::io::Result<()> {
    value.as_secs().serialize(writer)
}

pub(super) fn read<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Duration> {
    u64::deserialize_reader(reader).map(Duration::from_secs)
}
