//! The operator API: what people look at and decide.
//!
//! An axum router that the gateway mounts. It knows nothing about how somebody signed in: whoever mounts it puts a
//! [`SignedIn`] into the extensions of each request, and a request without one is refused. Failures are problem
//! documents (RFC 9457) whose `code` is stable; that of a refusal is [`portreeve_ra::Refusal::code`].

mod approvals;
pub mod auth;
mod certificates;
mod configuration;
mod etag;
mod idempotency;
mod incidents;
mod objects;
pub mod openapi;
mod operators;
mod paging;
mod people;
mod problem;
mod registrations;
mod requests;
mod secrets;
mod signed_in;
mod tokens;
mod whoami;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_extractor, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use portreeve_pkix::{Certificate, PublicKey};
use portreeve_ra::ports::{Documents, Random};
use portreeve_ra::{ObjectKind, OperatorName, RegistrationAuthority};
use std::path::PathBuf;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use approvals::{
    DecisionBody, DecisionView, EvidenceBody, ExcludedView, GrantBody, GrantStandingView, ProposalBody,
    ProposalView, StepView, SubjectView,
};
pub use certificates::{
    BulkBody, BulkOutcome, BulkPreview, BulkQuery, BulkRow, BulkView, CertificateDetail, CertificateView,
    HoldBody, RevocationBody,
};
pub use configuration::{
    AssentView, ChangeView, ConfigurationView, DiffEntry, DiffView, FindingView, RemarkView, Trial,
    TrialBody, TrialView, VersionView, Workbench, WriteBody, WriteMode,
};
pub use incidents::{ClosingBody, IncidentView};
pub use objects::{ObjectView, Publication};
pub use operators::{BootstrapView, CertificateBody, CertificateNamed, PasswordBody, ReasonBody};
pub use paging::List;
pub use people::{OperatorView, TextBody};
pub use problem::{Problem, ProblemDocument};
pub use registrations::{RegistrationBody, RegistrationVerdict, RegistrationView};
pub use requests::{RequestSummary, RequestView, ResolutionBody, ResolutionWord};
pub use secrets::{MadeSecretView, NewEabKeyBody, NewSecretBody, SecretView};
pub use signed_in::{Arrival, SignInMethod, SignedIn};
pub use tokens::{TokenBody, TokenMade, TokenView};
pub use whoami::WhoAmI;

/// Octets of a request body, at most: an object's text is at most 64 KiB and JSON may double it.
pub const BODY_BYTES_MAX: usize = 160 * 1024;

/// Issues the client certificates of operators.
#[async_trait]
pub trait CertifyOperators: Send + Sync {
    /// A client certificate of the management CA for this operator and key; if not, why, for the operator.
    async fn certify(&self, name: &OperatorName, key: PublicKey) -> Result<Certificate, String>;
}

/// What the API is given to work with.
#[derive(Clone)]
pub struct ConsoleParts {
    /// The Registration Authority.
    pub ra: Arc<RegistrationAuthority>,
    /// What the policy engine says of texts, for people.
    pub workbench: Arc<dyn Workbench>,
    /// Is told that an object of this kind was published.
    pub published: Arc<dyn Fn(ObjectKind) + Send + Sync>,
    /// Where tokens are found, and answers of calls with an `Idempotency-Key` are kept.
    pub documents: Arc<dyn Documents>,
    /// Salts of passwords.
    pub random: Arc<dyn Random>,
    /// Where one-time credentials are written.
    pub data_dir: PathBuf,
    /// Issues certificates of operators, on nodes with the key of the management CA.
    pub certifier: Option<Arc<dyn CertifyOperators>>,
    /// Hashes passwords.
    pub passwords: Arc<auth::Passwords>,
}

/// The operator API below `/api/v1`, with further paths that its mounter answers. Without a [`SignedIn`] none of it is
/// answered.
pub fn router(parts: ConsoleParts, further: Router) -> Router {
    let (resources, _) = resources().split_for_parts();
    let resources = resources
        .layer(from_fn_with_state(parts.clone(), idempotency::once))
        .with_state(parts);
    guarded(resources.merge(further))
}

/// What a node answers that is no console: only these paths, and likewise only to a [`SignedIn`].
pub fn without_resources(further: Router) -> Router {
    guarded(further)
}

/// Refuses whatever comes without a [`SignedIn`], whether or not its path exists.
fn guarded(router: Router) -> Router {
    router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(of_text))
        .layer(from_extractor::<SignedIn>())
}

