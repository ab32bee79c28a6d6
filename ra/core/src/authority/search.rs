//! Operators search. The rows that are found decide nothing; whoever is to act on one reads its verified events.

use portreeve_pkix::{Certificate, SerialNumber, Timestamp};

use super::RegistrationAuthority;
use super::begin::serial_key;
use super::status::KnownCertificate;
use crate::domain::{BackendName, Refusal, Right, Standing, StreamKind};
use crate::error::Error;
use crate::ports::{CertificateRow, Cursor, Found, Page, RequestRow, Scan, Space};
use crate::search::{Among, BadCursor, Expression, Field, Plan, Position, Term, scope};
use crate::steps::verify;

/// Pages of a selection that are read, at most, each of a bounded number of rows.
const SELECTION_PAGES_MAX: usize = 500;

/// Rows of such a page.
const SELECTION_PAGE: u32 = 200;

/// Why a search gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The cursor is not one of this list.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// Several CAs have given this serial number.
    #[error("several CAs have given this serial number: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// The RA says no, not now, or fails.
    #[error(transparent)]
    Ra(#[from] Error),
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What must be true; `None` asks for all.
    pub query: Option<Expression>,
    /// Where an earlier page ended.
    pub after: Option<Cursor>,
    /// Rows, at most.
    pub limit: u32,
}

/// Certificates that were selected for an action.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The rows, at most as many as asked for.
    pub rows: Vec<CertificateRow>,
    /// Whether these are all.
    pub complete: bool,
}

impl RegistrationAuthority {
    /// Certificates that somebody may see and of which a query is true.
    pub async fn search_certificates(
        &self,
        standing: &Standing,
        search: &Search,
    ) -> Result<Page<CertificateRow>, SearchError> {
        let look = (Among::Certificates, self.now());
        let rights = [Right::CertificateRead];
        let Some((expression, plan, after)) = prepared(standing, &rights, search, look)? else {
            return Ok(nothing());
        };
        let scan = Scan {
            expression: expression.as_ref(),
            plan: &plan,
            now: look.1,
            after,
            limit: search.limit,
        };
        let found = self
            .parts
            .store
            .find_certificates(&scan)
            .await
            .map_err(Error::from)?;
        Ok(page(found, (search, Among::Certificates)))
    }

    /// Requests that somebody may see and of which a query is true.
    pub async fn search_requests(
        &self,
        standing: &Standing,
        search: &Search,
    ) -> Result<Page<RequestRow>, SearchError> {
        let look = (Among::Requests, self.now());
        let rights = [Right::RequestRead];
        let Some((expression, plan, after)) = prepared(standing, &rights, search, look)? else {
            return Ok(nothing());
        };
        let scan = Scan {
            expression: expression.as_ref(),
            plan: &plan,
            now: look.1,
            after,
            limit: search.limit,
        };
        let found = self.parts.store.find_requests(&scan).await.map_err(Error::from)?;
        Ok(page(found, (search, Among::Requests)))
    }

    /// The certificates that a query selects for an action under this right, up to a bound.
    pub async fn select_certificates(
        &self,
        standing: &Standing,
        (right, query): (Right, Expression),
        bound: usize,
    ) -> Result<Selection, SearchError> {
        let search = Search {
            query: Some(query),
            after: None,
            limit: SELECTION_PAGE,
        };
        let (now, mut rows, mut after) = (self.now(), Vec::new(), None);
        for _ in 0..SELECTION_PAGES_MAX {
            let look = (Among::Certificates, now);
            let rights = [Right::CertificateRead, right];
            let Some((expression, plan, _)) = prepared(standing, &rights, &search, look)? else {
                break;
            };
            let scan = Scan {
                expression: expression.as_ref(),
                plan: &plan,
                now,
                after,
                limit: SELECTION_PAGE,
            };
            let found = self
                .parts
                .store
                .find_certificates(&scan)
                .await
                .map_err(Error::from)?;
            rows.extend(found.items);
            after = found.next;
            if after.is_none() || rows.len() > bound {
                break;
            }
        }
        let complete = after.is_none() && rows.len() <= bound;
        rows.truncate(bound);
        Ok(Selection { rows, complete })
    }

