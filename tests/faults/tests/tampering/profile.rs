//! Edits of a stored profile.

use portreeve_faults::client::request_for;
use portreeve_faults::site::Site;
use portreeve_ra::{EnrollmentEvent, Event, ObjectEvent, ObjectKind, ObjectVersion};

use super::{
    LIMIT, Rewriting, assert_not_valid, incidents, incidents_shown, only_event, rewrite, signed, start,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_profile_issues_nothing() {
    for how in [Rewriting::Payload, Rewriting::WithDigest] {
        let mut site = start().await;
        let client = site.client("default").await.unwrap();
        client.obtain("before.localhost", LIMIT).await.unwrap();
        let url = client.order("after.localhost", LIMIT).await.unwrap();
        client.make_ready(&url, LIMIT).await.unwrap();
        let before = signed(&site).await;

        let stream = ObjectVersion::stream(ObjectKind::Profile, &profile_of_last(&site).await);
        let (record, event) = only_event(&site, stream).await;
        let Event::Object(ObjectEvent::Published(mut version)) = event else {
            panic!("no profile: {event:?}")
        };
        version.body = format!("{}\n# anything goes\n", version.body);
        rewrite(
            &site,
            (&record, Event::Object(ObjectEvent::Published(version))),
            how,
        )
        .await;

        for _ in 0..2 {
            client
                .finalize(&url, &request_for("after.localhost").unwrap())
                .await
                .unwrap_err();
            assert_not_valid(&client, &url).await;
        }
        assert_eq!(incidents(&site).await, [("tampered", stream)], "{how:?}");
        assert_eq!(incidents_shown(&site), 1);
        // Whether it starts again on such a store or refuses to: nothing is issued and nothing is raised twice.
        if site.restart().is_ok() {
            client
                .finalize(&url, &request_for("after.localhost").unwrap())
                .await
                .unwrap_err();
        }
        assert_eq!(incidents(&site).await, [("tampered", stream)], "{how:?}");
        assert_eq!(signed(&site).await, before);
    }
}

/// The profile that the last enrollment was judged by.
async fn profile_of_last(site: &Site) -> String {
    let records = site.database().await.unwrap().records().await.unwrap();
    let profiles = records
        .iter()
        .flat_map(|record| record.events().unwrap())
        .filter_map(|event| match event {
            Event::Enrollment(EnrollmentEvent::Received(application)) => {
                Some(application.profile.to_string())
            }
            _ => None,
        });
    profiles.last().unwrap()
}