/// A path whose octets are no UTF-8 names nothing. The router would say so in words that are no problem document.
async fn of_text(request: Request, next: Next) -> Response {
    match is_text(request.uri().path()) {
        true => next.run(request).await,
        false => Problem::NotFound("resource").into_response(),
    }
}

/// Whether a path is UTF-8 once it is decoded.
fn is_text(path: &str) -> bool {
    let mut parts = path.split('%');
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let encoded = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(encoded.unwrap_or(b'%'));
        octets.extend(part.bytes().skip(if encoded.is_some() { 2 } else { 0 }));
    }
    std::str::from_utf8(&octets).is_ok()
}

/// Every call, each described where it is written.
fn resources() -> OpenApiRouter<ConsoleParts> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(requests::list))
        .routes(routes!(requests::show))
        .routes(routes!(requests::approve))
        .routes(routes!(requests::reject))
        .routes(routes!(requests::resolve))
        .routes(routes!(requests::withdraw_grant))
        .routes(routes!(approvals::list, approvals::propose))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(certificates::list))
        .routes(routes!(certificates::show))
        .routes(routes!(certificates::files::file))
        .routes(routes!(certificates::status::revoke))
        .routes(routes!(certificates::status::hold))
        .routes(routes!(certificates::status::release))
        .routes(routes!(certificates::bulk::revoke_all))
        .routes(routes!(certificates::bulk::preview))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::close))
        .merge(configuration::routes())
        .merge(operating())
        .merge(of_registrations())
}

/// Calls about those who operate.
fn operating() -> OpenApiRouter<ConsoleParts> {
    OpenApiRouter::new()
        .routes(routes!(whoami::show))
        .routes(routes!(people::list_operators, people::create_operator))
        .routes(routes!(
            people::show_operator,
            people::replace_operator,
            people::remove_operator
        ))
        .routes(routes!(people::confirm_operator))
        .routes(routes!(operators::disable))
        .routes(routes!(operators::enable))
        .routes(routes!(operators::set_password))
        .routes(routes!(operators::add_certificate))
        .routes(routes!(operators::bootstrap))
        .routes(routes!(people::list_roles, people::create_role))
        .routes(routes!(
            people::show_role,
            people::replace_role,
            people::remove_role
        ))
        .routes(routes!(people::confirm_role))
        .routes(routes!(people::list_teams, people::create_team))
        .routes(routes!(
            people::show_team,
            people::replace_team,
            people::remove_team
        ))
        .routes(routes!(people::confirm_team))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
}

/// Calls about end entities that are known beforehand, and their secrets.
fn of_registrations() -> OpenApiRouter<ConsoleParts> {
    OpenApiRouter::new()
        .routes(routes!(registrations::list, registrations::create))
        .routes(routes!(registrations::show, registrations::define))
        .routes(routes!(registrations::suspend))
        .routes(routes!(registrations::resume))
        .routes(routes!(registrations::end))
        .routes(routes!(registrations::confirm))
        .routes(routes!(secrets::list, secrets::create))
        .routes(routes!(secrets::revoke))
        .routes(routes!(secrets::list_keys, secrets::create_key))
        .routes(routes!(secrets::revoke_key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::extract::Path;
    use axum::routing::get;
    use portreeve_ra::Standing;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use tower_service::Service;

    /// The status of a request, with or without somebody signed in.
    fn status(method: &str, path: &str, principal: Option<&str>) -> u16 {
        let further = Router::new()
            .route("/api/v1/further", get(|| async { "fine" }))
            .route(
                "/api/v1/further/{name}",
                get(|Path(name): Path<String>| async { name }),
            );
        let mut router = guarded(further);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        if let Some(name) = principal {
            request.extensions_mut().insert(SignedIn::host(
                Standing::superadmin(name.parse().unwrap()),
                [0; 16],
            ));
        }
        let answer = pin!(router.call(request));
        let Poll::Ready(Ok(response)): Poll<Result<Response, _>> =
            answer.poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits")
        };
        response.status().as_u16()
    }

    #[test]
    fn nothing_is_answered_without_a_principal() {
        let rows = [
            ("a path of the mounter", "GET", "/api/v1/further", 200),
            ("another method", "POST", "/api/v1/further", 405),
            ("no such path", "GET", "/api/v1/none", 404),
            ("a name", "GET", "/api/v1/further/%c3%a4%2", 200),
            ("a name that is no text", "GET", "/api/v1/further/%c3%2f", 404),
        ];
        for (name, method, path, expected) in rows {
            assert_eq!(status(method, path, None), 401, "{name}: nobody");
            assert_eq!(status(method, path, Some("host:root")), expected, "{name}");
        }
    }
}
