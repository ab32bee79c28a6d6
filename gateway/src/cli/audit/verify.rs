//! `portreeve audit verify`.

use std::fs::File;
use std::io::{BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use portreeve_audit::export::{record_signer, title, verify_export};
use portreeve_audit::{Report, Scope, SignedNote, VerifierKey, VerifyError, verify_log};
use serde::Serialize;

use super::super::{CliError, Exit, Format, Output, Table, Target, Tone, aligned, plain};
use super::stored::StoredLog;
use crate::audit::{is_of, read_checkpoints};

/// What is verified, and against what.
#[derive(Debug, Args)]
pub(super) struct Verification {
    /// Checkpoints that were kept elsewhere: a copy of the file of checkpoints, or lines of syslog. Given several times,
    /// each counts. The file of checkpoints of this installation counts in any case.
    #[arg(long, value_name = "FILE")]
    trusted: Vec<PathBuf>,
    /// The first leaf to look at, from 0.
    #[arg(long, value_name = "INDEX", conflicts_with = "export")]
    from: Option<u64>,
    /// The first leaf not to look at.
    #[arg(long, value_name = "INDEX", conflicts_with = "export")]
    to: Option<u64>,
    /// Goes through an export in place of the store.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// A public key of the log, as `audit key` prints it; without it an export is verified by the keys that it names itself.
    #[arg(long, value_name = "KEY")]
    key: Vec<VerifierKey>,
    /// Leaves out the signatures of single records, which takes most of the time. The tree still shows that they are the
    /// ones that were sealed.
    #[arg(long)]
    no_signatures: bool,
}

/// The report, with what only this command knows.
#[derive(Serialize)]
struct Shown {
    good: bool,
    seconds: f64,
    #[serde(flatten)]
    report: Report,
}

pub(super) async fn run(
    target: &Target,
    verification: Verification,
    output: Output,
) -> Result<Exit, CliError> {
    let begun = Instant::now();
    let mut told = Told::new("verified", output);
    let outcome = match &verification.export {
        Some(file) => exported(file, &verification, &mut told),
        None => stored(target, &verification, &mut told).await,
    };
    told.end();
    let report = outcome?;
    let shown = Shown {
        good: report.is_good(),
        seconds: begun.elapsed().as_secs_f64(),
        report,
    };
    match output.format() {
        Format::Json => output.json(&shown)?,
        Format::Table => output.text(&words(&shown, output))?,
    }
    Ok(if shown.good { Exit::Fine } else { Exit::Failed })
}

async fn stored(target: &Target, verification: &Verification, told: &mut Told) -> Result<Report, CliError> {
    let log = StoredLog::open(target).await?;
    let mut trusted = given(verification)?;
    let own = log.config.audit.checkpoint_file(log.config.data_dir());
    let found = read_checkpoints(&own).map_err(CliError::file(&own))?;
    trusted.extend(found.into_iter().filter(|note| is_of(note, &log.origin)));
    let keys = if verification.key.is_empty() {
        log.keys
    } else {
        verification.key.clone()
    };
    let range = match (verification.from, verification.to) {
        (None, None) => None,
        (from, to) => Some((from.unwrap_or(0), to.unwrap_or(u64::MAX))),
    };
    if range.is_some_and(|(from, to)| from >= to) {
        return Err(CliError::Usage("--from must be less than --to".to_owned()));
    }
    let scope = Scope {
        origin: log.origin,
        keys,
        trusted,
        range,
        signer: (!verification.no_signatures).then(|| Arc::clone(&log.keyset) as _),
    };
    let report = verify_log(log.database.log.as_ref(), &scope, |done, all| {
        told.tell(done, all)
    })
    .await;
    report.map_err(failed)
}

fn exported(file: &Path, verification: &Verification, told: &mut Told) -> Result<Report, CliError> {
    let open = || File::open(file).map(BufReader::new);
    let title = title(&mut open().map_err(CliError::file(file))?).map_err(failed)?;
    let keys = if verification.key.is_empty() {
        title.log_keys().map_err(failed)?
    } else {
        verification.key.clone()
    };
    let scope = Scope {
        origin: title.origin.clone(),
        keys,
        trusted: given(verification)?,
        range: None,
        signer: match verification.no_signatures {
            true => None,
            false => Some(record_signer(&title).map_err(failed)?),
        },
    };
    verify_export((&title, &scope), open, |done, all| told.tell(done, all)).map_err(failed)
}

/// The checkpoints in the files that were given; one without any is a mistake.
fn given(verification: &Verification) -> Result<Vec<SignedNote>, CliError> {
    let mut all = Vec::new();
    for path in &verification.trusted {
        let found = read_checkpoints(path).map_err(CliError::file(path))?;
        if found.is_empty() {
            let reason = "it holds no checkpoint".to_owned();
            return Err(CliError::Content {
                path: path.clone(),
                reason,
            });
        }
        all.extend(found);
    }
    Ok(all)
}

fn failed(error: VerifyError) -> CliError {
    CliError::Failed(error.to_string())
}

fn words(shown: &Shown, output: Output) -> String {
    let report = &shown.report;
    let verdict = match shown.good {
        true => output.tone("good", Tone::Good),
        false => output.tone(&format!("{} faults", report.faults_total), Tone::Bad),
    };
    let signatures = if report.signatures { "checked" } else { "left out" };
    let lines = [
        ("log", report.origin.clone()),
        ("verdict", verdict),
        (
            "records",
            format!(
                "{} looked at of {}, {} erased",
                report.records, report.size, report.erased
            ),
        ),
        ("root", report.root.clone()),
        ("signatures", signatures.to_owned()),
        (
            "checkpoints",
            format!("{} agree, over {} records", report.checkpoints, report.covered),
        ),
        ("trusted", format!("{} agree", report.trusted)),
        ("not sealed", report.unsealed.to_string()),
        ("took", format!("{:.1} s", shown.seconds)),
    ];
    let mut text = aligned(&lines);
    if report.faults.is_empty() {
        return text;
    }
    let mut table = Table::new(["FAULT", "AT", "RECORD", "DETAIL"]);
    for fault in &report.faults {
        let at = match fault.first == fault.last {
            true => fault.first.to_string(),
            false => format!("{} to {}", fault.first, fault.last),
        };
        table.row([
            output.tone(fault.what.as_str(), Tone::Bad),
            at,
            fault.record.as_deref().map(plain).unwrap_or_default(),
            plain(&fault.detail),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render());
    text
}

/// Tells people who wait how far it is, on the standard error stream.
pub(super) struct Told {
    word: &'static str,
    shown: bool,
    last: Instant,
    any: bool,
}

impl Told {
    /// Only a person at a terminal is told.
    pub(super) fn new(word: &'static str, output: Output) -> Self {
        let shown = output.format() == Format::Table && std::io::stderr().is_terminal();
        Self {
            word,
            shown,
            last: Instant::now(),
            any: false,
        }
    }

    /// So many of all are done.
    pub(super) fn tell(&mut self, done: u64, all: u64) {
        if self.shown && self.last.elapsed() > Duration::from_millis(500) {
            self.last = Instant::now();
            self.any = true;
            let _ = write!(
                std::io::stderr().lock(),
                "\r{} {done} of {all} records",
                self.word
            );
        }
    }

    /// Makes room for what comes next.
    pub(super) fn end(&self) {
        if self.any {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}
