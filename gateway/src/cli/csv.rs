//! Reading CSV (RFC 4180): quoted fields, quotes doubled inside them, lines ended by LF or CRLF.

/// Rows of one file, at most.
pub(super) const ROWS_MAX: usize = 10_000;

/// Octets of one file, at most.
pub(super) const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a text is not CSV.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CsvError {
    /// A quote that nothing ends.
    #[error("line {0}: a quoted field has no end")]
    Unended(usize),
    /// Something stands between a quote and the comma after it.
    #[error("line {0}: text after a quoted field")]
    AfterQuote(usize),
    /// Too many rows.
    #[error("more than {ROWS_MAX} rows")]
    Rows,
}

/// One row: the line it begins in, from 1, and its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) fields: Vec<String>,
}

/// The rows of a text; empty lines are left out.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, CsvError> {
    let mut rows = Vec::new();
    let mut reader = Reader {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable(),
        line: 1,
    };
    while reader.rest.peek().is_some() {
        let line = reader.line;
        let fields = reader.row()?;
        if fields.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        if rows.len() >= ROWS_MAX {
            return Err(CsvError::Rows);
        }
        rows.push(Row { line, fields });
    }
    Ok(rows)
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn row(&mut self) -> Result<Vec<String>, CsvError> {
        let mut fields = Vec::new();
        loop {
            let quoted = self.rest.peek() == Some(&'"');
            fields.push(if quoted { self.quoted()? } else { self.plain() });
            match self.rest.next() {
                Some(',') => {}
                Some('\r') => {
                    let _ = self.rest.next_if_eq(&'\n');
                    self.line += 1;
                    return Ok(fields);
                }
                Some('\n') => {
                    self.line += 1;
                    return Ok(fields);
                }
                None => return Ok(fields),
                Some(_) => return Err(CsvError::AfterQuote(self.line)),
            }
        }
    }

    fn plain(&mut self) -> String {
        let mut field = String::new();
        while let Some(character) = self.rest.next_if(|next| !matches!(next, ',' | '\r' | '\n')) {
            field.push(character);
        }
        field
    }

    fn quoted(&mut self) -> Result<String, CsvError> {
        let began = self.line;
        let mut field = String::new();
        self.rest.next();
        loop {
            match self.rest.next() {
                Some('"') if self.rest.next_if_eq(&'"').is_some() => field.push('"'),
                Some('"') => return Ok(field),
                Some(character) => {
                    self.line += usize::from(character == '\n');
                    field.push(character);
                }
                None => return Err(CsvError::Unended(began)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Vec<String>)> {
        let rows = rows(text).unwrap();
        rows.into_iter().map(|row| (row.line, row.fields)).collect()
    }

    #[test]
    fn reads_rows() {
        let row = |line, fields: &[&str]| (line, fields.iter().map(|field| (*field).to_owned()).collect());
        let cases = [
            (
                "plain",
                "a,b\nc,d\n",
                vec![row(1, &["a", "b"]), row(2, &["c", "d"])],
            ),
            ("without a last line end", "a,b", vec![row(1, &["a", "b"])]),
            (
                "CRLF and a byte order mark",
                "\u{feff}a,b\r\nc,d\r\n",
                vec![row(1, &["a", "b"]), row(2, &["c", "d"])],
            ),
            ("empty fields", "a,,\n", vec![row(1, &["a", "", ""])]),
            (
                "empty lines",
                "a\n\n , \nb\n",
                vec![row(1, &["a"]), row(4, &["b"])],
            ),
            (
                "quoted",
                "\"a,b\",\"c \"\"d\"\"\"\n",
                vec![row(1, &["a,b", "c \"d\""])],
            ),
            (
                "lines in quotes",
                "\"a\nb\",c\nd\n",
                vec![row(1, &["a\nb", "c"]), row(3, &["d"])],
            ),
            ("nothing", "", vec![]),
        ];
        for (case, text, expected) in cases {
            assert_eq!(read(text), expected, "{case}");
        }
    }

    #[test]
    fn says_where_it_is_wrong() {
        assert_eq!(rows("a\n\"b"), Err(CsvError::Unended(2)));
        assert_eq!(rows("\"a\"b,c"), Err(CsvError::AfterQuote(1)));
        assert_eq!(rows(&"a\n".repeat(ROWS_MAX + 1)), Err(CsvError::Rows));
    }
}
