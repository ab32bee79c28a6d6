//! The checker: compares what clients were told with the store and the signer's journal, by set algebra.

mod certificate;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use portreeve_ra::{
    ClaimHandle, ClaimKey, EndpointName, Enrollment, EnrollmentEvent, EnrollmentId, EnrollmentState, Event,
    Operation, Record, StreamId, StreamKind,
};
use uuid::Uuid;

use self::certificate::{intended, serial, tbs};
use crate::FaultError;
use crate::database::Database;
use crate::journal::{self, Entry};
use crate::ledger::Line;
use crate::signatures::PublicKeys;
use crate::site::Site;

/// What the checker found.
#[derive(Debug, Default)]
pub struct Report {
    /// What must not be, in words; empty when all is well.
    pub violations: Vec<String>,
    /// Enrollments with a certificate.
    pub issued: usize,
    /// Enrollments whose contents stand in the journal of a signer.
    pub signed: usize,
    /// Orders that were finalized.
    pub finalized: usize,
}

/// Checks everything there is about a gateway that has stopped and whose clients are done.
pub async fn check(site: &Site) -> Result<Report, FaultError> {
    check_at(site.gateway.data_dir(), &Known::of(site)).await
}

/// What clients know.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Their orders.
    pub lines: Vec<(Option<Uuid>, Line)>,
    /// The certificates the gateway has shown of itself, and those of its operators, in DER.
    pub own: Vec<Vec<u8>>,
}

impl Known {
    /// What the clients of a site know.
    pub fn of(site: &Site) -> Self {
        Self {
            lines: site.ledger.lines(),
            own: site.wire.servers(),
        }
    }
}

/// Checks a data directory against what clients know.
pub async fn check_at(data_dir: &Path, known: &Known) -> Result<Report, FaultError> {
    let mut database = Database::open(data_dir).await?;
    let report = examine(&mut database, data_dir, known).await;
    database.close().await?;
    report
}

async fn examine(database: &mut Database, data_dir: &Path, known: &Known) -> Result<Report, FaultError> {
    let records = database.records().await?;
    let mut report = Report::default();
    match PublicKeys::find(&database.values().await?) {
        Some(keys) => report.verify(&records, &keys),
        None => report.violation("no keyset in the store"),
    }
    let enrollments = report.replay(&records)?;
    report.serials(&enrollments);
    report.rows(
        &enrollments,
        &database.request_states().await?,
        &database.certificate_rows().await?,
    );
    let own = own::signatures(&records, &known.own)?;
    report.journal(&enrollments, &journal::read_all(data_dir)?, &own);
    report.orders(&enrollments, &known.lines)?;
    let left = database.tasks_left().await?;
    if left > 0 {
        report.violation(format!("{left} tasks are left"));
    }
    let incidents = database.incidents().await?;
    if !incidents.is_empty() {
        report.violation(format!("incidents: {incidents:?}"));
    }
    Ok(report)
}

impl Report {
    fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Each record is signed by whom it says, in its place, and follows the one before.
    fn verify(&mut self, records: &[Record], keys: &PublicKeys) {
        let mut heads: BTreeMap<StreamId, (u64, [u8; 32])> = BTreeMap::new();
        for record in records {
            let header = record.header();
            let (position, previous) = heads.get(&header.stream).copied().unwrap_or((0, [0; 32]));
            if header.position != position + 1 || header.previous != previous {
                self.violation(format!(
                    "{} is broken at position {}",
                    header.stream, header.position
                ));
            }
            if !keys.verify(record) {
                self.violation(format!(
                    "{} does not verify at position {}",
                    header.stream, header.position
                ));
            }
            heads.insert(header.stream, (header.position, record.hash()));
        }
    }

    /// The enrollments; each goes through its states in order, and its certificate is the one that was intended.
    fn replay(&mut self, records: &[Record]) -> Result<BTreeMap<EnrollmentId, Enrollment>, FaultError> {
        let mut enrollments = BTreeMap::new();
        for record in records
            .iter()
            .filter(|record| record.header().stream.kind == StreamKind::Enrollment)
        {
            let id = EnrollmentId::from_bytes(record.header().stream.id);
            let enrollment = enrollments.entry(id).or_insert_with(|| Enrollment::new(id));
            for event in record.events()? {
                let Event::Enrollment(event) = event else { continue };
                let before = enrollment.state();
                if !follows(before, &event) {
                    self.violation(format!("{id}: {} after {before:?}", event.kind().as_str()));
                }
                if let EnrollmentEvent::Issued { certificate, .. } = &event {
                    self.issued += 1;
                    if intended(enrollment) != tbs(certificate) {
                        self.violation(format!("{id}: the certificate is not the one that was intended"));
                    }
                }
                enrollment.apply(&event, record.header().at);
            }
        }
        Ok(enrollments)
    }

    /// No serial number twice, neither intended nor issued.
    fn serials(&mut self, enrollments: &BTreeMap<EnrollmentId, Enrollment>) {
        let intents = enrollments.values().filter_map(Enrollment::intent);
        let serials: Vec<_> = intents
            .filter_map(|intent| Some((intent.issuer.clone(), intent.serial()?.as_bytes().to_vec())))
            .collect();
        if serials.iter().collect::<BTreeSet<_>>().len() != serials.len() {
            self.violation("a serial number was used twice");
        }
    }

