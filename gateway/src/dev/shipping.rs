//! What `dev` publishes at a start: what is not there, what an earlier `dev` has written, and what `--set` asks for. What
//! somebody else has written or retired stays as it is.

use portreeve_ra::objects::Publisher;
use portreeve_ra::{Actor, Error, ObjectHistory, Origin, Principal, RegistrationAuthority};

use super::objects::{DevObject, ObjectsError};
use crate::running::StartError;

/// What becomes of an object at a start.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Shipping {
    /// This text is published, unless it is in force.
    Publish(String, Actor),
    /// Nothing.
    Leave,
}

/// Publishes an object of `dev`, if it is for `dev` to do so.
pub async fn ship(ra: &RegistrationAuthority, object: &DevObject) -> Result<(), StartError> {
    let history = ra.objects().history(object.kind, &object.name).await?;
    let Shipping::Publish(body, actor) = shipping(object, history.as_ref())? else {
        return Ok(());
    };
    object.readable(&body)?;
    let by = Publisher {
        actor,
        origin: Origin::node(ra.node()),
        reason: "shipped with portreeve dev".to_owned(),
    };
    let published = ra.objects().publish(object.kind, &object.name, body, by).await;
    published.map(|_| ()).map_err(|error: Error| error.into())
}

fn shipping(object: &DevObject, history: Option<&ObjectHistory>) -> Result<Shipping, ObjectsError> {
    let ours = || Shipping::Publish(object.body.clone(), Actor::Node);
    let Some(history) = history else {
        return Ok(ours());
    };
    let current = history.current();
    let written = current.and_then(|current| history.revision(current.version));
    match (current, written) {
        (Some(_), Some(revision)) if revision.written.by == Actor::Node => Ok(ours()),
        // Who starts `dev` says so; it is their change.
        (Some(current), _) if !object.given.is_empty() => {
            let body = object.laid_over(&current.body)?;
            Ok(body.map_or(Shipping::Leave, |body| Shipping::Publish(body, host())))
        }
        (None, _) if !object.given.is_empty() => Ok(Shipping::Publish(object.body.clone(), host())),
        _ => Ok(Shipping::Leave),
    }
}

const fn host() -> Actor {
    Actor::Operator(Principal::Host)
}

#[cfg(test)]
mod tests {
    use portreeve_pkix::Timestamp;
    use portreeve_ra::{Deed, ObjectEvent, ObjectKind, ObjectVersion};

    use super::*;

    fn object(given: &[&str]) -> DevObject {
        DevObject {
            kind: ObjectKind::Endpoint,
            name: "acme/default".to_owned(),
            body: "a = 1\n".to_owned(),
            given: given.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn history(events: &[(&str, Actor)]) -> ObjectHistory {
        let mut history = ObjectHistory::default();
        for (number, (body, by)) in events.iter().enumerate() {
            let event = match *body {
                "retired" => ObjectEvent::Retired,
                body => ObjectEvent::Published(ObjectVersion {
                    kind: ObjectKind::Endpoint,
                    name: "acme/default".to_owned(),
                    version: u32::try_from(number).unwrap() + 1,
                    body: body.to_owned(),
                }),
            };
            let deed = Deed {
                by: by.clone(),
                at: Timestamp::default(),
                reason: String::new(),
            };
            history.apply(&event, &deed);
        }
        history
    }

    /// A name, what `--set` says, the texts so far with who wrote each, what follows.
    type Row = (
        &'static str,
        &'static [&'static str],
        Vec<(&'static str, Actor)>,
        Shipping,
    );

    #[test]
    fn what_others_wrote_stays() {
        let ann = || Actor::Operator("operator:ann".parse().unwrap());
        let publish = |text: &str, by: Actor| Shipping::Publish(text.to_owned(), by);
        let rows: [Row; 8] = [
            ("nothing there", &[], vec![], publish("a = 1\n", Actor::Node)),
            (
                "an older one of ours",
                &[],
                vec![("a = 0", Actor::Node)],
                publish("a = 1\n", Actor::Node),
            ),
            (
                "somebody's",
                &[],
                vec![("a = 0", Actor::Node), ("a = 2", ann())],
                Shipping::Leave,
            ),
            (
                "retired",
                &[],
                vec![("a = 0", Actor::Node), ("retired", ann())],
                Shipping::Leave,
            ),
            (
                "an option lies over somebody's",
                &["b=3"],
                vec![("a = 2", ann())],
                publish("a = 2\nb = 3\n", host()),
            ),
            (
                "and is there already",
                &["b=3"],
                vec![("b=3\na=2", ann())],
                Shipping::Leave,
            ),
            (
                "an option for what was retired",
                &["b=3"],
                vec![("a = 0", Actor::Node), ("retired", ann())],
                publish("a = 1\n", host()),
            ),
            (
                "an option lies over ours",
                &["b=3"],
                vec![("a = 0", Actor::Node)],
                publish("a = 1\n", Actor::Node),
            ),
        ];
        for (name, given, events, expected) in rows {
            let history = history(&events);
            let history = (!events.is_empty()).then_some(&history);
            assert_eq!(shipping(&object(given), history).unwrap(), expected, "{name}");
        }
    }
}
