//! Values laid over the file: `PORTREEVE__SECTION__KEY=VALUE` and `--set section.key=VALUE`.

use std::fmt;
use std::str::FromStr;

/// What begins the name of a variable that overrides a key.
const PREFIX: &str = "PORTREEVE__";

/// One value for one key, with where it came from.
#[derive(Clone, PartialEq)]
pub struct Override {
    path: Vec<String>,
    value: toml::Value,
    origin: String,
}

/// Why a value cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// There is no `=`, or a part of the key is empty.
    #[error("{0} is not KEY=VALUE with a dotted key, such as telemetry.log_format=json")]
    Form(String),
    /// A part of the key that should be a table is a value.
    #[error("{origin}: {part} is not a table")]
    NotATable {
        /// Where the value came from.
        origin: String,
        /// The part.
        part: String,
    },
}

impl Override {
    /// The overrides among these variables, in the order of their names.
    pub fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<Self>, OverrideError> {
        let mut found: Vec<(String, String)> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        found.sort();
        found
            .into_iter()
            .map(|(name, text)| {
                let key = name.strip_prefix(PREFIX).unwrap_or(&name).to_ascii_lowercase();
                let path: Vec<String> = key.split("__").map(str::to_owned).collect();
                Self::new(path, &text, name)
            })
            .collect()
    }

    fn new(path: Vec<String>, text: &str, origin: String) -> Result<Self, OverrideError> {
        if path.iter().any(String::is_empty) {
            return Err(OverrideError::Form(origin));
        }
        Ok(Self {
            path,
            value: value_of(text),
            origin,
        })
    }

    /// Text for a key, as an option of the command line other than `--set` gives it.
    pub fn text(key: &str, value: &str, option: &str) -> Self {
        Self {
            path: key.split('.').map(str::to_owned).collect(),
            value: toml::Value::String(value.to_owned()),
            origin: option.to_owned(),
        }
    }

    /// The key, part by part.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The value.
    pub fn value(&self) -> &toml::Value {
        &self.value
    }

    /// The same value under the key without its first parts.
    pub fn without_prefix(&self, parts: usize) -> Self {
        Self {
            path: self.path.get(parts..).unwrap_or_default().to_vec(),
            value: self.value.clone(),
            origin: self.origin.clone(),
        }
    }

    /// Writes the value into the table, creating tables on the way.
    pub fn place(&self, table: &mut toml::Table) -> Result<(), OverrideError> {
        let Some((last, parents)) = self.path.split_last() else {
            return Err(OverrideError::Form(self.origin.clone()));
        };
        let mut at = table;
        for part in parents {
            let entry = at
                .entry(part.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let toml::Value::Table(inner) = entry else {
                return Err(OverrideError::NotATable {
                    origin: self.origin.clone(),
                    part: part.clone(),
                });
            };
            at = inner;
        }
        at.insert(last.clone(), self.value.clone());
        Ok(())
    }
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| OverrideError::Form(text.to_owned()))?;
        let path = key.trim().split('.').map(|part| part.trim().to_owned()).collect();
        Self::new(path, value.trim(), format!("--set {}", key.trim()))
    }
}

/// Like `Display`: the value may be a secret.
impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// The text as a TOML value, or as a string when it is none.
fn value_of(text: &str) -> toml::Value {
    let line = format!("value = {text}");
    match toml::from_str::<toml::Table>(&line) {
        Ok(mut table) if table.len() == 1 => table
            .remove("value")
            .unwrap_or_else(|| toml::Value::String(text.to_owned())),
        _ => toml::Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(overrides: &[Override]) -> toml::Table {
        let mut table = toml::Table::new();
        overrides.iter().for_each(|one| one.place(&mut table).unwrap());
        table
    }

    #[test]
    fn values_are_toml_or_else_text() {
        let rows = [
            ("a number", "a.b=3", "[a]\nb = 3\n"),
            ("a boolean", "a=true", "a = true\n"),
            ("text", "a=https://x.test", "a = \"https://x.test\"\n"),
            ("quoted text", "a=\"3\"", "a = \"3\"\n"),
            (
                "a table",
                "keyset.kek={ file = \"k\" }",
                "[keyset.kek]\nfile = \"k\"\n",
            ),
            ("a list", "a=[1, 2]", "a = [1, 2]\n"),
            ("two lines are text", "a=1\nb = 2", "a = \"1\\nb = 2\"\n"),
            ("an equals sign in the value", "a=b=c", "a = \"b=c\"\n"),
            ("empty", "a=", "a = \"\"\n"),
        ];
        for (name, text, expected) in rows {
            let table = placed(&[text.parse().unwrap()]);
            assert_eq!(table, toml::from_str::<toml::Table>(expected).unwrap(), "{name}");
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        for text in ["a", "=1", "a..b=1", ".a=1", ""] {
            assert!(text.parse::<Override>().is_err(), "{text}");
        }
        let mut table = toml::from_str::<toml::Table>("a = 1").unwrap();
        let into_value: Override = "a.b=2".parse().unwrap();
        assert!(matches!(
            into_value.place(&mut table),
            Err(OverrideError::NotATable { .. })
        ));
    }

    #[test]
    fn the_environment_names_keys_and_files() {
        let variables = [
            ("PORTREEVE__TELEMETRY__LOG_FORMAT", "json"),
            ("PORTREEVE__KEYSET__KEK__FILE", "/run/secrets/kek"),
            ("PORTREEVE_FAILPOINT", "intent-after"),
            ("HOME", "/root"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let table = placed(&Override::from_environment(variables).unwrap());
        let expected = "[telemetry]\nlog_format = \"json\"\n[keyset.kek]\nfile = \"/run/secrets/kek\"\n";
        assert_eq!(table, toml::from_str::<toml::Table>(expected).unwrap());
    }
}
