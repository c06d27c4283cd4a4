//! What a failed call to the controller means: whether it passes, and what is to be mended if it does not.

use std::error::Error as StdError;

use exporter_wire::tls::tls_in;
use flasher_base::safe;
use flasher_core::Error;
use tonic::{Code, Status};

use crate::link::{Link, LinkKind};

/// Longest text of a controller in a message of ours, characters.
const LONGEST: usize = 300;

/// What a failed call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallRefusal {
    /// Another try may work.
    Passing,
    /// The controller does not know the call: it is an older one.
    Unknown,
    /// No try will work before this is mended.
    Lasting(Fault),
}

/// What is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Token,
    ExpiredToken,
    ForeignToken,
    NoIdentity,
    NoLease,
    Identity,
    Certificate,
    Clock,
}

impl CallRefusal {
    pub(crate) fn of(status: &Status) -> Self {
        if let Some(fault) = certificate(status) {
            return Self::Lasting(fault);
        }
        match status.code() {
            Code::Unimplemented => Self::Unknown,
            Code::Unauthenticated => Self::Lasting(Fault::Token),
            Code::PermissionDenied => Self::Lasting(Fault::ForeignToken),
            Code::InvalidArgument => Self::Lasting(Fault::Identity),
            Code::Unknown => by_words(status),
            _ => Self::Passing,
        }
    }
}

/// The controller gives some lasting refusals as UNKNOWN, as it does with what passes: only its words tell them apart.
fn by_words(status: &Status) -> CallRefusal {
    let words = status.message().to_lowercase();
    let has = |word: &str| words.contains(word);
    match () {
        () if has("token is expired") => CallRefusal::Lasting(Fault::ExpiredToken),
        () if has("oidc:") || has("authenticate token") => CallRefusal::Lasting(Fault::Token),
        () if has("leases") && has("not found") => CallRefusal::Lasting(Fault::NoLease),
        () if (has("exporter") || has("client")) && has("not found") => {
            CallRefusal::Lasting(Fault::NoIdentity)
        }
        () => CallRefusal::Passing,
    }
}

/// What is wrong with the other end's certificate, when that is why there is no connection.
fn certificate(status: &Status) -> Option<Fault> {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match tls_in(status)? {
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Some(Fault::Clock),
        rustls::Error::InvalidCertificate(_) => Some(Fault::Certificate),
        _ => None,
    }
}

impl Fault {
    fn help(self, kind: LinkKind) -> &'static str {
        match (self, kind) {
            (Self::Token, LinkKind::Client) => {
                "`jmp login` gets a new token; or put that of the secret `NAME-client` into `token` of the client file"
            }
            (Self::Token, LinkKind::Exporter) => {
                "put the exporter's token into `token`: the lab's administrator has it, in the secret `NAME-exporter`"
            }
            (Self::ExpiredToken, LinkKind::Client) => {
                "`jmp login` gets a new token; and look whether the clock of this machine is right (`timedatectl`)"
            }
            (Self::ExpiredToken, LinkKind::Exporter) => {
                "put a new token into `token`, and look whether the clock of this machine is right (`timedatectl`)"
            }
            (Self::ForeignToken, LinkKind::Client) => {
                "`token` belongs to another client or to an exporter: `metadata` and `token` must be of the same one"
            }
            (Self::ForeignToken, LinkKind::Exporter) => {
                "`token` belongs to another exporter or to a client: `metadata` and `token` must be of the same one"
            }
            (Self::NoIdentity, LinkKind::Client) => {
                "have the lab's administrator make this client, or correct `metadata.namespace` and `metadata.name`"
            }
            (Self::NoLease, _) => "`jmp get leases` lists the leases",
            (Self::NoIdentity, LinkKind::Exporter) => {
                "have the lab's administrator make this exporter, or correct `metadata.namespace` and `metadata.name`"
            }
            (Self::Identity, _) => {
                "look at `endpoint`, `metadata` and `token`: is it a controller of Jumpstarter that answers there?"
            }
            (Self::Certificate, _) => {
                "put the certificate of the authority that signs the controller's into `tls.ca`, in base64; the name in `endpoint` must be one of the certificate's"
            }
            (Self::Clock, _) => {
                "look whether the clock of this machine is right (`timedatectl`); if it is, the certificate of the other end has to be renewed"
            }
        }
    }
}

/// The failure as a user reads it. `what` is what was asked for, as in `the controller at x does not take the exporter`.
pub(crate) fn error(what: &str, link: &Link, fault: Fault, status: &Status) -> Error {
    let Link { namespace, name, kind, .. } = link;
    Error::config(format!("{what} `{namespace}/{name}`: {}", words(status)))
        .help(fault.help(*kind))
        .retryable(false)
}

/// The same with what to mend, when there is something.
pub(crate) fn advised(refusal: CallRefusal, status: &Status, kind: LinkKind) -> String {
    match refusal {
        CallRefusal::Lasting(fault) => format!("{} ({})", words(status), fault.help(kind)),
        CallRefusal::Passing | CallRefusal::Unknown => words(status),
    }
}

/// What the other end said, or why it could not be asked, for a message.
pub(crate) fn words(status: &Status) -> String {
    if let Some(tls) = tls_in(status) {
        return safe::short(&safe::one_line(&tls.to_string()), LONGEST);
    }
    // Where there is no connection the cause says why, and the text does not.
    let causes = std::iter::successors(status.source(), |cause| (**cause).source());
    let said = causes.last().map_or_else(|| status.message().to_owned(), ToString::to_string);
    let said = safe::short(&safe::one_line(&said), LONGEST);
    if said.is_empty() { status.code().to_string() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_is_for_the_operator() {
        let check = |code: Code, text: &str, expected: CallRefusal| {
            assert_eq!(CallRefusal::of(&Status::new(code, text)), expected, "{code:?} {text}");
        };
        let lasting = CallRefusal::Lasting;
        check(Code::Unavailable, "connection refused", CallRefusal::Passing);
        check(Code::DeadlineExceeded, "", CallRefusal::Passing);
        check(Code::Internal, "panic", CallRefusal::Passing);
        check(Code::Unimplemented, "unknown method ReportStatus", CallRefusal::Unknown);
        check(Code::Unauthenticated, "missing authorization metadata", lasting(Fault::Token));
        check(Code::PermissionDenied, "permission denied for exporter lab/one", lasting(Fault::ForeignToken));
        check(Code::InvalidArgument, "invalid object kind", lasting(Fault::Identity));
        check(Code::Unknown, "oidc: verify token: oidc: token is expired (…)", lasting(Fault::ExpiredToken));
        check(Code::Unknown, "oidc: malformed jwt", lasting(Fault::Token));
        check(Code::Unknown, "failed to authenticate token", lasting(Fault::Token));
        check(
            Code::Unknown,
            "exporter lab/one: exporters.jumpstarter.dev \"one\" not found",
            lasting(Fault::NoIdentity),
        );
        for passing in
            ["watch channel closed", "last seen time mismatch", "received error when watching exporter"]
        {
            check(Code::Unknown, passing, CallRefusal::Passing);
        }
    }
}
