//! The ACME flow: every worker has an account of its own.

mod flow;
pub(crate) mod options;
mod session;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use self::flow::Client;
use self::options::AcmeOptions;
use crate::connection::Target;
use crate::error::LoadError;
use crate::prepare::Requests;
use crate::report::Report;
use crate::responder::Answers;
use crate::{closed_loop, dns, responder};

/// What the workers share.
pub(crate) struct Run {
    target: Target,
    answers: Answers,
    requests: Requests,
    poll_first: Duration,
}

/// Runs the whole load and checks what came of it.
pub(crate) async fn run(options: AcmeOptions) -> Result<Report, LoadError> {
    let answers = Answers::default();
    let http = responder::serve(options.http_port, answers.clone()).await?;
    let dns = dns::serve(options.dns_port).await?;
    say(&format!(
        "the gateway must have been started with:\n  \
         --set acme.validation.http_port={} --set 'acme.validation.dns_resolver=\"{dns}\"'",
        http.port()
    ));
    let run = Arc::new(Run {
        target: Target::new(&options.directory, &options.run.tls_root)?,
        answers,
        requests: Requests::prepare(&options.run.name, options.run.prepared)?,
        poll_first: options.poll_first,
    });
    let mut clients = Vec::with_capacity(options.run.clients);
    for _ in 0..options.run.clients {
        clients.push(Client::register(Arc::clone(&run)).await?);
    }
    closed_loop::run(clients, &options.run).await
}

/// Says something to the person who watches, beside the report.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
