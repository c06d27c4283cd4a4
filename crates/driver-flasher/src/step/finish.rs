//! Step 12: the new system is seen to boot, when asked for.

use flasher_core::{Class, Error, Result};

use super::resolve::Resolved;
use super::{plan, power};
use crate::access::MediumAccess;
use crate::config::seconds;
use crate::job::{Session, waiting};
use crate::trouble;

/// Cycles power and waits for the text that proves the new system boots, when the job or the manifest names one.
pub(crate) async fn boot_check(
    session: Session<'_>,
    resolved: &Resolved,
    access: Box<dyn MediumAccess + '_>,
) -> Result<()> {
    let Some(expected) = session.job.expect_boot.as_deref().or(resolved.expect_boot()) else {
        return Ok(());
    };
    let pattern = plan::expectation("`expect_boot`", expected)?;
    let mut console = access.into_console();
    let transcript = console.transcript().clone();
    console.discard();
    power::again(session, &transcript).await?;
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
            .retryable(false)
    })
}
