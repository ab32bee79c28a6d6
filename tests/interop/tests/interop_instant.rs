//! instant-acme: the key of an account is changed, the old one is worth nothing from then on, the new one issues.

#![cfg(test)]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use portreeve_harness::clients::Certificate;
use portreeve_interop::{Site, names};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Answers = Arc<Mutex<HashMap<String, String>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a built gateway and pebble-challtestsrv: cargo xtask test --only interop"]
async fn changes_its_account_key() {
    let site = tokio::task::spawn_blocking(Site::start).await.unwrap().unwrap();
    let answers = Answers::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, site.gateway.http01_port()))
        .await
        .unwrap();
    tokio::spawn(respond(listener, Arc::clone(&answers)));

    let directory = site.gateway.directory("default").unwrap();
    let new_account = NewAccount {
        contact: &["mailto:a@example.com"],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (mut account, before) = builder(&site)
        .create(&new_account, directory, None)
        .await
        .unwrap();
    let id = account.id().to_owned();
    let after = account.update_key().await.unwrap();
    assert_eq!(account.id(), id, "the account is the same");

    let stale = builder(&site).from_credentials(before).await.unwrap();
    let refused = order(&stale, &answers, "old-key.test").await;
    assert!(refused.is_err(), "the old key is worth nothing");

    let credentials: AccountCredentials = after;
    let fresh = builder(&site).from_credentials(credentials).await.unwrap();
    let pem = order(&fresh, &answers, "new-key.test").await.unwrap();
    let file = site.path("chain.pem");
    std::fs::write(&file, pem).unwrap();
    let certificate = Certificate::read(&file).unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["new-key.test"]));

    let closed = fresh.deactivate().await;
    assert!(closed.is_ok(), "{closed:?}");
}

fn builder(site: &Site) -> instant_acme::AccountBuilder {
    Account::builder_with_root(site.gateway.tls_root().unwrap()).unwrap()
}

async fn order(account: &Account, answers: &Answers, name: &str) -> Result<String, instant_acme::Error> {
    let mut order = account
        .new_order(&NewOrder::new(&[Identifier::Dns(name.to_owned())]))
        .await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(ChallengeType::Http01).unwrap();
        let answer = challenge.key_authorization().as_str().to_owned();
        answers.lock().unwrap().insert(challenge.token.clone(), answer);
        challenge.set_ready().await?;
    }
    let status = order.poll_ready(&RetryPolicy::default()).await?;
    assert_eq!(status, OrderStatus::Ready);
    order.finalize().await?;
    order.poll_certificate(&RetryPolicy::default()).await
}

/// Answers `GET /.well-known/acme-challenge/TOKEN`.
async fn respond(listener: TcpListener, answers: Answers) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let token = request
                .split(' ')
                .nth(1)
                .and_then(|path| path.rsplit('/').next())
                .unwrap_or_default();
            let answer = answers.lock().unwrap().get(token).cloned().unwrap_or_default();
            let status = if answer.is_empty() {
                "404 Not Found"
            } else {
                "200 OK"
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
        });
    }
}
