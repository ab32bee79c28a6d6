//! What commands print: tables for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

/// The form of what is printed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Where commands print to.
#[derive(Copy, Clone, Debug)]
pub struct Output {
    format: Format,
    colours: bool,
}

/// How a word is shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// All is well.
    Good,
    /// Look at this.
    Warning,
    /// This is wrong.
    Bad,
}

impl Output {
    /// In this form; colours only on a terminal, and not when `NO_COLOR` is set.
    pub fn new(format: Format) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            format,
            colours: wanted && io::stdout().is_terminal(),
        }
    }

    /// The form.
    pub const fn format(self) -> Format {
        self.format
    }

    /// Prints a value: the table for people, else the value itself as JSON.
    pub fn show<T: Serialize>(self, value: &T, table: impl FnOnce(&T) -> Table) -> io::Result<()> {
        match self.format {
            Format::Table => self.text(&table(value).render()),
            Format::Json => self.json(value),
        }
    }

    /// Prints one thing: name and value of each of its fields for people, else the value itself as JSON.
    pub fn fields<T: Serialize>(
        self,
        value: &T,
        fields: impl FnOnce(&T) -> Vec<(&'static str, String)>,
    ) -> io::Result<()> {
        match self.format {
            Format::Table => self.text(&aligned(&fields(value))),
            Format::Json => self.json(value),
        }
    }

    /// Prints a value as JSON.
    pub fn json<T: Serialize>(self, value: &T) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)?;
        out.flush()
    }

    /// Prints text as it is. What others have written must have been through `plain` before.
    pub fn text(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            writeln!(out)?;
        }
        out.flush()
    }

    /// A word in its tone.
    pub fn tone(self, word: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good if self.colours => "32",
            Tone::Warning if self.colours => "33",
            Tone::Bad if self.colours => "31",
            _ => return word.to_owned(),
        };
        format!("\u{1b}[{code}m{word}\u{1b}[0m")
    }
}

/// Name and value of each field on a line of its own, the values below each other.
pub(super) fn aligned(fields: &[(&'static str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| {
        let line = format!("{name:<width$}  {value}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// Text that others have written, such as the subject of a request, so that it can be printed: what would move the cursor,
/// begin a line, turn the direction of writing or be invisible is shown as an escape.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, line and paragraph separators, and characters of format (Unicode category Cf) that hide or reorder.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The beginning of a text that others have written and that may be long, for a column of a table; `show` has all of it.
pub(super) fn beginning(text: &str) -> String {
    /// Characters of a cell, at most.
    const SHOWN_MAX: usize = 60;
    let text = plain(text);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Rows of text in columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these column titles.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self {
            head: head.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The table as text, each column as wide as its widest cell.
    pub fn render(&self) -> String {
        if self.rows.is_empty() {
            return "nothing found\n".to_owned();
        }
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                lines()
                    .filter_map(|line| line.get(column))
                    .map(|cell| shown_width(cell))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for line in lines() {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(
                    ' ',
                    width.saturating_sub(shown_width(cell)) + 2,
                ));
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Characters without colour codes.
fn shown_width(cell: &str) -> usize {
    let mut width = 0;
    let mut characters = cell.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            let _ = characters.by_ref().find(|next| *next == 'm');
        } else {
            width += 1;
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_pretend_to_be_more() {
        let rows = [
            ("plain", "O=Müller & Söhne, CN=例え", "O=Müller & Söhne, CN=例え"),
            ("a terminal's commands", "a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            (
                "another line",
                "no\ndecision   host:root approve",
                "no\\u{a}decision   host:root approve",
            ),
            ("the other direction", "x\u{202e}gnp", "x\\u{202e}gnp"),
            ("invisible", "pay\u{200b}pal", "pay\\u{200b}pal"),
            ("8-bit control", "a\u{9b}31m", "a\\u{9b}31m"),
        ];
        for (name, text, shown) in rows {
            assert_eq!(plain(text), shown, "{name}");
        }
    }

    #[test]
    fn values_stand_below_each_other() {
        let fields = [
            ("id", "1".to_owned()),
            ("granted by", "2".to_owned()),
            ("team", String::new()),
        ];
        assert_eq!(aligned(&fields), "id          1\ngranted by  2\nteam\n");
        assert_eq!(aligned(&[]), "");
    }

    #[test]
    fn cells_are_bounded() {
        assert_eq!(beginning("a.test b.test"), "a.test b.test");
        let long = beginning(&"ä".repeat(61));
        assert_eq!(long.chars().count(), 61);
        assert!(long.ends_with('…'));
        assert_eq!(beginning(&"ä".repeat(60)).chars().count(), 60);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["id", "state"]);
        table.row(["1".into(), "\u{1b}[32missued\u{1b}[0m".into()]);
        table.row(["22222".into(), "ok".into()]);
        assert_eq!(
            table.render(),
            "id     state\n1      \u{1b}[32missued\u{1b}[0m\n22222  ok\n"
        );
        assert_eq!(Table::new(["id"]).render(), "nothing found\n");
    }
}
