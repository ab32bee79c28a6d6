//! EST with nothing but curl and OpenSSL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Certificate, openssl};
use crate::error::HarnessError;
use crate::process::{Gateway, attempt};

const LIMIT: Duration = Duration::from_secs(120);

/// One user of curl with a folder of its own, for one EST endpoint.
#[derive(Debug)]
pub struct CurlEst {
    folder: PathBuf,
    url: String,
    tls_root: PathBuf,
    user: String,
    /// Options of every call, such as `--tlsv1.3`.
    pub options: Vec<String>,
}

/// What came back.
#[derive(Debug)]
pub struct CurlAnswer {
    /// The status.
    pub status: u16,
    /// The header as received, of the last answer.
    pub header: String,
    /// The body.
    pub body: String,
    /// What `-v` said.
    pub trace: String,
}

impl CurlEst {
    /// For the endpoint with this label; everything is kept below `folder`.
    ///
    /// # Errors
    /// When the gateway does not tell its URL.
    pub fn new((gateway, label): (&Gateway, &str), folder: &Path) -> Result<Self, HarnessError> {
        std::fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        let (name, password) = (
            gateway.dev_text("/est/username")?,
            gateway.dev_text("/est/password")?,
        );
        Ok(Self {
            folder: folder.to_path_buf(),
            url: format!("{}/{label}", gateway.dev_text("/est/url")?),
            tls_root: gateway.tls_root()?,
            user: format!("{name}:{password}"),
            options: Vec::new(),
        })
    }

    /// A path in its folder as text.
    pub fn text(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// The name and password of `dev`, as curl takes them.
    pub fn user(&self) -> [&str; 2] {
        ["-u", &self.user]
    }

    /// Calls an operation.
    ///
    /// # Errors
    /// When curl cannot be run, or gets no answer.
    pub fn call(&self, operation: &str, arguments: &[&str]) -> Result<CurlAnswer, HarnessError> {
        let (head, body) = (self.folder.join("head"), self.folder.join("body"));
        let mut command = Command::new("curl");
        command
            .args(["-sS", "-v", "-w", "%{http_code}", "--cacert"])
            .arg(&self.tls_root)
            .arg("-D")
            .arg(&head)
            .arg("-o")
            .arg(&body)
            .args(&self.options)
            .args(arguments)
            .arg(format!("{}/{operation}", self.url));
        let finished = attempt(&mut command, LIMIT)?.success()?;
        let read = |path: &Path| {
            let octets = std::fs::read(path).map_err(HarnessError::file(path))?;
            Ok::<_, HarnessError>(String::from_utf8_lossy(&octets).into_owned())
        };
        let header = read(&head)?;
        // With several answers on one call the last one counts.
        let last = header.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
        Ok(CurlAnswer {
            status: finished.stdout.trim().parse().unwrap_or_default(),
            header: last.to_owned(),
            body: read(&body)?,
            trace: finished.stderr,
        })
    }

    /// Posts a file as a request.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn post(&self, operation: &str, file: &str, arguments: &[&str]) -> Result<CurlAnswer, HarnessError> {
        let data = format!("@{}", self.text(file));
        let posting = ["-H", "Content-Type: application/pkcs10", "--data-binary", &data];
        self.call(operation, &[&posting, arguments].concat())
    }

    /// A key of this kind (as `openssl req -newkey` takes it) in `NAME.key` and a request in `NAME.b64`, in one line, and
    /// in `NAME.64`, in lines of 64 characters.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn request(
        &self,
        name: &str,
        kind: &[&str],
        (subject, san): (&str, &str),
    ) -> Result<(), HarnessError> {
        let (key, der) = (
            self.text(&format!("{name}.key")),
            self.text(&format!("{name}.der")),
        );
        let san = format!("subjectAltName={san}");
        let making = ["req", "-new", "-nodes", "-keyout", &key, "-subj", subject];
        let writing = ["-addext", &san, "-outform", "DER", "-out", &der];
        openssl(&[&making, kind, &writing].concat())?;
        let one = openssl(&["base64", "-A", "-in", &der])?;
        let lines = openssl(&["base64", "-in", &der])?;
        let write = |name: String, text: &str| {
            let path = self.folder.join(name);
            std::fs::write(&path, text).map_err(HarnessError::file(&path))
        };
        write(format!("{name}.b64"), &one)?;
        write(format!("{name}.64"), &lines)
    }

    /// Keeps the certificates in a body (base64 of a certs-only message) in `NAME.pem`.
    ///
    /// # Errors
    /// When OpenSSL cannot read them.
    pub fn keep(&self, body: &str, name: &str) -> Result<Certificate, HarnessError> {
        let (text, der) = (self.folder.join("p7.b64"), self.text("p7.der"));
        let one: String = body.split_ascii_whitespace().collect();
        std::fs::write(&text, one).map_err(HarnessError::file(&text))?;
        openssl(&["base64", "-d", "-A", "-in", &text.to_string_lossy(), "-out", &der])?;
        let pem = self.text(&format!("{name}.pem"));
        openssl(&[
            "pkcs7",
            "-inform",
            "DER",
            "-in",
            &der,
            "-print_certs",
            "-out",
            &pem,
        ])?;
        Certificate::read(Path::new(&pem))
    }
}
