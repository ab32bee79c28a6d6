//! What is said about a text before it is in force.

use std::fmt;

/// Something that whoever puts a text in force should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// A stable word.
    pub code: &'static str,
    /// Whether the text must not be in force as it is.
    pub blocks: bool,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// Why it is right here, where the text says so.
    pub reason: Option<String>,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.blocks { "blocks" } else { "warning" };
        write!(f, "{} ({weight}): {}", self.code, self.text)?;
        match &self.reason {
            Some(reason) => write!(f, " (accepted: {reason})"),
            None => write!(f, ". {}", self.remedy),
        }
    }
}
