//! The options that every flow has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::error::LoadError;
use crate::prepare::{PREPARED_MAX, fresh_name};

/// As typed.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// `dev.json` of a gateway: gives URLs, roots and process id.
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// The root certificate of the gateway's HTTPS.
    #[arg(long, value_name = "PEM", required_unless_present = "dev")]
    root: Option<PathBuf>,
    /// The root certificate under which issued chains must verify; without it only their own links are checked.
    #[arg(long, value_name = "PEM")]
    ca_root: Option<PathBuf>,
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 8, value_name = "N")]
    clients: usize,
    /// Stop after this many certificates.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after this time.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// The gateway's process id, to measure what it uses.
    #[arg(long)]
    pid: Option<u32>,
    /// Names are `NAMEn.load.test`; without it a new NAME every time, so that nothing proven before is reused.
    #[arg(long)]
    name: Option<String>,
    /// Threads of this tool.
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// Report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// With everything filled in.
#[derive(Debug)]
pub(crate) struct RunOptions {
    /// The root of the gateway's HTTPS.
    pub(crate) tls_root: PathBuf,
    /// The root of what it issues.
    pub(crate) ca_root: Option<PathBuf>,
    /// Workers.
    pub(crate) clients: usize,
    /// The number of certificates after which it stops.
    pub(crate) count: u64,
    /// The time after which it stops.
    pub(crate) seconds: Option<Duration>,
    /// The gateway's process.
    pub(crate) pid: Option<u32>,
    /// What names begin with.
    pub(crate) name: String,
    /// Requests to make beforehand.
    pub(crate) prepared: u64,
    /// Threads of this tool.
    pub(crate) threads: usize,
}

impl RunArguments {
    /// Fills in what was left out; and what `dev.json` says to the flow. A run that is bounded by time only prepares so
    /// many requests per second of it, and makes later ones on the way.
    pub(crate) fn resolve(self, prepared_per_second: u64) -> Result<(RunOptions, Dev), LoadError> {
        let dev = Dev::read(self.dev.as_deref())?;
        if self.clients == 0 || self.threads == 0 {
            return Err(LoadError::Usage("--clients and --threads must not be 0"));
        }
        let count = match (self.count, self.seconds) {
            (Some(count), _) => count,
            (None, Some(_)) => u64::MAX,
            (None, None) => 1_000,
        };
        let expected = self.seconds.map_or(count, |seconds| {
            count.min(seconds.saturating_mul(prepared_per_second))
        });
        let options = RunOptions {
            tls_root: self
                .root
                .or_else(|| dev.text("/tls_root").map(PathBuf::from))
                .ok_or(LoadError::Usage("there is no root"))?,
            ca_root: self.ca_root.or_else(|| dev.text("/ca/root").map(PathBuf::from)),
            clients: self.clients,
            count,
            seconds: self.seconds.map(Duration::from_secs),
            pid: self.pid.or_else(|| dev.pid()),
            name: self.name.unwrap_or_else(fresh_name),
            prepared: expected.min(PREPARED_MAX),
            threads: self.threads,
        };
        Ok((options, dev))
    }
}

/// What `dev.json` says; nothing without one.
#[derive(Debug)]
pub(crate) struct Dev(Value);

impl Dev {
    fn read(path: Option<&Path>) -> Result<Self, LoadError> {
        let Some(path) = path else {
            return Ok(Self(Value::Null));
        };
        let bytes = std::fs::read(path).map_err(|source| LoadError::File {
            path: path.to_owned(),
            source,
        })?;
        let value = serde_json::from_slice(&bytes);
        value
            .map(Self)
            .map_err(|_| LoadError::Usage("--dev names no JSON document"))
    }

    /// The text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        self.0.pointer(pointer)?.as_str().map(str::to_owned)
    }

    fn pid(&self) -> Option<u32> {
        self.0.pointer("/pid")?.as_u64()?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        run: RunArguments,
    }

    fn resolved(arguments: &[&str]) -> Result<(RunOptions, Dev), LoadError> {
        let all = ["load"].iter().chain(arguments);
        Typed::try_parse_from(all).unwrap().run.resolve(10)
    }

    #[test]
    fn what_is_bounded_by_time_prepares_for_it() {
        let rows: [(&[&str], u64, u64); 4] = [
            (&[], 1_000, 1_000),
            (&["--count", "7"], 7, 7),
            (&["--seconds", "3"], u64::MAX, 30),
            (&["--seconds", "3", "--count", "7"], 7, 7),
        ];
        for (arguments, count, prepared) in rows {
            let all = [&["--root", "r.pem"], arguments].concat();
            let (options, _) = resolved(&all).unwrap();
            assert_eq!(
                (options.count, options.prepared),
                (count, prepared),
                "{arguments:?}"
            );
        }
        for zero in ["--clients", "--threads"] {
            let error = resolved(&["--root", "r.pem", zero, "0"]).unwrap_err();
            assert!(error.to_string().contains("must not be 0"), "{zero}: {error}");
        }
    }

    #[test]
    fn what_was_typed_counts_more_than_dev_json() {
        let file = std::env::temp_dir().join(format!("portreeve-load-{}.json", std::process::id()));
        let text = r#"{"pid": 7, "tls_root": "t.pem", "ca": {"root": "c.pem"}, "est": {"url": "https://e"}}"#;
        std::fs::write(&file, text).unwrap();
        let dev = ["--dev", file.to_str().unwrap()];
        let (options, known) = resolved(&dev).unwrap();
        let (typed, _) = resolved(&[&dev[..], &["--root", "r.pem", "--pid", "9"]].concat()).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(options.tls_root, Path::new("t.pem"));
        assert_eq!((options.pid, options.ca_root), (Some(7), Some("c.pem".into())));
        assert_eq!(known.text("/est/url").as_deref(), Some("https://e"));
        assert_eq!((typed.tls_root, typed.pid), ("r.pem".into(), Some(9)));
    }
}
