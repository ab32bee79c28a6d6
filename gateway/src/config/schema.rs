//! The JSON Schema of the configuration file. The keys that other crates read are repeated here for their schema
//! only; a test compares them with what those crates write.

use schemars::{JsonSchema, schema_for};

use super::Config;

/// The keys of `acme`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct AcmeKeys {
    /// Where the terms of service stand; when set, an account must agree to them.
    terms_of_service: Option<String>,
    /// Where a human reads about the service.
    website: Option<String>,
    /// The names that CAA records use for this CA.
    caa_identities: Option<Vec<String>>,
    /// When clients are told to come back, by what they wait for.
    retry_after: Option<RetryAfterKeys>,
    /// How long an answer to a challenge waits for the validation.
    challenge_wait: Option<String>,
    /// After this an attempt at validation is given up.
    validation_time_max: Option<String>,
    /// How long a proof of control counts.
    authorization_lifetime: Option<String>,
    /// How long an authorization waits to be answered.
    authorization_pending_lifetime: Option<String>,
    /// Whether a proof that still counts makes the authorizations of later orders valid at once.
    authorization_reuse: Option<bool>,
    /// How long an order waits to be finalized.
    order_lifetime: Option<String>,
    /// Identifiers in one order, at most.
    identifiers_max: Option<u32>,
    /// Contacts of one account, at most.
    contacts_max: Option<u32>,
    /// Accounts that one client address (IPv6: its /64) may open at one endpoint within `accounts_period`; 0 sets no limit.
    accounts_per_address_max: Option<u32>,
    /// The time in which accounts are counted.
    accounts_period: Option<String>,
    /// Orders of one account that are neither finalized nor ended, at most.
    orders_pending_max: Option<u32>,
    /// Orders on one page of an account's list.
    orders_per_page: Option<u32>,
    /// How long finished orders and authorizations can still be read.
    retention: Option<String>,
    /// How long a nonce is good.
    nonce_lifetime: Option<String>,
    /// How control of names is checked.
    validation: Option<ValidationKeys>,
}

/// The keys of `est`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct EstKeys {
    /// Octets of a request body, at most.
    body_bytes_max: Option<usize>,
    /// What the `User-Agent` of software begins with that reads base64 in lines of 64 characters only; it counts at
    /// endpoints with `lines = "by_user_agent"`, for answers to GET.
    wrapped_user_agents: Option<Vec<String>>,
    /// Keys that are made for clients at the same time, at most.
    key_generations_max: Option<usize>,
    /// Requests that wait for a key to be made, at most.
    key_generations_waiting_max: Option<usize>,
}

/// The keys of `acme.retry_after`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct RetryAfterKeys {
    /// An order that is pending.
    order: Option<String>,
    /// An authorization that is pending.
    authorization: Option<String>,
    /// A challenge that is pending or processing.
    challenge: Option<String>,
}

/// The keys of `acme.validation`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct ValidationKeys {
    /// The TCP port http-01 is asked on first.
    http_port: Option<u16>,
    /// The TCP port of tls-alpn-01.
    tls_alpn_port: Option<u16>,
    /// The DNS servers asked, as `ip` or `ip:port`; empty: those of the system.
    dns_resolver: Option<Vec<String>>,
    /// Networks that are let through although they are not globally reachable.
    allow_networks: Option<Vec<String>>,
    /// Networks that are refused, whatever `allow_networks` says.
    deny_networks: Option<Vec<String>>,
    /// How long the records of one name may take.
    dns_timeout: Option<String>,
    /// How long one TCP connection may take to open.
    connect_timeout: Option<String>,
    /// How long one whole attempt may take, redirects included.
    attempt_timeout: Option<String>,
    /// How many redirects http-01 follows.
    redirects_max: Option<u32>,
    /// How many addresses of one name are tried.
    addresses_max: Option<u32>,
    /// How many attempts run at once.
    concurrent_max: Option<u32>,
    /// How many attempts may wait for one that runs to end.
    waiting_max: Option<u32>,
}

/// The keys of `status`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct StatusKeys {
    /// How long a CRL is valid; it is signed anew at half of it, and after every revocation.
    next_update: Option<String>,
    /// How long revocations are gathered before a CRL is signed for them.
    gather: Option<String>,
    /// How long caches may keep a CRL, at most.
    cache_max: Option<String>,
    /// How often a node looks by itself whether there is something new.
    look_every: Option<String>,
}

pub(super) fn of_config() -> serde_json::Value {
    schema_for!(Config).to_value()
}
