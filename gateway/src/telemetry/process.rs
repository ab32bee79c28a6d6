//! What a process uses, from `/proc`.

use std::path::PathBuf;

/// CPU time and memory of one process.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct ProcessUsage {
    /// Seconds of CPU, user and system together.
    pub cpu_seconds: f64,
    /// Octets of resident memory.
    pub resident_bytes: u64,
}

impl ProcessUsage {
    /// Of this process.
    pub fn own() -> Option<Self> {
        Self::read("self")
    }

    /// Of the process with this id.
    pub fn of(pid: u32) -> Option<Self> {
        Self::read(&pid.to_string())
    }

    fn read(name: &str) -> Option<Self> {
        let file = |leaf: &str| std::fs::read_to_string(PathBuf::from("/proc").join(name).join(leaf)).ok();
        let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        Self::parse(&file("stat")?, &file("statm")?, (ticks, page))
    }

    fn parse(stat: &str, statm: &str, (ticks, page): (u32, u64)) -> Option<Self> {
        // The command name is in parentheses and may hold spaces: fields count from the last one. utime and
        // stime are fields 14 and 15 of the whole line, so 12 and 13 after the name.
        let (_, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_ascii_whitespace().skip(11);
        let user: u32 = fields.next()?.parse().ok()?;
        let system: u32 = fields.next()?.parse().ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(Self {
            cpu_seconds: (f64::from(user) + f64::from(system)) / f64::from(ticks.max(1)),
            resident_bytes: pages.saturating_mul(page),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_fields_behind_the_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 1000000 500 0";
        let usage = ProcessUsage::parse(stat, "2000 512 300 1 0 400 0", (100, 4096)).unwrap();
        assert_eq!(
            usage,
            ProcessUsage {
                cpu_seconds: 3.0,
                resident_bytes: 512 * 4096
            }
        );
        assert_eq!(ProcessUsage::parse("garbage", "1 2", (100, 4096)), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(ProcessUsage::own().unwrap().resident_bytes > 0);
        assert_eq!(ProcessUsage::of(u32::MAX), None);
    }
}