    /// The certificate with this serial number that somebody may see, read from its verified events.
    pub async fn certificate(
        &self,
        standing: &Standing,
        (serial, backend): (&SerialNumber, Option<&BackendName>),
    ) -> Result<Option<KnownCertificate>, SearchError> {
        let term = Expression::Term(Term::octets(Field::Serial, padded(serial)));
        let of = backend.map(|name| Expression::Term(Term::one_of(Field::Backend, [name.to_string()])));
        let search = Search {
            query: Expression::all(std::iter::once(term).chain(of).collect()),
            after: None,
            limit: 10,
        };
        let rows = self.search_certificates(standing, &search).await?.items;
        let mut found = Vec::new();
        for row in &rows {
            let known = self.known_certificate(row.enrollment).await?;
            found.extend(known.filter(|known| {
                let signed_by = known.enrollment.application().map(|it| &it.backend);
                known.certificate.serial() == serial
                    && backend.is_none_or(|backend| signed_by == Some(backend))
                    && known.allows(standing, Right::CertificateRead)
            }));
        }
        if found.len() > 1 {
            let names = found.iter().filter_map(|known| known.enrollment.application());
            return Err(SearchError::Ambiguous(
                names.map(|application| application.backend.to_string()).collect(),
            ));
        }
        Ok(found.pop())
    }

    /// When a certificate of this CA was taken off hold, if it is good since: what its verified events say. For the
    /// publisher of revocation lists, which believes no row.
    pub async fn released(
        &self,
        backend: &BackendName,
        serial: &SerialNumber,
    ) -> Result<Option<Timestamp>, Error> {
        let chain = self.backend_of(backend)?.chain();
        let Some(issuer) = chain.issuers().first() else {
            return Ok(None);
        };
        let key = serial_key(issuer.subject_der(), serial.as_bytes());
        let stream = self.parts.store.reserved(Space::Serial, &key).await?;
        let Some(stream) = stream.filter(|stream| stream.kind == StreamKind::Enrollment) else {
            return Ok(None);
        };
        let enrollment = verify::enrollment(self.ledger.history(stream).await?);
        Ok(enrollment
            .filter(|enrollment| is_of(enrollment.value().certificate(), serial, issuer))
            .and_then(|enrollment| enrollment.value().released()))
    }
}

fn is_of(stored: Option<(&[u8], &[Vec<u8>])>, serial: &SerialNumber, issuer: &Certificate) -> bool {
    let certificate = stored.and_then(|(der, _)| Certificate::from_der(der).ok());
    certificate.is_some_and(|certificate| {
        certificate.serial() == serial && certificate.issuer_der() == issuer.subject_der()
    })
}

type Prepared = (Option<Expression>, Plan, Option<Position>);

/// The query within somebody's rights, and how it is read; `None` when what they have reaches nothing.
fn prepared(
    standing: &Standing,
    rights: &[Right],
    search: &Search,
    (among, now): (Among, Timestamp),
) -> Result<Option<Prepared>, SearchError> {
    let mut expression = search.query.clone();
    for right in rights {
        if !standing.may_somewhere(*right) {
            return Err(Error::from(Refusal::NotAuthorized).into());
        }
        match scope(standing, *right).with(expression) {
            Some(within) => expression = within,
            None => return Ok(None),
        }
    }
    let plan = Plan::of(expression.as_ref(), among, now);
    let list = (search.query.as_ref(), among);
    let after = search
        .after
        .as_ref()
        .map(|cursor| Position::from_cursor(cursor, list, &plan))
        .transpose()?;
    Ok(Some((expression, plan, after)))
}

fn page<T>(found: Found<T>, (search, among): (&Search, Among)) -> Page<T> {
    Page {
        items: found.items,
        next: found
            .next
            .map(|next| next.to_cursor(search.query.as_ref(), among)),
    }
}

const fn nothing<T>() -> Page<T> {
    Page {
        items: Vec::new(),
        next: None,
    }
}

/// Padded in front to 20 octets, as values of the language are.
pub(super) fn padded(serial: &SerialNumber) -> Vec<u8> {
    let octets = serial.as_bytes();
    let mut padded = vec![0; 20_usize.saturating_sub(octets.len())];
    padded.extend_from_slice(octets);
    padded
}
