//! `flasher --remote … plan`: what a flash on the exporter would do. Files of this machine go along as for the flash.

use exporter_wire::notice::JobNotice;
use flasher_core::{CancellationToken, Error, FlashJob, Plan, Result};
use futures_util::{Stream, StreamExt};

use super::order::OutgoingOrder;
use super::{RemoteBoard, connect, sending};
use crate::args::remote::RemoteArgs;
use crate::commands::flash::args::FlashArgs;
use crate::job;
use crate::screen::Screen;

/// Asks the exporter for the plan.
///
/// # Errors
/// Everything that can be found out without touching the board.
pub(in crate::commands) async fn plan(
    args: &FlashArgs,
    remote: &RemoteArgs,
    screen: &Screen,
) -> Result<Plan> {
    let mut job = job::flash_job(args, CancellationToken::new())?;
    // Nothing is printed by a board that is not switched on.
    job.transcript = None;
    let board = connect(remote, args.boards.one()).await?;
    plan_on(&board, job, args.variant.clone(), screen).await
}

/// Asks the exporter of this board for the plan of `job`.
///
/// # Errors
/// As [`plan`].
pub(in crate::commands) async fn plan_on(
    RemoteBoard { client, board }: &RemoteBoard,
    job: FlashJob,
    variant: Option<String>,
    screen: &Screen,
) -> Result<Plan> {
    let outgoing = OutgoingOrder::new(job, variant).await?;
    let sent = sending(&outgoing.paths, &screen.progress()).await;
    let started = client.plan(board, outgoing.order, &outgoing.paths, sent).await?;
    planned(started.events).await
}

async fn planned(mut events: impl Stream<Item = Result<String>> + Unpin) -> Result<Plan> {
    while let Some(text) = events.next().await {
        match serde_json::from_str(&text?) {
            Ok(JobNotice::Planned { plan }) => return Ok(*plan),
            Ok(JobNotice::Refused { class, reason }) => {
                return Err(Error::new(class, format!("the exporter refused the plan: {reason}")));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the exporter sent an event this version does not know"),
        }
    }
    Err(Error::infrastructure("the exporter ended without a plan")
        .help("use the same release of `flasher` here and on the exporter's machine"))
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn without_a_plan_it_is_said_why() {
        let refused = r#"{"event":"refused","class":"source","reason":"no such file"}"#;
        let cut = Error::infrastructure("the connection broke");
        for (events, class, cause) in [
            (vec![Ok(refused.to_owned())], Class::Source, "the exporter refused the plan: no such file"),
            (vec![Err(cut)], Class::Infrastructure, "the connection broke"),
            (vec![Ok("{}".to_owned())], Class::Infrastructure, "the exporter ended without a plan"),
        ] {
            let error = planned(stream::iter(events)).await.unwrap_err();
            assert_eq!((error.class(), error.cause().as_str()), (class, cause));
        }
    }
}
