//! The keys of an endpoint. Every field is named here, so that a new one does not compile before it has its meaning.

use portreeve_ra::{Endpoint, ExternalAccounts, NameAuthority, RateLimit, RateLimits};

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
    facets.extend(of_overrides(overrides));
    facets
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
