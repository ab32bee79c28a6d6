//! The directory (RFC 8555 section 7.1.1). What stands in it works.

use http::StatusCode;
use portreeve_ra::ExternalAccounts;
use serde_json::{Map, Value, json};

use crate::config::AcmeConfig;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) fn handle(service: &Service, site: &Site) -> Reply {
    Reply::json(StatusCode::OK, &directory(site, &service.config))
}

fn directory(site: &Site, config: &AcmeConfig) -> Value {
    let mut directory = json!({
        "newNonce": site.url("new-nonce"),
        "newAccount": site.url("new-account"),
        "newOrder": site.url("new-order"),
        "revokeCert": site.url("revoke-cert"),
        "keyChange": site.url("key-change"),
    });
    if let Some(members) = directory.as_object_mut() {
        members.insert("meta".to_owned(), Value::Object(meta(site, config)));
    }
    directory
}

fn meta(site: &Site, config: &AcmeConfig) -> Map<String, Value> {
    let mut meta = Map::new();
    let required = site.face.external_accounts == ExternalAccounts::Required;
    meta.insert("externalAccountRequired".to_owned(), Value::Bool(required));
    if let Some(terms) = &config.terms_of_service {
        meta.insert("termsOfService".to_owned(), Value::String(terms.clone()));
    }
    if let Some(website) = &config.website {
        meta.insert("website".to_owned(), Value::String(website.clone()));
    }
    if !config.caa_identities.is_empty() {
        meta.insert("caaIdentities".to_owned(), json!(config.caa_identities));
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::site;

    #[test]
    fn shows_what_is_configured() {
        let plain = directory(&site(), &AcmeConfig::default());
        assert_eq!(plain["newOrder"], "https://ra.example/acme/default/new-order");
        assert_eq!(plain["meta"], json!({"externalAccountRequired": false}));
        let config = AcmeConfig {
            terms_of_service: Some("https://ra.example/terms".into()),
            website: Some("https://ra.example/".into()),
            caa_identities: vec!["ra.example".into()],
            ..AcmeConfig::default()
        };
        let full = directory(&site(), &config);
        assert_eq!(
            full["meta"],
            json!({
                "externalAccountRequired": false,
                "termsOfService": "https://ra.example/terms",
                "website": "https://ra.example/",
                "caaIdentities": ["ra.example"],
            })
        );
    }

    #[test]
    fn says_when_an_external_account_is_required() {
        for (external_accounts, required) in [
            (ExternalAccounts::Off, false),
            (ExternalAccounts::Optional, false),
            (ExternalAccounts::Required, true),
        ] {
            let mut site = site();
            site.face.external_accounts = external_accounts;
            let directory = directory(&site, &AcmeConfig::default());
            assert_eq!(directory["meta"]["externalAccountRequired"], required);
        }
    }

    #[test]
    fn advertises_nothing_that_is_not_served() {
        let directory = directory(&site(), &AcmeConfig::default());
        for (name, url) in directory.as_object().unwrap() {
            let Some(url) = url.as_str() else { continue };
            let below = url.strip_prefix("https://ra.example/acme/default/").unwrap();
            assert!(crate::resource::Resource::parse(below).is_some(), "{name}");
        }
    }
}
