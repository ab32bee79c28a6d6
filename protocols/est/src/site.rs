//! One endpoint as it is served.

use http::HeaderMap;
use http::header::USER_AGENT;
use portreeve_ra::{EndpointName, Lines, Linking, RateLimit};
use portreeve_wire::est::body::Style;

use crate::config::EstConfig;
use crate::reply::Challenge;

/// One endpoint as it is served.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The endpoint, `est/NAME`.
    pub(crate) endpoint: EndpointName,
    /// What of the endpoint's text matters before it is read.
    pub(crate) face: EndpointFace,
}

/// An endpoint of this edge, as far as it is known without reading it at every request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointFace {
    /// The last part of its name, which is the label in paths: `default` for `est/default`.
    pub name: String,
    /// How base64 is answered to GET.
    pub lines: Lines,
    /// Whether requests must be linked to their channel, which clients are told.
    pub linking: Linking,
    /// How clients are asked who they are.
    pub challenge: Challenge,
    /// How many requests one network may send, counted before anything of them is verified.
    pub address_limit: Option<RateLimit>,
}

impl EndpointFace {
    /// One that answers in one line and counts nothing.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lines: Lines::One,
            linking: Linking::Optional,
            challenge: Challenge::Basic,
            address_limit: None,
        }
    }
}

impl Site {
    /// How base64 is answered to this GET.
    pub(crate) fn style(&self, headers: &HeaderMap, config: &EstConfig) -> Style {
        let wants_wrapped = || {
            let agent = headers.get(USER_AGENT).map(http::HeaderValue::as_bytes);
            let begins = |agent: &[u8]| {
                let known = config.wrapped_user_agents.iter();
                known.map(String::as_bytes).any(|known| {
                    agent
                        .get(..known.len())
                        .is_some_and(|start| start.eq_ignore_ascii_case(known))
                })
            };
            agent.is_some_and(begins)
        };
        match self.face.lines {
            Lines::One => Style::Unwrapped,
            Lines::Wrapped => Style::Wrapped,
            Lines::ByUserAgent if wants_wrapped() => Style::Wrapped,
            Lines::ByUserAgent => Style::Unwrapped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_suit_the_endpoint_and_the_software() {
        let rows = [
            (Lines::One, Some("libest 3.2"), Style::Unwrapped),
            (Lines::Wrapped, None, Style::Wrapped),
            (Lines::ByUserAgent, Some("libest 3.2"), Style::Wrapped),
            (Lines::ByUserAgent, Some("LibEST"), Style::Wrapped),
            (Lines::ByUserAgent, Some("my libest"), Style::Unwrapped),
            (Lines::ByUserAgent, Some("lib"), Style::Unwrapped),
            (Lines::ByUserAgent, None, Style::Unwrapped),
        ];
        for (lines, agent, expected) in rows {
            let site = Site {
                endpoint: EndpointName::new("est/default").unwrap(),
                face: EndpointFace {
                    lines,
                    ..EndpointFace::named("default")
                },
            };
            let headers = agent
                .map(|agent| (USER_AGENT, agent.parse().unwrap()))
                .into_iter()
                .collect();
            let found = site.style(&headers, &EstConfig::default());
            assert_eq!(found, expected, "{lines:?} {agent:?}");
        }
    }
}
