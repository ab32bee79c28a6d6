//! Another person. The console of a fleet has no TLS, so only its host reaches it; what somebody else would confirm elsewhere
//! is written here with its keys, as its API does.

use portreeve_faults::fleet::Fleet;
use portreeve_ra::ports::EventSigner;
use portreeve_ra::{
    Actor, Circumstances, Event, ObjectEvent, ObjectKind, ObjectVersion, Origin, Place, Principal, Purpose,
    Record, Unsigned,
};

use crate::walls::{insert, keys_of};

/// Confirms what the host has published, so that the host does not count as one of those who ask.
pub(crate) async fn confirms(fleet: &Fleet) {
    let name = fleet.console_name().unwrap();
    let (wrapped, keks) = keys_of(fleet, name).await;
    let keys = wrapped.open(&keks, &[Purpose::Console]).unwrap();
    let mut console = fleet.as_node(name).await.unwrap();
    let records = fleet.records().await.unwrap();
    let by: Principal = "operator:another".parse().unwrap();
    let objects = [
        (ObjectKind::Endpoint, "acme/approval"),
        (ObjectKind::Profile, "dev"),
        (ObjectKind::ApprovalPolicy, "one"),
    ];
    for (kind, name) in objects {
        let stream = ObjectVersion::stream(kind, name);
        let of_object = records.iter().filter(|record| record.header().stream == stream);
        let last = of_object.max_by_key(|record| record.header().position).unwrap();
        let place = Place {
            stream,
            position: last.header().position + 1,
            previous: Record::hash(last),
        };
        let circumstances = Circumstances {
            purpose: Purpose::Console,
            at: portreeve_pkix::Timestamp::from_unix_millis(portreeve_faults::database::now_millis()),
            actor: Actor::Operator(by.clone()),
            origin: Origin::node(last.header().origin.node),
            reason: "looked at".to_owned(),
        };
        let event = ObjectEvent::Confirmed {
            version: 1,
            by: by.clone(),
        };
        let unsigned = Unsigned::new(place, circumstances, &[Event::Object(event)], [7; 16]).unwrap();
        let (key, signature) = keys.sign(Purpose::Console, &unsigned.signed_bytes()).unwrap();
        let record = unsigned.sign_with(key, signature);
        assert_eq!(insert(&mut console, &record).await, "ok", "{name}");
    }
}
