//! Deciding on a proposal: what `request` and `approval` have in common.

use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self as lc, KeyPair};
use clap::Args;
use portreeve_console::{DecisionBody, DiffEntry, EvidenceBody, GrantBody, ProposalView, SubjectView};
use portreeve_pkix::{KeyAlgorithm, PublicKey, pem};
use portreeve_ra::{Decision, EvidenceAlgorithm, GrantTerms, Principal, ProposalId, Statement};

use super::request::comment;
use super::{CliError, plain};

/// Labels of files with a private key that is not encrypted.
const LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// Octets of a key file, at most.
const KEY_FILE_MAX: u64 = 64 * 1024;

/// What somebody decides with.
#[derive(Debug, Args)]
pub(super) struct DecisionArguments {
    /// The id of the request, or of the proposal.
    pub(super) id: String,
    /// Why, in at most 1,024 characters; it goes into the audit log. A denial needs one.
    #[arg(long, default_value = "", value_parser = comment)]
    comment: String,
    /// The digest that `show` printed; refused when the proposal has another.
    #[arg(long)]
    digest: Option<String>,
    /// Signs the decision with this private key (PEM) of yours; its public key stands in your operator's text.
    #[arg(long, value_name = "KEY.pem")]
    evidence_key: Option<PathBuf>,
}

/// What somebody grants besides.
#[derive(Debug, Args)]
pub(super) struct GrantArguments {
    /// The same requester may come back and pass without another decision, with the same contents and another key. It
    /// counts when everybody who approves grants it.
    #[arg(long)]
    grant: bool,
    /// How often.
    #[arg(long, requires = "grant", value_name = "NUMBER", default_value_t = 1)]
    grant_uses: u16,
    /// For how many days, at most 7.
    #[arg(long, requires = "grant", value_name = "DAYS", default_value_t = GrantTerms::DAYS_MAX)]
    grant_days: u8,
}

impl GrantArguments {
    pub(super) fn body(&self) -> Option<GrantBody> {
        self.grant.then_some(GrantBody {
            uses: self.grant_uses,
            days: self.grant_days,
        })
    }
}

impl DecisionArguments {
    /// Whether the proposal has to be read before it is decided on.
    pub(super) const fn is_signed(&self) -> bool {
        self.evidence_key.is_some()
    }

    /// What is sent. Signed over what the gateway shows of the proposal, which whoever decides has looked at: with
    /// `--digest` it must be the same still.
    pub(super) fn body(
        &self,
        (decision, grant): (Decision, Option<GrantBody>),
        proposal: Option<&ProposalView>,
    ) -> Result<DecisionBody, CliError> {
        let mut body = DecisionBody {
            comment: self.comment.clone(),
            digest: self.digest.clone(),
            evidence: None,
            grant,
        };
        if let (Some(path), Some(proposal)) = (&self.evidence_key, proposal) {
            let digest = self.digest.clone().unwrap_or_else(|| proposal.digest.clone());
            let text = statement(proposal, (decision, grant), (&digest, &self.comment))?;
            body.evidence = Some(SigningKey::read(path)?.sign(&text)?);
            body.digest = Some(digest);
        }
        Ok(body)
    }
}

fn statement(
    proposal: &ProposalView,
    (decision, grant): (Decision, Option<GrantBody>),
    (digest, comment): (&str, &str),
) -> Result<String, CliError> {
    let unusable = || CliError::Usage("the gateway's answer cannot be signed".to_owned());
    let mut octets = [0; 32];
    hex::decode_to_slice(digest, &mut octets)
        .map_err(|_| CliError::Usage("digest is not 64 hexadecimal digits".to_owned()))?;
    let id: ProposalId = proposal.id.parse().map_err(|_| unusable())?;
    let by: Principal = proposal.you.parse().map_err(|_| unusable())?;
    let grant = grant.map(|grant| GrantTerms {
        uses: grant.uses,
        days: grant.days,
    });
    let statement = Statement {
        proposal: id,
        digest: &octets,
        by: &by,
        decision,
        grant,
        comment,
    };
    Ok(statement.text())
}

/// A private key of an operator.
enum SigningKey {
    Ec(lc::EcdsaKeyPair, KeyAlgorithm),
    Ed(lc::Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

impl SigningKey {
    /// Reads an unencrypted key: PKCS#8, or the older forms of EC and RSA keys.
    fn read(path: &Path) -> Result<Self, CliError> {
        let size = std::fs::metadata(path).map_err(CliError::file(path))?.len();
        if size > KEY_FILE_MAX {
            return Err(unreadable(path));
        }
        let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
        let blocks = LABELS
            .iter()
            .filter_map(|label| pem::decode_all(label, &text).ok())
            .flatten();
        let found = blocks.into_iter().find_map(|der| Self::from_der(&der));
        found.ok_or_else(|| unreadable(path))
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let curves = [
            (&lc::ECDSA_P256_SHA256_ASN1_SIGNING, KeyAlgorithm::EcP256),
            (&lc::ECDSA_P384_SHA384_ASN1_SIGNING, KeyAlgorithm::EcP384),
        ];
        for (algorithm, curve) in curves {
            if let Ok(key) = lc::EcdsaKeyPair::from_private_key_der(algorithm, der) {
                return Some(Self::Ec(key, curve));
            }
        }
        if let Ok(key) = lc::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Some(Self::Ed(key));
        }
        let rsa = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der));
        rsa.ok().map(Self::Rsa)
    }

    fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::Ec(key, curve) => PublicKey::from_ec_point(*curve, key.public_key().as_ref()).ok(),
            Self::Ed(key) => PublicKey::from_ed25519(key.public_key().as_ref()).ok(),
            Self::Rsa(key) => {
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
                PublicKey::from_der(der.as_ref()).ok()
            }
        }
    }

    fn sign(&self, text: &str) -> Result<EvidenceBody, CliError> {
        let cannot = || {
            CliError::Usage(
                "this key does not sign evidence: P-256, P-384, Ed25519 or RSA of 2048 bits and more do"
                    .to_owned(),
            )
        };
        let key = self.public_key().ok_or_else(cannot)?;
        let algorithm = EvidenceAlgorithm::of_key(key.algorithm()).ok_or_else(cannot)?;
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(key, _) => key
                .sign(&random, text.as_bytes())
                .map_err(|_| cannot())?
                .as_ref()
                .to_vec(),
            Self::Ed(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&lc::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .map_err(|_| cannot())?;
                signature
            }
        };
        Ok(EvidenceBody {
            algorithm: algorithm.as_str().to_owned(),
            key: hex::encode(key.der()),
            signature: hex::encode(signature),
        })
    }
}

