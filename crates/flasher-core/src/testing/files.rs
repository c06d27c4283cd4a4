//! The promises of a file server.

use std::sync::Arc;

use super::{Broken, MOMENTS, bounded, cut_short};
use crate::device::Device;
use crate::driver::{FileServer, TransferLog};

/// Broken promises of the file server that `make` builds on one port.
///
/// The address is known exactly while it runs; starting again restarts; the port is free again after stop, close and drop;
/// starts may come together or be cut short.
pub async fn file_server(make: &(dyn Fn() -> Device + Sync)) -> Vec<String> {
    let mut broken = Broken::default();
    let Some(server) = fresh(make) else { return vec!["it is no file server".to_owned()] };
    broken.unless(server.address().is_none(), "it has no address before it runs");
    broken.done("stopping what does not run", server.stop()).await;
    started(&mut broken, server.as_ref()).await;
    together(&mut broken, &server).await;
    cancelled(&mut broken, server.as_ref()).await;
    start(&mut broken, server.as_ref(), "starting").await;
    broken.done("closing while it runs", server.close()).await;
    broken.done("closing twice", server.close()).await;
    broken.unless(server.address().is_none(), "it has no address once it is closed");
    start(&mut broken, server.as_ref(), "starting after it was closed").await;
    drop(server);
    freed_by_drop(&mut broken, make).await;
    broken.0
}

fn fresh(make: &(dyn Fn() -> Device + Sync)) -> Option<Arc<dyn FileServer>> {
    match make() {
        Device::FileServer(server) => Some(server),
        Device::ContentServer(server) => Some(server as Arc<dyn FileServer>),
        _ => None,
    }
}

async fn start(broken: &mut Broken, server: &dyn FileServer, what: &str) {
    let bound = broken.done(what, server.start(TransferLog::default())).await;
    broken.unless(bound.is_none() || bound == server.address(), "the address is the one it was started at");
}

async fn started(broken: &mut Broken, server: &dyn FileServer) {
    for what in ["starting", "starting again", "starting after a stop"] {
        start(broken, server, what).await;
        if what == "starting again" {
            broken.done("stopping", server.stop()).await;
            broken.done("stopping twice", server.stop()).await;
            broken.unless(server.address().is_none(), "it has no address once it is stopped");
        }
    }
}

async fn together(broken: &mut Broken, server: &Arc<dyn FileServer>) {
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..6 {
        let server = Arc::clone(server);
        calls.spawn(bounded(async move {
            if call % 3 == 2 {
                server.stop().await
            } else {
                server.start(TransferLog::default()).await.map(drop)
            }
        }));
    }
    while let Some(call) = calls.join_next().await {
        let call = call.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.cause()));
        broken.unless(call.is_ok(), &format!("calls that come together: {call:?}"));
    }
}

async fn cancelled(broken: &mut Broken, server: &dyn FileServer) {
    for moment in MOMENTS {
        cut_short(moment, server.start(TransferLog::default())).await;
        start(broken, server, "starting after a start that was cut short").await;
        cut_short(moment, server.stop()).await;
        broken.done("stopping after a stop that was cut short", server.stop()).await;
        broken.unless(server.address().is_none(), "it has no address once it is stopped");
    }
}

/// A server that is dropped ends by and by; the next one must get the port soon.
async fn freed_by_drop(broken: &mut Broken, make: &(dyn Fn() -> Device + Sync)) {
    let Some(server) = fresh(make) else { return };
    for _ in 0..100 {
        if bounded(server.start(TransferLog::default())).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    start(broken, server.as_ref(), "starting after the one before was dropped while it ran").await;
    broken.done("stopping", server.stop()).await;
}
