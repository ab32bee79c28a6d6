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

    /// Prints a value as JSON.
    pub fn json<T: Serialize>(self, value: &T) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)?;
        out.flush()
    }

    /// Prints text as it is.
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
