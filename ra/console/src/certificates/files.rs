//! Downloads of certificates.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use portreeve_pkix::{bundle, pem};
use portreeve_ra::authority::KnownCertificate;

use super::{WhichCa, load};
use crate::ConsoleParts;
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// A file that is offered of every certificate.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Offered {
    /// `certificate.pem`: the certificate alone.
    Pem,
    /// `certificate.der`: the certificate alone.
    Der,
    /// `certificate.p7b`: the certificate and its chain as CMS (RFC 5652), in DER.
    P7b,
    /// `chain.pem`: the certificate and its chain, without the root.
    Chain,
}

impl Offered {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "certificate.pem" => Self::Pem,
            "certificate.der" => Self::Der,
            "certificate.p7b" => Self::P7b,
            "chain.pem" => Self::Chain,
            _ => return None,
        })
    }

    const fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Pem | Self::Chain => "application/pem-certificate-chain",
            Self::Der => "application/pkix-cert",
            Self::P7b => "application/x-pkcs7-certificates",
        })
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Pem => ".pem",
            Self::Der => ".cer",
            Self::P7b => ".p7b",
            Self::Chain => "-chain.pem",
        }
    }

    fn body(self, known: &KnownCertificate) -> Vec<u8> {
        let (own, chain) = known.enrollment.certificate().unwrap_or_default();
        let all = std::iter::once(own).chain(chain.iter().map(Vec::as_slice));
        match self {
            Self::Pem => pem::encode("CERTIFICATE", own).into_bytes(),
            Self::Der => own.to_vec(),
            Self::P7b => bundle::certificates(&all.collect::<Vec<_>>()),
            Self::Chain => {
                let texts: String = all.map(|der| pem::encode("CERTIFICATE", der)).collect();
                texts.into_bytes()
            }
        }
    }
}

#[utoipa::path(get, path = "/api/v1/certificates/{serial}/{file}", tag = "certificates",
    params(("serial" = String, Path, description = "The serial number, in hex"),
           ("file" = String, Path, description = "certificate.pem, certificate.der, certificate.p7b or chain.pem"), WhichCa),
    responses((status = 200, description = "The file"), Problem))]
pub(crate) async fn file(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path((serial, name)): Path<(String, String)>,
    which: Result<Query<WhichCa>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(which) = which?;
    let offered = Offered::from_name(&name).ok_or(Problem::NotFound("file"))?;
    let known = load(&parts.ra, &signed_in, (&serial, which)).await?;
    let mut response = (StatusCode::OK, offered.body(&known)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, offered.media_type());
    let name = format!(
        "attachment; filename=\"{}{}\"",
        known.certificate.serial().to_hex(),
        offered.ending()
    );
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
