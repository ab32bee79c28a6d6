//! The keys of an endpoint. Every field is named here, so that a new one does not compile before it has its meaning.

use portreeve_ra::{Endpoint, NameAuthority, RateLimit};

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
        rate_limit,
    } = endpoint;
    let offered = profiles.iter().map(|name| name.as_str().to_owned()).collect();
    let default = profiles.first().map(|name| name.as_str().to_owned());
    let names = match names {
        NameAuthority::Proven => Measure::rank(0, "proven"),
        NameAuthority::Profile => Measure::rank(1, "profile"),
    };
    let mut facets = vec![
        Facet::new("profiles", Measure::Set(offered)),
        // Clients that name no profile get the first one.
        Facet::new("profiles.first", Measure::Exact(default.unwrap_or_default())),
        Facet::new("backend", Measure::Exact(backend.as_str().to_owned())),
        Facet::new("names", names),
        Facet::new("inline_wait", Measure::Note(format!("{inline_wait:?}"))),
        Facet::new("retry_after", Measure::Note(format!("{retry_after:?}"))),
    ];
    // Another policy may ask for less: its text is compared where it is changed.
    let policy = approval.iter().map(|policy| policy.as_str().to_owned());
    facets.extend(policy.map(|policy| Facet::new("approval", Measure::Limit(policy))));
    facets.extend(rate_limit.iter().flat_map(of_rate_limit));
    facets.extend(of_overrides(overrides));
    facets
}

fn of_rate_limit(limit: &RateLimit) -> [Facet; 3] {
    const REQUESTS: &str = "rate_limit.requests";
    let RateLimit {
        requests,
        period,
        burst,
    } = limit;
    [
        Facet::new(REQUESTS, Measure::Ceiling(Amount::from(*requests))),
        Facet::new("rate_limit.period", Measure::Floor(Amount::from(*period))).within(REQUESTS),
        Facet::new("rate_limit.burst", Measure::Level(Amount::from(*burst))).within(REQUESTS),
    ]
}
