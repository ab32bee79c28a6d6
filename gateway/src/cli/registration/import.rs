//! `portreeve registration import`: a CSV file, with a verdict per line.

use std::collections::BTreeSet;
use std::path::Path;

use portreeve_console::{RegistrationBody, RegistrationVerdict, RegistrationView};
use serde::Serialize;

use super::time;
use crate::cli::csv::{BYTES_MAX, Row, rows};
use crate::cli::{CliError, Exit, Output, Table, Tone, beginning, plain};
use crate::control::{ClientError, ControlClient, Done};

const COLUMNS: [&str; 12] = [
    "name",
    "names",
    "any_name",
    "wildcards",
    "vouched",
    "profiles",
    "endpoints",
    "team",
    "owner",
    "certificates_max",
    "over_limit",
    "until",
];

/// What became, or would become, of one line.
#[derive(Debug, Serialize)]
struct Verdict {
    line: usize,
    name: String,
    verdict: String,
    refused: bool,
}

/// Checks every line; when all pass, and it is no dry run, creates them.
pub(super) async fn run(
    client: &ControlClient,
    (file, dry_run, reason): (&Path, bool, &str),
    output: Output,
) -> Result<Exit, CliError> {
    let bodies = read(file, reason)?;
    let mut verdicts = Vec::with_capacity(bodies.len());
    let mut seen = BTreeSet::new();
    for (line, body) in &bodies {
        let verdict = match body {
            Err(why) => Err(why.clone()),
            Ok(body) if !seen.insert(body.name.clone()) => {
                Err("the name stands in an earlier line as well".to_owned())
            }
            Ok(body) => checked(client, body).await?,
        };
        let name = body.as_ref().map(|body| body.name.clone()).unwrap_or_default();
        verdicts.push(of(*line, name, verdict));
    }
    if !dry_run && verdicts.iter().all(|verdict| !verdict.refused) {
        verdicts = create(client, &bodies).await?;
    }
    output.show(&verdicts, |verdicts| table(verdicts, output))?;
    let refused = verdicts.iter().any(|verdict| verdict.refused);
    Ok(if refused { Exit::Failed } else { Exit::Fine })
}

type Bodies = Vec<(usize, Result<RegistrationBody, String>)>;

async fn create(client: &ControlClient, bodies: &Bodies) -> Result<Vec<Verdict>, CliError> {
    let mut verdicts = Vec::with_capacity(bodies.len());
    for (line, body) in bodies {
        let Ok(body) = body else { continue };
        let created = client
            .ask::<RegistrationView>("/api/v1/registrations", body)
            .await;
        let verdict = outcome(created.map(|done| match done {
            Done::Now(_) => "created".to_owned(),
            Done::Waits(proposal) => format!("waits for approval {}", proposal.id),
        }))?;
        verdicts.push(of(*line, body.name.clone(), verdict));
    }
    Ok(verdicts)
}

async fn checked(
    client: &ControlClient,
    body: &RegistrationBody,
) -> Result<Result<String, String>, CliError> {
    let path = "/api/v1/registrations?dry_run=true";
    outcome(
        client
            .post::<RegistrationVerdict>(path, body)
            .await
            .map(|found| found.verdict),
    )
}

/// What the gateway refuses is a verdict; that it cannot be asked is not.
fn outcome(answer: Result<String, ClientError>) -> Result<Result<String, String>, CliError> {
    match answer {
        Ok(verdict) => Ok(Ok(verdict)),
        Err(ClientError::Problem(problem)) if problem.status < 500 => Ok(Err(problem.detail)),
        Err(error) => Err(error.into()),
    }
}

fn of(line: usize, name: String, verdict: Result<String, String>) -> Verdict {
    let refused = verdict.is_err();
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(why) => format!("refused: {why}"),
    };
    Verdict {
        line,
        name,
        verdict,
        refused,
    }
}