    /// The lists show what the events tell.
    fn rows(
        &mut self,
        enrollments: &BTreeMap<EnrollmentId, Enrollment>,
        requests: &[(EnrollmentId, String)],
        certificates: &[(EnrollmentId, Vec<u8>)],
    ) {
        let told: BTreeMap<_, _> = enrollments
            .iter()
            .map(|(id, enrollment)| {
                (
                    *id,
                    enrollment
                        .state()
                        .map_or("none", EnrollmentState::as_str)
                        .to_owned(),
                )
            })
            .collect();
        let shown: BTreeMap<_, _> = requests.iter().cloned().collect();
        if told != shown {
            let of = |id| (id, told.get(&id), shown.get(&id));
            let differing: Vec<_> = told
                .keys()
                .chain(shown.keys())
                .map(|id| of(*id))
                .filter(|(_, a, b)| a != b)
                .collect();
            self.violation(format!(
                "the list of requests differs from the events: {differing:?}"
            ));
        }
        let told: BTreeSet<_> = enrollments
            .values()
            .filter_map(|enrollment| Some((enrollment.id, serial(enrollment)?)))
            .collect();
        if told != certificates.iter().cloned().collect() {
            self.violation("the list of certificates differs from the events");
        }
    }

    /// Each signature has an intent with the same bytes or is one of the installation's own, and each certificate a
    /// signature.
    fn journal(
        &mut self,
        enrollments: &BTreeMap<EnrollmentId, Enrollment>,
        entries: &[Entry],
        own: &BTreeSet<[u8; 32]>,
    ) {
        let mut signed = BTreeMap::new();
        for entry in entries {
            let before = signed.insert(entry.enrollment, entry.digest);
            if before.is_some_and(|other| other != entry.digest) {
                self.violation(format!("{}: the signer signed two contents", entry.enrollment));
            }
            match enrollments.get(&entry.enrollment) {
                Some(enrollment) if intended(enrollment) == Some(entry.digest) => {
                    // Another node signs the same bytes again when the first one did not come to say so.
                    self.signed += usize::from(before.is_none());
                }
                Some(_) => self.violation(format!("{}: the signer signed something else", entry.enrollment)),
                None if own.contains(&entry.digest) => {}
                None => self.violation(format!(
                    "{}: the signer signed without an intent",
                    entry.enrollment
                )),
            }
        }
        for (id, _) in enrollments
            .iter()
            .filter(|(_, enrollment)| enrollment.certificate().is_some())
        {
            if !signed.contains_key(id) {
                self.violation(format!("{id}: issued, and the signer knows nothing of it"));
            }
        }
    }

    /// Each order that was finalized has exactly one certificate, and it is the one its client has.
    fn orders(
        &mut self,
        enrollments: &BTreeMap<EnrollmentId, Enrollment>,
        lines: &[(Option<Uuid>, Line)],
    ) -> Result<(), FaultError> {
        let mut by_claim: BTreeMap<ClaimKey, Vec<&Enrollment>> = BTreeMap::new();
        for enrollment in enrollments.values() {
            if let Some(application) = enrollment.application() {
                by_claim.entry(application.claim).or_default().push(enrollment);
            }
        }
        for (order, line) in lines {
            let order = order.ok_or(FaultError::Unreadable("id of an order"))?;
            let endpoint =
                EndpointName::new(&line.endpoint).map_err(|_| FaultError::Unreadable("endpoint"))?;
            let claim = ClaimKey::new(
                &endpoint,
                Operation::Enroll,
                &ClaimHandle(order.as_bytes().to_vec()),
            );
            let known = by_claim.remove(&claim).unwrap_or_default();
            let issued: Vec<_> = known
                .iter()
                .filter_map(|enrollment| enrollment.certificate())
                .collect();
            let given = line.certificate.as_deref();
            self.finalized += usize::from(line.finalized);
            match (line.finalized, issued.as_slice(), given) {
                (false, [], None) => {}
                (true, [(certificate, _)], Some(given)) if *certificate == given => {}
                (_, issued, given) => self.violation(format!(
                    "{}: finalized {}, {} certificates, the client has one: {}",
                    line.name,
                    line.finalized,
                    issued.len(),
                    given.is_some()
                )),
            }
        }
        for enrollment in by_claim.into_values().flatten() {
            self.violation(format!("{}: no client ordered this", enrollment.id));
        }
        Ok(())
    }
}

/// Whether this may happen in that state.
const fn follows(state: Option<EnrollmentState>, event: &EnrollmentEvent) -> bool {
    use EnrollmentState as S;
    match event {
        EnrollmentEvent::Submitted(_) => state.is_none(),
        EnrollmentEvent::Received(_) => matches!(state, None | Some(S::Submitted)),
        EnrollmentEvent::Referred { .. } => matches!(state, Some(S::Received)),
        EnrollmentEvent::Approved { .. } => matches!(state, Some(S::Received | S::AwaitingApproval)),
        EnrollmentEvent::Issuing { .. } => matches!(state, Some(S::Approved)),
        EnrollmentEvent::Issued { .. } => matches!(state, Some(S::Issuing)),
        EnrollmentEvent::Revoked { .. }
        | EnrollmentEvent::RevocationRequested(_)
        | EnrollmentEvent::Confirmed => matches!(state, Some(S::Issued)),
        _ => false,
    }
}
