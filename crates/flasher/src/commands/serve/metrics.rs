//! `--metrics`: what the exporter counts, and where a monitoring system reads it.

use std::net::{Ipv4Addr, SocketAddr};

use exporter_grpc::{Metrics, MetricsPage};
use flasher_core::flash::Site;
use flasher_core::{CancellationToken, Result};

use super::start::resolve;
use crate::screen::Screen;

/// What the exporter counts. The page ends when this is dropped.
#[derive(Debug)]
pub(super) struct CountedExporter {
    pub(super) metrics: Metrics,
    page: CancellationToken,
}

/// Counts, and with an address shows the counts there. `name` is what the exporter is called; without one it is called like this
/// machine.
///
/// # Errors
/// When the address is none, or cannot be bound.
pub(super) async fn start(
    address: Option<&str>,
    name: Option<&str>,
    screen: &Screen,
) -> Result<CountedExporter> {
    let name = name.map(str::to_owned).or_else(|| Site::here().host).unwrap_or_default();
    let counted = CountedExporter { metrics: Metrics::new(&name), page: CancellationToken::new() };
    if let Some(address) = address {
        let page = MetricsPage::bind(place(address).await?).await?;
        screen.aside(&format!("metrics at http://{}/metrics\n", page.address()));
        tokio::spawn(page.serve(counted.metrics.clone(), counted.page.clone()));
    }
    Ok(counted)
}

/// The address of `[HOST:]PORT`.
pub(super) async fn place(address: &str) -> Result<SocketAddr> {
    match address.parse() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => resolve(address).await,
    }
}

impl Drop for CountedExporter {
    fn drop(&mut self) {
        self.page.cancel();
    }
}
