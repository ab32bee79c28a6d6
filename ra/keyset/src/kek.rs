//! Key encryption keys and where they come from.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use portreeve_ra::Purpose;
use portreeve_ra::ports::Random;
use zeroize::Zeroizing;

use crate::crypto::{KEY_LENGTH, Key, Root};
use crate::error::{KekError, KeysetError};

/// More than any written form of a key needs.
const FILE_LENGTH_MAX: u64 = 1024;
/// Read, write or execute by others, and write by the group.
const FORBIDDEN_MODE: u32 = 0o027;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Where a key encryption key is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KekSource {
    /// In a file: raw octets, hexadecimal or base64 text.
    File(PathBuf),
    /// In an environment variable: hexadecimal or base64 text.
    Environment(String),
}

/// A key encryption key: 32 octets that wrap the secrets of a keyset. Wiped on drop, never printed.
pub struct Kek {
    root: Root,
    check: String,
}

impl Kek {
    /// From its 32 octets.
    pub fn new(octets: &[u8; KEY_LENGTH]) -> Result<Self, KeysetError> {
        let root = Root::new(octets);
        let value = root.derive("check", &[]).map_err(|_| KeysetError::Crypto)?;
        let check = hex::encode(value.iter().take(8).copied().collect::<Vec<u8>>());
        Ok(Self { root, check })
    }

    /// From wherever it is.
    pub fn from_source(source: &KekSource) -> Result<Self, KeysetError> {
        match source {
            KekSource::File(path) => Self::from_file(path),
            KekSource::Environment(name) => Self::from_env(name),
        }
    }

    /// From a file that holds 32 raw octets, or their hexadecimal or base64 form with white space around it.
    ///
    /// A file that others can read, or that its group can write, is refused.
    pub fn from_file(path: &Path) -> Result<Self, KeysetError> {
        let octets = read_file(path)?;
        let key = raw_key(&octets).or_else(|| std::str::from_utf8(&octets).ok().and_then(text_key));
        Self::new(&*key.ok_or_else(|| KekError::NotAKey(path.display().to_string()))?)
    }

    /// From an environment variable with the hexadecimal or base64 form.
    pub fn from_env(name: &str) -> Result<Self, KeysetError> {
        let text = std::env::var(name)
            .map(Zeroizing::new)
            .map_err(|_| KekError::NotSet(name.to_owned()))?;
        let key = text_key(&text).ok_or_else(|| KekError::NotAKey(format!("environment variable {name}")))?;
        Self::new(&key)
    }

    /// Writes a new random key into a new file with mode 0600 and returns it. An existing file is an error.
    pub fn generate_file(path: &Path, random: &dyn Random) -> Result<Self, KeysetError> {
        let mut octets = Zeroizing::new([0; KEY_LENGTH]);
        random.fill(octets.as_mut_slice());
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(octets.as_slice())));
        write_new_file(path, text.as_bytes()).map_err(|source| file_error(path, source))?;
        Self::new(&octets)
    }

    /// Names the key without telling it: 16 hexadecimal digits.
    pub fn check(&self) -> &str {
        &self.check
    }

    pub(crate) fn derive(&self, usage: &str, detail: &[u8]) -> Result<Key, KeysetError> {
        self.root.derive(usage, detail).map_err(|_| KeysetError::Crypto)
    }
}

/// The key encryption keys of a node: a shared one, and own ones for single purposes.
///
/// The shared key authenticates the keyset as a whole and wraps every purpose that has no own key.
pub struct KekSet {
    shared: Kek,
    own: BTreeMap<Purpose, Kek>,
}

impl KekSet {
    /// One key for everything.
    pub const fn shared(kek: Kek) -> Self {
        Self {
            shared: kek,
            own: BTreeMap::new(),
        }
    }

    /// With an own key for this purpose.
    #[must_use]
    pub fn with(mut self, purpose: Purpose, kek: Kek) -> Self {
        self.own.insert(purpose, kek);
        self
    }

    /// Reads the shared key and those of single purposes.
    pub fn from_sources(
        shared: &KekSource,
        own: impl IntoIterator<Item = (Purpose, KekSource)>,
    ) -> Result<Self, KeysetError> {
        let mut set = Self::shared(Kek::from_source(shared)?);
        for (purpose, source) in own {
            set = set.with(purpose, Kek::from_source(&source)?);
        }
        Ok(set)
    }

    pub(crate) const fn for_all(&self) -> &Kek {
        &self.shared
    }

    pub(crate) fn of(&self, purpose: Purpose) -> &Kek {
        self.own.get(&purpose).unwrap_or(&self.shared)
    }

    /// Every distinct key.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Kek> {
        std::iter::once(&self.shared).chain(self.own.values())
    }
}

fn file_error(path: &Path, source: std::io::Error) -> KekError {
    KekError::File {
        path: path.display().to_string(),
        source,
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, KekError> {
    let failed = |source| file_error(path, source);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(KekError::Exposed {
            path: path.display().to_string(),
            mode,
        });
    }
    let mut octets = Zeroizing::new(Vec::new());
    file.take(FILE_LENGTH_MAX)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    Ok(octets)
}

fn write_new_file(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    // Written under another name first: whoever shares the file sees all of it or none.
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let linked = file
        .write_all(octets)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&unfinished, path));
    std::fs::remove_file(&unfinished)?;
    linked?;
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Exactly 32 octets that are not all text: a passphrase of 32 letters is not a key.
fn raw_key(octets: &[u8]) -> Option<Key> {
    let key = <[u8; KEY_LENGTH]>::try_from(octets).ok().map(Zeroizing::new)?;
    let is_text = octets
        .iter()
        .all(|octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace());
    (!is_text).then_some(key)
}

fn text_key(text: &str) -> Option<Key> {
    let text = text.trim();
    let octets = match text.len() {
        64 => hex::decode(text).ok()?,
        43 | 44 => BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)).ok()?,
        _ => return None,
    };
    let octets = Zeroizing::new(octets);
    <[u8; KEY_LENGTH]>::try_from(octets.as_slice())
        .ok()
        .map(Zeroizing::new)
}
