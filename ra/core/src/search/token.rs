//! Tokens of the language, each with its place.

use super::expression::Operator;

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// A word without quotes: a field, a value, `and`, `or`, `not`, `in`.
    Word(String),
    /// Text in quotes.
    Quoted(String),
    /// A comparison.
    Operator(Operator),
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
}

impl Token {
    /// What it is, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => word.chars().take(64).collect(),
            Self::Quoted(_) => "text in quotes".to_owned(),
            Self::Operator(operator) => operator.as_str().to_owned(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Comma => ",".to_owned(),
        }
    }
}

/// What is no token, and where it begins.
pub(super) struct NoToken {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// Whether a value needs no quotes.
pub(super) fn is_bare(text: &str) -> bool {
    const RESERVED: [&str; 4] = ["and", "or", "not", "in"];
    !text.is_empty()
        && text.chars().all(is_of_word)
        && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "._-:/*@+".contains(c)
}

/// The tokens of a query, each with the octet it begins at.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, NoToken> {
    let mut found = Vec::new();
    let mut rest = source.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let followed = |rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
            rest.next_if(|(_, next)| *next == '=').is_some()
        };
        let token = match c {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '=' => Token::Operator(Operator::Equal),
            '~' => Token::Operator(Operator::Contains),
            '<' if followed(&mut rest) => Token::Operator(Operator::AtMost),
            '<' => Token::Operator(Operator::Less),
            '>' if followed(&mut rest) => Token::Operator(Operator::AtLeast),
            '>' => Token::Operator(Operator::More),
            '!' if followed(&mut rest) => Token::Operator(Operator::Unequal),
            '"' => Token::Quoted(quoted(&mut rest).map_err(|expected| NoToken { at, expected })?),
            c if is_of_word(c) => {
                let mut word = String::from(c);
                while let Some((_, next)) = rest.next_if(|(_, next)| is_of_word(*next)) {
                    word.push(next);
                }
                Token::Word(word)
            }
            _ => {
                let expected = "a word, text in quotes, an operator or a parenthesis";
                return Err(NoToken { at, expected });
            }
        };
        found.push((at, token));
    }
    Ok(found)
}

/// Text up to the closing quote; `\"` and `\\` stand for themselves.
fn quoted(rest: &mut impl Iterator<Item = (usize, char)>) -> Result<String, &'static str> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some((_, '"')) => return Ok(text),
            Some((_, '\\')) => match rest.next() {
                Some((_, c @ ('"' | '\\'))) => text.push(c),
                _ => return Err("\\\" or \\\\ after a backslash in quotes"),
            },
            Some((_, c)) if c.is_control() => return Err("no control characters in quotes"),
            Some((_, c)) => text.push(c),
            None => return Err("a closing quote"),
        }
    }
}
