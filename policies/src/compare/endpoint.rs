//! The keys of an endpoint. Every field is named here, so that a new one does not compile before it has its meaning.

use portreeve_pkix::duration::Spelled;
use portreeve_ra::{
    CertificateRegistration, ClientRules, CredentialKind, Endpoint, ExternalAccounts, Linking, NameAuthority,
    Offer, RateLimit, RateLimits, RenewalKey, RenewalNames, RenewalRules, RenewalWindow, SeveralCredentials,
    TrustAnchorsName,
};

use super::Facet;
use super::measure::{Amount, Measure};
use super::profile::of_overrides;
use crate::lints::Overrides;

pub(super) fn facets(endpoint: &Endpoint, overrides: &Overrides) -> Vec<Facet> {
    let Endpoint {
        name: _,
        version: _,
        profiles,
        backend,
        approval,
        names,
        inline_wait,
        retry_after,
        eab,
        rate_limit,
        clients,
        renewal,
        offer,
    } = endpoint;
    let offered = profiles.iter().map(|name| name.as_str().to_owned()).collect();
    let default = profiles.first().map(|name| name.as_str().to_owned());
    let names = match names {
        NameAuthority::Proven => Measure::rank(0, "proven"),
        NameAuthority::Profile => Measure::rank(1, "profile"),
    };
    // What a registration is vouched for needs no challenge: accounts that are bound to one may get more.
    let (bound, unbound) = match eab {
        ExternalAccounts::Off => (Measure::rank(0, "off"), Measure::rank(1, "off")),
        ExternalAccounts::Optional => (Measure::rank(1, "optional"), Measure::rank(1, "optional")),
        ExternalAccounts::Required => (Measure::rank(1, "required"), Measure::rank(0, "required")),
    };
    let mut facets = vec![
        Facet::new("profiles", Measure::Set(offered)),
        // Clients that name no profile get the first one.
        Facet::new("profiles.first", Measure::Exact(default.unwrap_or_default())),
        Facet::new("backend", Measure::Exact(backend.as_str().to_owned())),
        Facet::new("names", names),
        Facet::new("eab.bound", bound),
        Facet::new("eab.unbound", unbound),
        Facet::new("inline_wait", Measure::Note(format!("{inline_wait:?}"))),
        Facet::new("retry_after", Measure::Note(format!("{retry_after:?}"))),
    ];
    // Another policy may ask for less: its text is compared where it is changed.
    let policy = approval.iter().map(|policy| policy.as_str().to_owned());
    facets.extend(policy.map(|policy| Facet::new("approval", Measure::Limit(policy))));
    let RateLimits {
        address,
        requester,
        registration,
        endpoint,
    } = rate_limit;
    let limits = [
        ("address", address),
        ("requester", requester),
        ("registration", registration),
        ("endpoint", endpoint),
    ];
    let limits = limits
        .iter()
        .filter_map(|(whose, limit)| Some((whose, limit.as_ref()?)));
    facets.extend(limits.flat_map(|(whose, limit)| of_rate_limit(whose, limit)));
    facets.extend(of_clients(clients));
    facets.extend(of_renewal(renewal));
    facets.extend(of_offer(offer));
    facets.extend(of_overrides(overrides));
    facets
}

fn of_clients(clients: &ClientRules) -> Vec<Facet> {
    let ClientRules {
        authentication,
        trust,
        registration,
        several,
        linking,
        ra_trust,
        ra_registrations,
    } = clients;
    let kind = |kind: &CredentialKind| match kind {
        CredentialKind::Password => "password",
        CredentialKind::Token => "token",
        CredentialKind::Certificate => "certificate",
    };
    let kinds = authentication.iter().map(|one| kind(one).to_owned()).collect();
    let named = |names: &[TrustAnchorsName]| names.iter().map(|name| name.as_str().to_owned()).collect();
    // Another attribute leads to other registrations, and one where there was none to what those are vouched for.
    let registration = match registration {
        CertificateRegistration::SerialNumber => "serial_number",
        CertificateRegistration::CommonName => "common_name",
        CertificateRegistration::Nobody => "nobody",
    };
    let several = match several {
        SeveralCredentials::Agree => Measure::rank(0, "agree"),
        SeveralCredentials::Precedence => Measure::rank(1, "precedence"),
    };
    let linking = match linking {
        Linking::Required => Measure::rank(0, "required"),
        Linking::Optional => Measure::rank(1, "optional"),
    };
    vec![
        Facet::new("authentication", Measure::Set(kinds)),
        Facet::new("client_trust", Measure::Set(named(trust))),
        Facet::new("client_registration", Measure::Exact(registration.to_owned())),
        Facet::new("credentials", several),
        Facet::new("linking", linking),
        Facet::new("ra_trust", Measure::Set(named(ra_trust))),
        Facet::new("ra_registrations", Measure::Set(ra_registrations.clone())),
    ]
}

fn of_renewal(renewal: &RenewalRules) -> Vec<Facet> {
    let RenewalRules {
        from,
        newest_only,
        window,
        key,
        names,
        first,
    } = renewal;
    let from = from.iter().map(|name| name.as_str().to_owned()).collect();
    let window = match window {
        RenewalWindow::LastThird => Measure::Exact("last_third".to_owned()),
        RenewalWindow::Before(time) => Measure::Exact(Spelled(*time).to_string()),
        RenewalWindow::Any => Measure::Exact("any".to_owned()),
    };
    let key = match key {
        RenewalKey::Any => None,
        RenewalKey::New => Some("new"),
        RenewalKey::Same => Some("same"),
    };
    let key = key.map(|key| Facet::new("renew_key", Measure::Limit(key.to_owned())));
    let names = match names {
        RenewalNames::Same => Measure::rank(0, "same"),
        RenewalNames::Changed => Measure::rank(1, "changed"),
    };
    let facets = [
        Facet::new("renew_from", Measure::Set(from)),
        Facet::new("renew_newest_only", Measure::limits(*newest_only)),
        Facet::new("renew_window", window),
        Facet::new("renew_names", names),
        Facet::new("renew_first", Measure::gives(*first)),
    ];
    facets.into_iter().chain(key).collect()
}

fn of_offer(offer: &Offer) -> [Facet; 3] {
    let Offer {
        generated_keys,
        template,
        lines,
    } = offer;
    [
        Facet::new("generated_keys", Measure::gives(*generated_keys)),
        Facet::new("template", Measure::Note(template.to_string())),
        Facet::new("lines", Measure::Note(format!("{lines:?}"))),
    ]
}

fn of_rate_limit(whose: &str, limit: &RateLimit) -> [Facet; 3] {
    let key = |key: &str| format!("rate_limit.{whose}.{key}");
    let RateLimit {
        requests,
        period,
        burst,
    } = limit;
    [
        Facet::new(key("requests"), Measure::Ceiling(Amount::from(*requests))),
        Facet::new(key("period"), Measure::Floor(Amount::from(*period))).within(key("requests")),
        Facet::new(key("burst"), Measure::Level(Amount::from(*burst))).within(key("requests")),
    ]
}
