//! `portreeve profile diff`.

use std::path::Path;

use portreeve_policies::{Change, Direction, compare};
use portreeve_ra::ObjectKind;
use serde::Serialize;

use super::super::{CliError, Exit, Surroundings, Table, plain};

#[derive(Debug, Serialize)]
struct Difference {
    /// Whether any change widens: then publishing it is a matter of approval.
    widens: bool,
    changes: Vec<Changed>,
}

#[derive(Debug, Serialize)]
struct Changed {
    path: String,
    old: Option<String>,
    new: Option<String>,
    direction: &'static str,
}

impl From<Change> for Changed {
    fn from(change: Change) -> Self {
        Self {
            path: change.path,
            old: change.old,
            new: change.new,
            direction: change.direction.as_str(),
        }
    }
}

pub(super) fn run(old: &Path, new: &Path, around: &Surroundings) -> Result<Exit, CliError> {
    let (old, new) = (super::text(old)?, super::text(new)?);
    let changes =
        compare(ObjectKind::Profile, &old, &new).map_err(|error| CliError::Failed(error.to_string()))?;
    let difference = Difference {
        widens: changes.iter().any(|change| change.direction == Direction::Widens),
        changes: changes.into_iter().map(Changed::from).collect(),
    };
    around.output.show(&difference, |difference| {
        let mut table = Table::new(["KEY", "OLD", "NEW", "DIRECTION"]);
        for change in &difference.changes {
            let value = |value: &Option<String>| plain(value.as_deref().unwrap_or("-"));
            table.row([
                plain(&change.path),
                value(&change.old),
                value(&change.new),
                change.direction.to_owned(),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}
