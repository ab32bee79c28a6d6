//! The knobs of the EST edge.

use serde::{Deserialize, Serialize};

/// How the EST edge behaves, on all its endpoints.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EstConfig {
    /// Octets of a request body, at most: a request of 64 KiB in base64 with line breaks.
    pub body_bytes_max: usize,
    /// What the `User-Agent` of software begins with that reads base64 in lines of 64 characters only. It counts at
    /// endpoints with `lines = "by-user-agent"`, for answers to GET.
    pub wrapped_user_agents: Vec<String>,
    /// Keys that are made for clients at the same time, at most; further ones wait.
    pub key_generations_max: usize,
    /// Requests that wait for a key to be made, at most; further ones are told to come back.
    pub key_generations_waiting_max: usize,
}

impl Default for EstConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 96 * 1024,
            wrapped_user_agents: vec!["libest".to_owned()],
            key_generations_max: 2,
            key_generations_waiting_max: 64,
        }
    }
}

impl EstConfig {
    /// What is wrong with it: the key and the reason.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(4096..=512 * 1024).contains(&self.body_bytes_max) {
            return Err(("body_bytes_max", "must lie between 4096 and 524288"));
        }
        let agents = &self.wrapped_user_agents;
        if agents.len() > 32 || agents.iter().any(|agent| agent.is_empty() || agent.len() > 64) {
            let reason = "must be at most 32 beginnings of 1 to 64 characters";
            return Err(("wrapped_user_agents", reason));
        }
        if !(1..=64).contains(&self.key_generations_max) {
            return Err(("key_generations_max", "must lie between 1 and 64"));
        }
        if !(1..=4096).contains(&self.key_generations_waiting_max) {
            return Err(("key_generations_waiting_max", "must lie between 1 and 4096"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_limits() {
        assert_eq!(EstConfig::default().check(), Ok(()));
        let rows = [
            (
                "body_bytes_max",
                EstConfig {
                    body_bytes_max: 100,
                    ..EstConfig::default()
                },
            ),
            (
                "wrapped_user_agents",
                EstConfig {
                    wrapped_user_agents: vec![String::new()],
                    ..EstConfig::default()
                },
            ),
            (
                "key_generations_max",
                EstConfig {
                    key_generations_max: 0,
                    ..EstConfig::default()
                },
            ),
            (
                "key_generations_waiting_max",
                EstConfig {
                    key_generations_waiting_max: 0,
                    ..EstConfig::default()
                },
            ),
        ];
        for (key, config) in rows {
            assert_eq!(config.check().map_err(|(key, _)| key), Err(key));
        }
    }
}
