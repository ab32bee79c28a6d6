//! Edits that are to let the holder of one key act for the account of another.

use instant_acme::{Account, Key};
use portreeve_faults::client::Client;
use portreeve_faults::forge;
use portreeve_faults::site::Site;
use portreeve_pkix::{PublicKey, sha256};
use portreeve_ra::{AccountEvent, Event, Purpose, StreamId, StreamKind};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use uuid::Uuid;

use super::{LIMIT, Rewriting, SIGNATURES, incidents, incidents_shown, only_event, rewrite, signed, start};

/// An account with a proven name, and somebody else with a key.
struct Scene {
    site: Site,
    /// The account's URL.
    victim: String,
    key: PrivatePkcs8KeyDer<'static>,
    public: PublicKey,
    directory: String,
}

impl Scene {
    async fn set() -> Self {
        let site = start().await;
        let client = site.client("default").await.unwrap();
        client.obtain("victim.localhost", LIMIT).await.unwrap();
        let directory = site.gateway.directory("default").unwrap();
        let (key, pkcs8) = Key::generate_pkcs8().unwrap();
        let builder = Account::builder_with_http(Box::new(site.wire.clone()));
        let pair = (key, PrivateKeyDer::Pkcs8(pkcs8.clone_key()));
        let (own, _) = builder.create_from_key(pair, directory.clone()).await.unwrap();
        let (_, opened) = only_event(&site, account_stream(own.id())).await;
        let Event::Account(AccountEvent::Opened { key: public, .. }) = opened else {
            panic!("{opened:?}")
        };
        Self {
            victim: client.account().id().to_owned(),
            site,
            key: pkcs8,
            public,
            directory,
        }
    }

    fn stream(&self) -> StreamId {
        account_stream(&self.victim)
    }

    /// The other key signs for the account.
    async fn act_as_victim(&self) -> Result<String, portreeve_faults::FaultError> {
        let builder = Account::builder_with_http(Box::new(self.site.wire.clone()));
        let account = builder
            .from_parts(self.victim.clone(), self.key.clone_key(), self.directory.clone())
            .await
            .unwrap();
        Client::of(account, &self.site, "default")
            .order_once("victim.localhost")
            .await
    }

    /// The other key asks which account it has.
    async fn look_up(&self) -> Result<String, instant_acme::Error> {
        let builder = Account::builder_with_http(Box::new(self.site.wire.clone()));
        let key = Key::from_pkcs8_der(self.key.clone_key()).unwrap();
        let pair = (key, PrivateKeyDer::Pkcs8(self.key.clone_key()));
        builder
            .from_key(pair, self.directory.clone())
            .await
            .map(|(account, _)| account.id().to_owned())
    }
}

fn account_stream(url: &str) -> StreamId {
    let id = Uuid::try_parse(url.rsplit('/').next().unwrap()).unwrap();
    StreamId {
        kind: StreamKind::Account,
        id: id.into_bytes(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_account_key_opens_nothing() {
    for how in [Rewriting::Payload, Rewriting::WithDigest] {
        let mut scene = Scene::set().await;
        let before = signed(&scene.site).await;
        let (record, event) = only_event(&scene.site, scene.stream()).await;
        let Event::Account(AccountEvent::Opened {
            endpoint,
            contacts,
            agreed,
            ..
        }) = event
        else {
            panic!("{event:?}")
        };
        let event = AccountEvent::Opened {
            endpoint,
            key: scene.public.clone(),
            contacts,
            agreed,
        };
        rewrite(&scene.site, (&record, Event::Account(event)), how).await;

        scene.act_as_victim().await.unwrap_err();
        scene.act_as_victim().await.unwrap_err();
        scene.site.restart().unwrap();
        scene.act_as_victim().await.unwrap_err();
        assert_eq!(
            incidents(&scene.site).await,
            [("tampered", scene.stream())],
            "{how:?}"
        );
        assert_eq!(signed(&scene.site).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inserted_key_change_opens_nothing() {
    for (name, signature) in SIGNATURES {
        let mut scene = Scene::set().await;
        let before = signed(&scene.site).await;
        let mut database = scene.site.database().await.unwrap();
        let records = database.stream(scene.stream()).await.unwrap();
        let change = [Event::Account(AccountEvent::KeyChanged {
            key: scene.public.clone(),
        })];
        let genuine = signature(&records[0]);
        let forged = forge::record((scene.stream(), &records), (Purpose::Edge, &change), genuine).unwrap();
        database.insert(&forged).await.unwrap();

        scene.act_as_victim().await.unwrap_err();
        scene.act_as_victim().await.unwrap_err();
        scene.site.restart().unwrap();
        scene.act_as_victim().await.unwrap_err();
        assert_eq!(
            incidents(&scene.site).await,
            [("tampered", scene.stream())],
            "{name}"
        );
        assert_eq!(signed(&scene.site).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_leads_to_another_account_opens_nothing() {
    let mut scene = Scene::set().await;
    let before = signed(&scene.site).await;
    let index = sha256(&[b"acme/default\0".as_slice(), &scene.public.fingerprint()].concat());
    let edited = scene
        .site
        .database()
        .await
        .unwrap()
        .redirect_key(index, scene.stream())
        .await
        .unwrap();
    assert_eq!(edited, 1);

    for restart in [false, false, true] {
        if restart {
            scene.site.restart().unwrap();
        }
        scene.look_up().await.unwrap_err();
        scene.act_as_victim().await.unwrap_err();
    }
    assert_eq!(incidents(&scene.site).await, [("tampered", scene.stream())]);
    assert_eq!(incidents_shown(&scene.site), 1);
    assert_eq!(signed(&scene.site).await, before);
}