fn unreadable(path: &Path) -> CliError {
    CliError::Usage(format!(
        "{} holds no private key that can be read: an unencrypted one in PEM is needed",
        path.display()
    ))
}

/// What a proposal is about, in one line.
pub(super) fn about(subject: &SubjectView) -> String {
    match subject {
        SubjectView::Request { id } => format!("request {id}"),
        SubjectView::Object {
            object,
            name,
            version,
        } => format!("{object} {name} version {version}"),
        SubjectView::Certificates { change, requests } => {
            format!("{change}: {} certificates", requests.len())
        }
        SubjectView::Registration { name, .. } => format!("registration {}", plain(name)),
        SubjectView::Secret { of, whose, .. } => format!("{of} of {}", plain(whose)),
    }
}

/// A proposal, line by line.
pub(super) fn lines(proposal: &ProposalView) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "proposal",
            format!("{} {} until {}", proposal.id, proposal.state, proposal.until),
        ),
        ("digest", proposal.digest.clone()),
        (
            "policy",
            format!(
                "{} version {}, evidence {}, right {}",
                proposal.policy, proposal.policy_version, proposal.evidence, proposal.right
            ),
        ),
    ];
    lines.extend(proposal.steps.iter().enumerate().map(|(index, step)| {
        let open = if step.open { ", open" } else { "" };
        let place = index.saturating_add(1);
        let text = format!("{place}: {} of {} ({}{open})", step.approved, step.min, step.who);
        ("step", text)
    }));
    lines.extend(
        proposal
            .excluded
            .iter()
            .map(|one| ("excluded", format!("{}: {}", one.principal, plain(&one.why)))),
    );
    lines.extend(proposal.decisions.iter().map(|one| {
        let signed = one.evidence.as_ref().map_or("", |_| " signed");
        let grant = one.grant.map_or_else(String::new, |grant| {
            format!(" granting {} in {} days", grant.uses, grant.days)
        });
        let discounted = one
            .discounted
            .as_ref()
            .map_or_else(String::new, |why| format!(" (does not count: {})", plain(why)));
        let comment = plain(&one.comment);
        let text = format!("{} {}{signed}{grant} {comment}{discounted}", one.by, one.decision);
        ("decision", text)
    }));
    lines.extend(
        proposal
            .begins_until
            .map(|until| ("begins", format!("until {until}"))),
    );
    lines.extend(
        proposal
            .granted
            .map(|grant| ("granted", format!("{} in {} days", grant.uses, grant.days))),
    );
    lines.extend(proposal.grant.map(|grant| {
        let state = if grant.withdrawn { ", withdrawn" } else { "" };
        (
            "grant",
            format!("used {} times, until {}{state}", grant.used, grant.until),
        )
    }));
    lines.extend(proposal.changes.iter().map(|change| ("change", changed(change))));
    let proposed = proposal.proposed.iter().flat_map(|text| text.lines());
    lines.extend(proposed.map(|line| ("proposed", plain(line))));
    lines
}

fn changed(change: &DiffEntry) -> String {
    let DiffEntry {
        path,
        old,
        new,
        direction,
    } = change;
    let said = match (old, new) {
        (Some(old), Some(new)) => format!("{old} becomes {new}"),
        (None, Some(new)) => format!("{new} is added"),
        (Some(old), None) => format!("{old} is removed"),
        (None, None) => String::new(),
    };
    plain(&format!("{path}: {said} ({direction})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::Evidence;

    fn key(text: &str) -> SigningKey {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        std::fs::write(&path, text).unwrap();
        SigningKey::read(&path).unwrap()
    }

    #[test]
    fn every_kind_of_key_signs_what_the_gateway_verifies() {
        let by: Principal = "operator:alice".parse().unwrap();
        let statement = Statement {
            proposal: ProposalId::from_bytes([1; 16]),
            digest: &[2; 32],
            by: &by,
            decision: Decision::Approve,
            grant: GrantTerms::new(1, 7),
            comment: "fine",
        };
        let algorithms = [
            ("ES256", &rcgen::PKCS_ECDSA_P256_SHA256),
            ("ES384", &rcgen::PKCS_ECDSA_P384_SHA384),
            ("EdDSA", &rcgen::PKCS_ED25519),
            ("RS256", &rcgen::PKCS_RSA_SHA256),
        ];
        for (name, algorithm) in algorithms {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let body = key(&pair.serialize_pem()).sign(&statement.text()).unwrap();
            assert_eq!(body.algorithm, name);
            let evidence = Evidence {
                algorithm: EvidenceAlgorithm::named(&body.algorithm).unwrap(),
                key: hex::decode(body.key).unwrap(),
                signature: hex::decode(body.signature).unwrap(),
            };
            assert!(evidence.holds(&statement, &[evidence.key_sha256()]), "{name}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        for text in [
            "",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(SigningKey::read(&path).is_err(), "{text}");
        }
    }
}
