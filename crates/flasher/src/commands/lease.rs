//! `flasher --lease SELECTOR COMMAND`: the command on an exporter of a Jumpstarter lab, which is leased for it and given back after it.

mod client_file;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use driver_remote::Tunnel;
use exporter_controller::{AskedLease, ClientLease, LeaseChoice, LeaseNotice};
use flasher_core::{Class, Error, Result, async_trait};
use tokio::io::DuplexStream;

use crate::args::remote::RemoteArgs;
use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signals::Signals;

/// How long giving the lease back may take.
const RELEASE: Duration = Duration::from_secs(30);

/// The way through the lab's router.
#[derive(Debug)]
struct LeaseTunnel(ClientLease);

#[async_trait]
impl Tunnel for LeaseTunnel {
    fn exporter(&self) -> &str {
        &self.0.exporter
    }

    async fn connect(&self) -> Result<DuplexStream> {
        self.0.connect().await
    }
}

/// Leases an exporter, has `command` do its work there, and gives the exporter back: at the end, on a failure and on a signal.
///
/// # Errors
/// When there is no lease to be had, and those of the command. That the lease has ended meanwhile is said in their place.
pub(super) async fn run<C: Future<Output = Result<u8, Failure>>>(
    choice: LeaseChoice,
    args: Args,
    screen: &Screen,
    command: impl FnOnce(Args) -> C,
) -> Result<u8, Failure> {
    let settings = client_file::settings(args.remote.client.as_deref())?;
    for option in &settings.access.unused_options {
        screen.aside(&format!("warning: `grpcOptions` has `{option}`, which has no effect here\n"));
    }
    let mut signals = Signals::install()?;
    let mut asked = AskedLease::new(settings, choice)?;
    let lease = tokio::select! {
        lease = begin(&mut asked, screen) => lease,
        name = signals.next() => Err(interrupted(name)),
    };
    let outcome = match lease {
        Ok(lease) => with_lease(lease, args, (screen, &mut signals), command).await,
        Err(error) => Err(error.into()),
    };
    release(&asked, screen).await;
    outcome
}

async fn begin(asked: &mut AskedLease, screen: &Screen) -> Result<ClientLease> {
    let said = screen.clone();
    let told = move |notice| said.aside(&format!("{}\n", sentence(&notice)));
    let lease = asked.acquire(told.clone()).await?;
    lease.until_ready(told).await?;
    Ok(lease)
}

/// Runs the command until it ends, or a signal ends it.
async fn with_lease<C: Future<Output = Result<u8, Failure>>>(
    lease: ClientLease,
    args: Args,
    (screen, signals): (&Screen, &mut Signals),
    command: impl FnOnce(Args) -> C,
) -> Result<u8, Failure> {
    // These stop in good order at the first signal, by themselves.
    let mut patience = match args.command {
        Command::Flash(_) | Command::Dump(_) => 1,
        _ => 0,
    };
    let tunnel = Some(Arc::new(LeaseTunnel(lease.clone())) as Arc<dyn Tunnel>);
    let args = Args { remote: RemoteArgs { tunnel, ..args.remote }, ..args };
    let (mut work, mut over) = (pin!(command(args)), pin!(lease.until_over()));
    let mut is_over = false;
    let outcome = loop {
        tokio::select! {
            outcome = work.as_mut() => break outcome,
            error = over.as_mut(), if !is_over => {
                is_over = true;
                screen.aside(&format!("warning: {}\n", error.cause()));
            }
            name = signals.next() => {
                if patience == 0 {
                    break Err(interrupted(name).into());
                }
                patience -= 1;
            }
        }
    };
    let outcome = match outcome {
        Err(Failure::Error(error)) if error.class() == Class::Infrastructure => {
            Err(explained(error, &lease).await.into())
        }
        outcome => outcome,
    };
    lease.cut();
    outcome
}

/// The failure, as that of a lease that has ended when it has.
async fn explained(error: Error, lease: &ClientLease) -> Error {
    let Some(over) = lease.over().await else { return error };
    let over = error.context().iter().fold(over, |over, (key, value)| over.with(key, value.clone()));
    over.because(error)
}

/// Gives the lease back; what keeps it from that is said, and does not change how the command ended.
async fn release(asked: &AskedLease, screen: &Screen) {
    let released = tokio::time::timeout(RELEASE, asked.release()).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the lease was not given back within {} s", RELEASE.as_secs())))
    });
    if let Err(error) = released {
        let next = error.next_step().map(|next| format!("; {next}")).unwrap_or_default();
        screen.aside(&format!("warning: {}{next}\n", error.cause()));
    }
}

fn interrupted(signal: &str) -> Error {
    Error::new(Class::Interrupted, format!("interrupted by {signal}"))
}

fn sentence(notice: &LeaseNotice) -> String {
    match notice {
        LeaseNotice::Waiting(why) => format!("waiting for an exporter: {why}"),
        LeaseNotice::Leased { exporter, lease } => format!("leased the exporter {exporter} (lease {lease})"),
        LeaseNotice::GettingReady(what) if what.is_empty() => {
            "waiting until the exporter is ready".to_owned()
        }
        LeaseNotice::GettingReady(what) => format!("waiting until the exporter is ready: {what}"),
    }
}