fn read(file: &Path, reason: &str) -> Result<Bodies, CliError> {
    let failed = |source| CliError::File {
        path: file.to_owned(),
        source,
    };
    let content = |reason: String| CliError::Content {
        path: file.to_owned(),
        reason,
    };
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if size > BYTES_MAX {
        return Err(content(format!("longer than {BYTES_MAX} octets")));
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let mut rows = rows(&text)
        .map_err(|error| content(error.to_string()))?
        .into_iter();
    let columns = rows.next().ok_or_else(|| content("is empty".to_owned()))?.fields;
    let columns: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
    if let Some(unknown) = columns.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        let known = COLUMNS.join(", ");
        return Err(content(format!(
            "no column {:?}; there are {known}",
            plain(unknown)
        )));
    }
    let distinct: BTreeSet<&String> = columns.iter().collect();
    if distinct.len() < columns.len() || !columns.iter().any(|name| name == "name") {
        return Err(content("each column once, and name among them".to_owned()));
    }
    Ok(rows.map(|row| (row.line, body(&columns, &row, reason))).collect())
}

fn body(columns: &[String], row: &Row, reason: &str) -> Result<RegistrationBody, String> {
    if row.fields.len() != columns.len() {
        return Err(format!(
            "{} fields in place of {}",
            row.fields.len(),
            columns.len()
        ));
    }
    let mut body = RegistrationBody {
        reason: reason.to_owned(),
        ..RegistrationBody::default()
    };
    for (column, field) in columns.iter().zip(&row.fields) {
        let field = field.trim();
        let list = || field.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let some = || (!field.is_empty()).then(|| field.to_owned());
        match column.as_str() {
            "name" => body.name = field.to_owned(),
            "names" => body.names = list(),
            "any_name" => body.any_name = flag(column, field)?,
            "wildcards" => body.wildcards = flag(column, field)?,
            "vouched" => body.vouched = flag(column, field)?,
            "profiles" => body.profiles = list(),
            "endpoints" => body.endpoints = list(),
            "team" => body.team = some(),
            "owner" => body.owner = some(),
            "over_limit" => body.over_limit = some(),
            "certificates_max" => {
                let number = some().map(|text| text.parse().map_err(|_| format!("{column}: no number")));
                body.certificates_max = number.transpose()?;
            }
            _ => {
                let at = some().map(|text| time(&text).map_err(|error| format!("{column}: {error}")));
                body.until = at.transpose()?;
            }
        }
    }
    Ok(body)
}

fn flag(column: &str, field: &str) -> Result<bool, String> {
    match field.to_lowercase().as_str() {
        "" | "no" | "false" | "0" => Ok(false),
        "yes" | "true" | "1" => Ok(true),
        _ => Err(format!("{column}: yes or no")),
    }
}

fn table(verdicts: &[Verdict], output: Output) -> Table {
    let mut table = Table::new(["LINE", "NAME", "VERDICT"]);
    for one in verdicts {
        let tone = if one.refused { Tone::Bad } else { Tone::Good };
        table.row([
            one.line.to_string(),
            beginning(&one.name),
            output.tone(&plain(&one.verdict), tone),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Result<Bodies, CliError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in.csv");
        std::fs::write(&file, text).unwrap();
        read(&file, "why")
    }

    #[test]
    fn lines_become_registrations() {
        let text = "name,names,vouched,team,certificates_max,until\n\
                    web-1,\"a.example .b.example\",yes,web,2,2030-01-31T00:00:00Z\n\
                    web-2,,,,,\n\
                    web-3,c.example,perhaps,,,\n\
                    web-4,c.example,,,many,\n\
                    web-5\n";
        let bodies = bodies(text).unwrap();
        let first = bodies[0].1.as_ref().unwrap();
        assert_eq!((first.name.as_str(), first.vouched), ("web-1", true));
        assert_eq!(first.names, ["a.example", ".b.example"]);
        assert_eq!(
            (first.certificates_max, first.team.as_deref()),
            (Some(2), Some("web"))
        );
        let second = bodies[1].1.as_ref().unwrap();
        assert_eq!((second.team.as_deref(), second.until), (None, None));
        let wrong: Vec<_> = bodies[2..]
            .iter()
            .map(|(line, body)| (*line, body.clone().unwrap_err()))
            .collect();
        assert_eq!(wrong[0], (4, "vouched: yes or no".to_owned()));
        assert_eq!(wrong[1], (5, "certificates_max: no number".to_owned()));
        assert_eq!(wrong[2], (6, "1 fields in place of 6".to_owned()));
    }

    #[test]
    fn files_that_say_nothing_clear() {
        for (case, text) in [
            ("empty", ""),
            ("unknown column", "name,colour\n"),
            ("a column twice", "name,name\n"),
            ("no name", "names\n"),
            ("a quote without end", "name\n\"a\n"),
        ] {
            assert!(bodies(text).is_err(), "{case}");
        }
    }
}
