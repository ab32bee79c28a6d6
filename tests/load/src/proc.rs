//! What a process and its children have used, from `/proc`.

use std::collections::BTreeMap;

/// Linux counts processor time in hundredths of a second towards programs, whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process with everything below it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time, user and system, of children that have ended too.
    pub(crate) cpu_seconds: f64,
    /// Resident memory.
    pub(crate) rss_kib: u64,
    /// The sum of the processes' peaks of resident memory.
    pub(crate) rss_peak_kib: u64,
}

struct Process {
    parent: u32,
    ticks: u64,
}

/// The usage of a process and all its living descendants; `None` when there is no such process.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let all = processes();
    all.get(&pid)?;
    let mut sum = Usage::default();
    for member in family(pid, &all) {
        let Some(process) = all.get(&member) else { continue };
        #[allow(
            clippy::cast_precision_loss,
            reason = "ticks of one process stay far below 2^52"
        )]
        let ticks = process.ticks as f64;
        sum.cpu_seconds += ticks / TICKS_PER_SECOND;
        sum.rss_kib += status(member, "VmRSS:").unwrap_or(0);
        sum.rss_peak_kib += status(member, "VmHWM:").unwrap_or(0);
    }
    Some(sum)
}

fn family(root: u32, all: &BTreeMap<u32, Process>) -> Vec<u32> {
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(
            all.iter()
                .filter(|(_, process)| process.parent == member)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    family
}

fn processes() -> BTreeMap<u32, Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            Some((
                pid,
                parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?,
            ))
        })
        .collect()
}

/// The fields after the name in brackets, which may itself hold spaces and brackets.
fn parse_stat(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        ticks,
    })
}

fn status(pid: u32, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let line = "77 (a) b (c) S 5 77 77 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 99";
        let process = parse_stat(line).unwrap();
        assert_eq!((process.parent, process.ticks), (5, 100));
        assert!(parse_stat("77 no brackets").is_none());
    }

    #[test]
    fn this_process_and_its_children_are_seen() {
        let before = usage(std::process::id()).unwrap();
        assert!(before.rss_kib > 0 && before.rss_peak_kib >= before.rss_kib);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(std::process::id(), &processes());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(family.contains(&child.id()));
        assert_eq!(usage(child.id()), None, "gone");
    }
}
