//! `--web`: the page that shows the boards to browsers.

use std::sync::Arc;

use exporter_grpc::{Hosts, Records};
use exporter_web::{TreeSource, WebPage, WebSettings};
use exporter_wire::passphrase::Passphrase;
use exporter_wire::tls::Certificate;
use flasher_core::{CancellationToken, Error, Result};

use super::args::ServeArgs;
use super::metrics::place;
use crate::screen::Screen;

/// Where the passphrase of the page may be besides a file.
const PASSPHRASE: &str = "FLASHER_WEB_PASSPHRASE";

/// A page that is bound; it is served until this is dropped.
#[derive(Debug)]
pub(super) struct BoundPage {
    page: WebPage,
    settings: WebSettings,
}

/// A page that is served; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct ServedPage(CancellationToken);

/// Binds the page, when one is asked for.
///
/// # Errors
/// When the address is none, may not be used without a passphrase and TLS, or cannot be bound; when a file of it cannot be read.
pub(super) async fn bind(args: &ServeArgs, records: &Records) -> Result<Option<BoundPage>> {
    let Some(address) = &args.web else { return Ok(None) };
    let passphrase = match &args.passphrase_file {
        Some(file) => Some(Passphrase::read(file)?),
        None => std::env::var_os(PASSPHRASE)
            .map(|text| Passphrase::of(text.as_encoded_bytes(), PASSPHRASE))
            .transpose()?,
    };
    let certificate = args.certificate()?;
    let at = place(address).await?;
    if !at.ip().is_loopback() {
        refuse_exposed(address, passphrase.as_ref(), certificate.as_ref())?;
    }
    let settings = WebSettings {
        passphrase,
        certificate,
        hosts: Hosts::of_this_machine(&args.hosts),
        ledger: records.ledger.clone(),
        metrics: records.metrics.clone(),
    };
    Ok(Some(BoundPage { page: WebPage::bind(at).await?, settings }))
}

/// Refuses to show the boards to every machine that reaches this one, or the passphrase to every machine on the way.
fn refuse_exposed(
    address: &str,
    passphrase: Option<&Passphrase>,
    certificate: Option<&Certificate>,
) -> Result<()> {
    let what = match (passphrase, certificate) {
        (Some(_), Some(_)) => return Ok(()),
        (None, _) => "without a passphrase gives the boards to every user who reaches it",
        (Some(_), None) => "without TLS shows the passphrase to everyone who can read the network traffic",
    };
    Err(Error::config(format!("a web page on `{address}` {what}")).help(format!(
        "give `--passphrase-file FILE` (or {PASSPHRASE} in the environment) with `--cert FILE --key FILE`, or give `--web` without an address and come through an ssh tunnel: `ssh -L 8080:127.0.0.1:8080 MACHINE`"
    )))
}

impl BoundPage {
    /// Serves it, and says where.
    pub(super) fn serve(self, source: Arc<dyn TreeSource>, screen: &Screen) -> ServedPage {
        let scheme = if self.settings.certificate.is_some() { "https" } else { "http" };
        screen.aside(&format!("web page at {scheme}://{}/\n", self.page.address()));
        let stop = CancellationToken::new();
        tokio::spawn(self.page.serve(source, self.settings, stop.clone()));
        ServedPage(stop)
    }
}

impl Drop for ServedPage {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
