//! One server, and connections to it.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, Value};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::RedisError;
use super::metered::{Allowance, Metered, Octets};
use super::target::RedisTarget;
use super::tls::{RedisTlsError, RedisTlsFiles};

/// How long a connection may take to be ready: TCP, TLS, signing in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Octets of an answer, at most, unless a question says otherwise.
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A Redis server: where, how and as whom.
#[derive(Clone)]
pub struct RedisServer {
    target: RedisTarget,
    tls: Option<Arc<ClientConfig>>,
}

/// Why a server cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum RedisSetupError {
    /// A file of TLS.
    #[error(transparent)]
    Tls(#[from] RedisTlsError),
    /// An encrypted connection without trust.
    #[error(
        "rediss:// needs redis.ca_file: the CA certificates that the server's may come from \
         (/etc/ssl/certs/ca-certificates.crt holds the public ones on Debian)"
    )]
    NoCa,
    /// Files for TLS without TLS.
    #[error("redis.ca_file, client_cert and client_key are for rediss://, and the URL is redis://")]
    NotEncrypted,
    /// The host is neither a name nor an address.
    #[error("the host {0} is neither a DNS name nor an address")]
    Host(String),
}

impl std::fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target.fmt(f)
    }
}

impl RedisServer {
    /// A server. Reads the files of TLS; says nothing about whether it can be reached.
    ///
    /// # Errors
    /// See [`RedisSetupError`].
    pub fn new(target: RedisTarget, files: Option<&RedisTlsFiles>) -> Result<Self, RedisSetupError> {
        let tls = match (target.encrypted, files) {
            (true, Some(files)) => {
                let _ = server_name(&target)?;
                Some(files.configuration()?)
            }
            (true, None) => return Err(RedisSetupError::NoCa),
            (false, Some(_)) => return Err(RedisSetupError::NotEncrypted),
            (false, None) => None,
        };
        Ok(Self { target, tls })
    }

    /// Where it is.
    pub const fn target(&self) -> &RedisTarget {
        &self.target
    }

    /// A new connection, signed in.
    pub(crate) async fn connect(&self) -> Result<Connection, RedisError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.opened()).await {
            Ok(connection) => connection,
            Err(_) => Err(RedisError::connection(
                &self.target,
                RedisError::Late(CONNECT_TIMEOUT),
            )),
        }
    }

    async fn opened(&self) -> Result<Connection, RedisError> {
        let (metered, allowance) = Metered::new(self.stream().await?);
        allowance.refill(ANSWER_BYTES_MAX);
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        // Its name and version would be told by a command that a user may not be allowed.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let made = MultiplexedConnection::new_with_config(&info, metered, config).await;
        let (inner, driver) = made.map_err(|error| RedisError::of(&self.target, &error))?;
        tokio::spawn(driver);
        let mut connection = Connection {
            inner,
            allowance,
            target: self.target.clone(),
        };
        self.sign_in(&mut connection).await?;
        Ok(connection)
    }

    async fn stream(&self) -> Result<Box<dyn Octets>, RedisError> {
        let target = &self.target;
        let failed = |error: std::io::Error| RedisError::connection(target, error);
        let tcp = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = server_name(target).map_err(|error| RedisError::connection(target, error))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
        Ok(Box::new(stream.map_err(failed)?))
    }

    async fn sign_in(&self, connection: &mut Connection) -> Result<(), RedisError> {
        if let Some(password) = &self.target.password {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = &self.target.user {
                auth.arg(user.as_str());
            }
            auth.arg(password.as_str());
            let () = connection.ask(&auth).await?;
        }
        if self.target.database != 0 {
            let () = connection
                .ask(redis::cmd("SELECT").arg(self.target.database))
                .await?;
        }
        // Says whether a password was needed after all.
        connection.ping().await
    }
}

fn server_name(target: &RedisTarget) -> Result<ServerName<'static>, RedisSetupError> {
    ServerName::try_from(target.host.clone()).map_err(|_| RedisSetupError::Host(target.host.clone()))
}

/// A connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    allowance: Allowance,
    target: RedisTarget,
}

impl Connection {
    /// The answer to one command.
    pub(crate) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        self.allowance.refill(ANSWER_BYTES_MAX);
        let answer = command.query_async(&mut self.inner).await;
        answer.map_err(|error| RedisError::of(&self.target, &error))
    }

    /// The answers to several commands, in their order; each may be an error of the server.
    pub(crate) async fn ask_all(
        &mut self,
        commands: &Pipeline,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        self.allowance.refill(ANSWER_BYTES_MAX);
        let answers = self.inner.send_packed_commands(commands, 0, commands.len()).await;
        let answers = answers.map_err(|error| RedisError::of(&self.target, &error))?;
        let checked = answers.into_iter().map(|answer| {
            answer
                .extract_error()
                .map_err(|error| RedisError::of(&self.target, &error))
        });
        Ok(checked.collect())
    }

    pub(crate) async fn ping(&mut self) -> Result<(), RedisError> {
        let _: Value = self.ask(&redis::cmd("PING")).await?;
        Ok(())
    }
}
