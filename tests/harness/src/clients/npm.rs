//! acme-client from npm.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::tools;
use crate::error::HarnessError;
use crate::process::{Finished, Gateway, attempt};

const LIMIT: Duration = Duration::from_secs(120);

/// Issues, changes the account's key, revokes and deactivates; the challenge answers are served by node itself.
const FLOW: &str = r"
const acme = require('acme-client'), fs = require('fs'), http = require('http');
const [, , directoryUrl, port, name, out] = process.argv;
const answers = new Map();
const server = http.createServer((request, response) => {
  const answer = answers.get(request.url.split('/').pop());
  response.writeHead(answer ? 200 : 404);
  response.end(answer || '');
});
(async () => {
  await new Promise((ready) => server.listen(Number(port), '127.0.0.1', ready));
  const client = new acme.Client({ directoryUrl, accountKey: await acme.crypto.createPrivateEcdsaKey() });
  const [, csr] = await acme.crypto.createCsr({ altNames: [name] });
  const chain = await client.auto({ csr, email: 'a@example.com', termsOfServiceAgreed: true,
    challengePriority: ['http-01'], skipChallengeVerification: true,
    challengeRemoveFn: async (_, challenge) => { answers.delete(challenge.token); },
    challengeCreateFn: async (_, challenge, keyAuthorization) => { answers.set(challenge.token, keyAuthorization); } });
  fs.writeFileSync(out, chain);
  await client.updateAccountKey(await acme.crypto.createPrivateKey());
  await client.revokeCertificate(chain, { reason: 4 });
  const account = await client.updateAccount({ status: 'deactivated' });
  console.log('account ' + account.status);
  server.close();
})().catch((error) => { console.error(error.message); process.exit(1); });
";

/// Runs the whole flow for one name and writes the chain it got to `chain`.
///
/// # Errors
/// When node cannot be run or takes too long; the exit status is for the caller to judge.
pub fn npm_acme_client(gateway: &Gateway, name: &str, chain: &Path) -> Result<Finished, HarnessError> {
    let flow = chain.with_file_name("flow.js");
    std::fs::write(&flow, FLOW).map_err(HarnessError::file(&flow))?;
    let mut command = Command::new("node");
    command
        .arg(&flow)
        .args([
            &gateway.directory("default")?,
            &gateway.http01_port().to_string(),
            name,
        ])
        .arg(chain);
    command
        .env("NODE_PATH", tools().join("npm/node_modules"))
        .env("NODE_EXTRA_CA_CERTS", gateway.tls_root()?);
    attempt(&mut command, LIMIT)
}
