//! The keys of an endpoint that say who is known there when clients are no accounts, and what they may renew.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_pkix::duration;
use portreeve_ra::{
    CertificateRegistration, ClientRules, CredentialKind, Lines, Linking, Offer, RenewalKey, RenewalNames,
    RenewalRules, RenewalWindow, SeveralCredentials,
};
use serde::{Deserialize, Deserializer, de::Error};

use super::{EndpointError, Written};

/// Sets of trust anchors, endpoints and registrations that one key names, at most.
const NAMED_MAX: usize = 32;

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenKind {
    Password,
    Token,
    Certificate,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenRegistration {
    SerialNumber,
    CommonName,
    Nobody,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenSeveral {
    Precedence,
    Agree,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenLinking {
    Optional,
    Required,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenKey {
    Any,
    New,
    Same,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenRenewedNames {
    Same,
    Changed,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenLines {
    One,
    Wrapped,
    ByUserAgent,
}

#[derive(Copy, Clone)]
pub(super) struct WrittenWindow(RenewalWindow);

impl<'de> Deserialize<'de> for WrittenWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "any" => Ok(Self(RenewalWindow::Any)),
            "last_third" => Ok(Self(RenewalWindow::LastThird)),
            other => match duration::parse(other) {
                Ok(time) if time > Duration::ZERO => Ok(Self(RenewalWindow::Before(time))),
                _ => Err(D::Error::custom(
                    "renew_window: \"any\", \"last_third\" or a time before the end such as \"30d\"",
                )),
            },
        }
    }
}

impl Written {
    /// What they say at an endpoint of this protocol. Where clients are accounts they would say nothing.
    pub(super) fn clients(
        &self,
        protocol: &str,
    ) -> Result<(ClientRules, RenewalRules, Offer), EndpointError> {
        if protocol == "acme" && self.names_clients() {
            return Err(EndpointError::Clients);
        }
        let default = ClientRules::default();
        let clients = ClientRules {
            authentication: self
                .authentication
                .as_ref()
                .map_or(default.authentication, |kinds| {
                    kinds.iter().copied().map(kind).collect()
                }),
            trust: few(self.client_trust.as_deref(), "client_trust")?,
            registration: self
                .client_registration
                .map_or(default.registration, |it| match it {
                    WrittenRegistration::SerialNumber => CertificateRegistration::SerialNumber,
                    WrittenRegistration::CommonName => CertificateRegistration::CommonName,
                    WrittenRegistration::Nobody => CertificateRegistration::Nobody,
                }),
            several: match self.credentials {
                Some(WrittenSeveral::Agree) => SeveralCredentials::Agree,
                Some(WrittenSeveral::Precedence) | None => SeveralCredentials::Precedence,
            },
            linking: match self.linking {
                Some(WrittenLinking::Required) => Linking::Required,
                Some(WrittenLinking::Optional) | None => Linking::Optional,
            },
            ra_trust: few(self.ra_trust.as_deref(), "ra_trust")?,
            ra_registrations: few(self.ra_registrations.as_deref(), "ra_registrations")?,
        };
        let renewal = RenewalRules {
            from: few(self.renew_from.as_deref(), "renew_from")?,
            newest_only: self.renew_newest_only.unwrap_or(false),
            window: self.renew_window.map_or(RenewalWindow::default(), |it| it.0),
            key: match self.renew_key {
                Some(WrittenKey::New) => RenewalKey::New,
                Some(WrittenKey::Same) => RenewalKey::Same,
                Some(WrittenKey::Any) | None => RenewalKey::Any,
            },
            names: match self.renew_names {
                Some(WrittenRenewedNames::Changed) => RenewalNames::Changed,
                Some(WrittenRenewedNames::Same) | None => RenewalNames::Same,
            },
            first: self.renew_first.unwrap_or(false),
        };
        let offer = Offer {
            generated_keys: self.generated_keys.unwrap_or(false),
            template: self.template.unwrap_or(true),
            lines: match self.lines {
                Some(WrittenLines::Wrapped) => Lines::Wrapped,
                Some(WrittenLines::ByUserAgent) => Lines::ByUserAgent,
                Some(WrittenLines::One) | None => Lines::One,
            },
        };
        Ok((clients, renewal, offer))
    }

    fn names_clients(&self) -> bool {
        self.authentication.is_some()
            || self.client_trust.is_some()
            || self.client_registration.is_some()
            || self.credentials.is_some()
            || self.linking.is_some()
            || self.ra_trust.is_some()
            || self.ra_registrations.is_some()
            || self.renew_from.is_some()
            || self.renew_newest_only.is_some()
            || self.renew_window.is_some()
            || self.renew_key.is_some()
            || self.renew_names.is_some()
            || self.renew_first.is_some()
            || self.generated_keys.is_some()
            || self.template.is_some()
            || self.lines.is_some()
    }
}

fn kind(written: WrittenKind) -> CredentialKind {
    match written {
        WrittenKind::Password => CredentialKind::Password,
        WrittenKind::Token => CredentialKind::Token,
        WrittenKind::Certificate => CredentialKind::Certificate,
    }
}

/// At most [`NAMED_MAX`] items, none twice.
fn few<T: Ord + Clone>(written: Option<&[T]>, key: &'static str) -> Result<Vec<T>, EndpointError> {
    let items = written.unwrap_or_default();
    let distinct: BTreeSet<&T> = items.iter().collect();
    if items.len() > NAMED_MAX || distinct.len() != items.len() {
        return Err(EndpointError::Named(key));
    }
    Ok(items.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::parse_endpoint;
    use portreeve_ra::Endpoint;

    fn read(name: &str, text: &str) -> Result<Endpoint, EndpointError> {
        let text = format!("profiles = [\"dev\"]\nbackend = \"issuing\"\n{text}\n");
        parse_endpoint(name, 1, &text)
    }

    #[test]
    fn absent_keys_grant_nothing() {
        let endpoint = read("est/a", "").unwrap();
        let clients = &endpoint.clients;
        assert!(
            clients.trust.is_empty() && clients.ra_trust.is_empty() && clients.ra_registrations.is_empty()
        );
        assert_eq!(clients.registration, CertificateRegistration::SerialNumber);
        assert_eq!(
            clients.authentication.len(),
            3,
            "each needs a secret or a certificate that we gave"
        );
        let renewal = &endpoint.renewal;
        assert!(renewal.from.is_empty() && !renewal.first);
        assert_eq!(
            (renewal.window, renewal.names),
            (RenewalWindow::LastThird, RenewalNames::Same)
        );
        assert!(!endpoint.offer.generated_keys);
    }

    #[test]
    fn reads_every_key() {
        let text = r#"
            authentication = ["token", "certificate"]
            client_trust = ["factory"]
            client_registration = "common_name"
            credentials = "agree"
            linking = "required"
            ra_trust = ["ras"]
            ra_registrations = ["line 4"]
            renew_from = ["est/old"]
            renew_newest_only = true
            renew_window = "30d"
            renew_key = "new"
            renew_names = "changed"
            renew_first = true
            generated_keys = true
            template = false
            lines = "by_user_agent"
        "#;
        let endpoint = read("est/a", text).unwrap();
        let kinds: Vec<CredentialKind> = endpoint.clients.authentication.iter().copied().collect();
        assert_eq!(kinds, [CredentialKind::Token, CredentialKind::Certificate]);
        let expected = ClientRules {
            authentication: kinds.into_iter().collect(),
            trust: vec!["factory".to_owned().try_into().unwrap()],
            registration: CertificateRegistration::CommonName,
            several: SeveralCredentials::Agree,
            linking: Linking::Required,
            ra_trust: vec!["ras".to_owned().try_into().unwrap()],
            ra_registrations: vec!["line 4".to_owned()],
        };
        assert_eq!(endpoint.clients, expected);
        let expected = RenewalRules {
            from: vec!["est/old".to_owned().try_into().unwrap()],
            newest_only: true,
            window: RenewalWindow::Before(Duration::from_secs(30 * 86_400)),
            key: RenewalKey::New,
            names: RenewalNames::Changed,
            first: true,
        };
        assert_eq!(endpoint.renewal, expected);
        let expected = Offer {
            generated_keys: true,
            template: false,
            lines: Lines::ByUserAgent,
        };
        assert_eq!(endpoint.offer, expected);
    }

    #[test]
    fn refuses() {
        let many: Vec<String> = (0..33).map(|number| format!("\"a{number}\"")).collect();
        let many = format!("client_trust = [{}]", many.join(","));
        let rows = [
            (
                "at an endpoint of acme",
                "acme/a",
                "linking = \"optional\"",
                "acme",
            ),
            (
                "another way",
                "est/a",
                "authentication = [\"digest\"]",
                "unknown variant",
            ),
            (
                "the same anchors twice",
                "est/a",
                "client_trust = [\"a\", \"a\"]",
                "client_trust",
            ),
            ("too many anchors", "est/a", &many, "client_trust"),
            ("no window", "est/a", "renew_window = \"0s\"", "renew_window"),
            (
                "another window",
                "est/a",
                "renew_window = \"soon\"",
                "renew_window",
            ),
            ("a flag that is none", "est/a", "renew_first = \"yes\"", "boolean"),
        ];
        for (name, endpoint, line, reason) in rows {
            let error = read(endpoint, line).expect_err(name).to_string();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }
}
