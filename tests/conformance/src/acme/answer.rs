//! An answer, and what can be demanded of it.

use serde_json::Value;

use super::transport::Received;

const URN: &str = "urn:ietf:params:acme:error:";

/// An answer of one directory.
#[derive(Debug, Clone)]
pub struct Answer {
    received: Received,
    /// The URL of the directory, which every other resource must link to.
    index: String,
}

impl Answer {
    pub(super) fn new(received: Received, index: &str) -> Self {
        Self {
            received,
            index: index.to_owned(),
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.received.status
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.received.header(name)
    }

    /// The body as octets.
    pub fn body(&self) -> &[u8] {
        &self.received.body
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// `Replay-Nonce`.
    pub fn nonce(&self) -> Option<&str> {
        self.header("replay-nonce")
    }

    /// `Location`, which must be there.
    #[track_caller]
    pub fn location(&self) -> String {
        self.header("location")
            .unwrap_or_else(|| panic!("no Location: {self}"))
            .to_owned()
    }

    /// `Retry-After` in seconds, which must be there.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let text = self
            .header("retry-after")
            .unwrap_or_else(|| panic!("no Retry-After: {self}"));
        text.parse()
            .unwrap_or_else(|_| panic!("Retry-After is {text:?}: {self}"))
    }

    /// The targets of all links with this relation (RFC 8288).
    pub fn links(&self, relation: &str) -> Vec<String> {
        let wanted = format!("rel=\"{relation}\"");
        let fields = self.received.headers.iter().filter(|(name, _)| name == "link");
        let links = fields.flat_map(|(_, value)| value.split(", "));
        let target = |link: &str| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            parameters
                .split(';')
                .any(|parameter| parameter.trim() == wanted)
                .then(|| target.to_owned())
        };
        links.filter_map(target).collect()
    }

    /// Demands a success with this status and a JSON object; gives the object.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        self.is_of_type(status, "application/json");
        self.json()
    }

    /// Demands a success with this status and content type.
    #[track_caller]
    pub fn is_of_type(&self, status: u16, content_type: &str) {
        assert_eq!(self.status(), status, "status: {self}");
        assert_eq!(
            self.header("content-type"),
            Some(content_type),
            "content type: {self}"
        );
        self.has_common_headers();
    }

    /// Demands a success with this status and without a body.
    #[track_caller]
    pub fn is_empty(&self, status: u16) {
        assert_eq!(self.status(), status, "status: {self}");
        assert!(self.body().is_empty(), "a body: {self}");
        self.has_common_headers();
    }

    /// Demands a problem document with this status and type; gives the document.
    #[track_caller]
    pub fn is_problem(&self, status: u16, kind: &str) -> Value {
        let types: Vec<&str> = vec![kind];
        self.is_problem_of(status, &types)
    }

    /// Demands a problem document with this status and one of these types; gives the document.
    #[track_caller]
    pub fn is_problem_of(&self, status: u16, kinds: &[&str]) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "content type: {self}"
        );
        let problem = self.json();
        let kind = problem["type"]
            .as_str()
            .and_then(|kind| kind.strip_prefix(URN))
            .unwrap_or_default();
        assert!(
            self.status() == status && kinds.contains(&kind),
            "not {status} {kinds:?}: {self}"
        );
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "no detail: {self}");
        assert!(
            problem.get("status").is_none_or(|found| *found == status),
            "status in the document: {self}"
        );
        self.has_common_headers();
        problem
    }

    /// What all answers of a directory have, but the directory itself.
    #[track_caller]
    fn has_common_headers(&self) {
        assert!(self.nonce().is_some(), "no Replay-Nonce: {self}");
        assert_eq!(
            self.links("index"),
            [self.index.as_str()],
            "Link rel=index: {self}"
        );
        assert_eq!(
            self.header("access-control-allow-origin"),
            Some("*"),
            "CORS: {self}"
        );
        assert_eq!(
            self.header("cache-control"),
            Some("no-store"),
            "Cache-Control: {self}"
        );
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status())?;
        for (name, value) in &self.received.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "{}", String::from_utf8_lossy(self.body()))
    }
}

/// The type of a problem that stands inside an object, such as the error of a challenge.
#[track_caller]
pub fn problem_type(problem: &Value) -> &str {
    let kind = problem["type"].as_str().and_then(|kind| kind.strip_prefix(URN));
    kind.unwrap_or_else(|| panic!("not an ACME problem: {problem}"))
}
