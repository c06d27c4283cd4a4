//! Step 13: the new system is seen to boot, when asked for.

use flasher_core::{Class, Error, Result, RootCause};

use super::resolve::Resolved;
use super::{plan, power};
use crate::access::MediumAccess;
use crate::config::seconds;
use crate::hand_over;
use crate::job::{Session, waiting};
use crate::trouble;

/// Gives the medium to the board again, where this machine has it, and waits for the text that proves the new system boots, when the job or the manifest names one.
pub(crate) async fn boot_check(
    session: Session<'_>,
    resolved: &Resolved,
    access: Box<dyn MediumAccess + '_>,
) -> Result<()> {
    let of_board = resolved.expect_boot().filter(|_| session.flasher.has_lines());
    let Some(expected) = session.job.expect_boot.as_deref().or(of_board) else {
        drop(access);
        return leave(session).await;
    };
    let pattern = plan::expectation("`expect_boot`", expected)?;
    let mut console = access.release().await?;
    let transcript = console.transcript().clone();
    console.discard();
    power::again(session, &mut console).await?;
    let within = seconds(session.flasher.config.timeouts.boot_check);
    let what = format!("`{expected}` of the new system");
    let patterns = [pattern];
    let expecting = console.expect(&patterns, within);
    waiting(session, &what, within, &transcript, expecting).await.map(drop).map_err(|error| {
        let text = format!(
            "the medium is proven, but the new system did not show `{expected}` within {} s",
            within.as_secs()
        );
        Error::new(Class::Board, text)
            .because(trouble::console(&error))
            .help("the image may not be made for this board; watch it with `flasher console`")
            .caused_by(RootCause::ExpectedTextMissing)
            .retryable(false)
    })
}

/// The board gets its medium back, and its power too where it is to be left on.
async fn leave(session: Session<'_>) -> Result<()> {
    if !session.run.has_medium() {
        return Ok(());
    }
    hand_over::to_board(session).await?;
    if session.job.power_off { Ok(()) } else { power::on(session).await }
}
