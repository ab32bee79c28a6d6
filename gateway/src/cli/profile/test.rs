//! `portreeve profile test`.

use std::path::Path;

use portreeve_console::{TrialBody, TrialView};

use super::super::object::{Resource, told};
use super::super::{CliError, Exit, Format, Surroundings, Table, plain};

pub(super) async fn run(
    resource: &Resource,
    (name, csr): (&str, &Path),
    (version, endpoint): (Option<u32>, Option<String>),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let body = TrialBody {
        csr: super::text(csr)?,
        version,
        endpoint,
    };
    let path = format!("{}/test", resource.of(name)?);
    let tried: TrialView = resource.client.post(&path, &body).await?;
    match around.output.format() {
        Format::Json => around.output.json(&tried)?,
        Format::Table => around.output.text(&shown(&tried))?,
    }
    Ok(match tried.verdict.as_str() {
        "refuse" => Exit::Failed,
        _ => Exit::Fine,
    })
}

fn shown(tried: &TrialView) -> String {
    let mut table = Table::new(["RULE", "OUTCOME", "WHY"]);
    for finding in &tried.findings {
        table.row([
            finding.rule.clone(),
            finding.outcome.clone(),
            plain(&finding.text),
        ]);
    }
    let mut text = format!(
        "subject  {}\nnames    {}\nkey      {}\n\n{}\nverdict  {}\n",
        plain(&tried.subject),
        plain(&tried.names.join(", ")),
        tried.key,
        table.render(),
        tried.verdict
    );
    if let Some(refusal) = &tried.refusal {
        text.push_str(&format!("refusal  {}\n", plain(refusal)));
    }
    for remark in &tried.remarks {
        text.push_str(&format!("{}\n", told(remark)));
    }
    text
}
