//! The exporter's status, and whether it lets driver calls through.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tonic::Code;

use crate::failure::{CallFailure, CallResult};
use crate::proto::{ExporterStatus, GetStatusResponse};

/// The status with its history, as `GetStatus` tells it, and the version that a client has read last.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<GetStatusResponse>, watch::Sender<u64>);

impl Default for Gate {
    /// Ready: what stands alone has no lease to wait for (docs/wire.md, Status).
    fn default() -> Self {
        let ready = GetStatusResponse {
            status: ExporterStatus::Available.into(),
            message: None,
            status_version: 0,
            previous_status: None,
        };
        let gate = Self(Mutex::new(ready), watch::Sender::new(0));
        gate.set(ExporterStatus::LeaseReady, "");
        gate
    }
}

impl Gate {
    pub(crate) fn get(&self) -> GetStatusResponse {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same for a client.
    pub(crate) fn read(&self) -> GetStatusResponse {
        let now = self.get();
        self.1.send_replace(now.status_version);
        now
    }

    /// Waits until a client has read any status of this session.
    pub(crate) async fn until_read(&self) {
        self.until(1).await;
    }

    /// Waits until a client has read the status of now, or a later one.
    pub(crate) async fn until_read_now(&self) {
        self.until(self.get().status_version).await;
    }

    async fn until(&self, version: u64) {
        // It cannot be closed while `self` is there.
        self.1.subscribe().wait_for(|read| *read >= version).await.ok();
    }

    pub(crate) fn set(&self, status: ExporterStatus, message: &str) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.previous_status = Some(now.status);
        now.status = status.into();
        now.message = Some(message.to_owned());
        now.status_version += 1;
    }

    /// Lets driver calls through while a client has the exporter, and while its hooks call in.
    ///
    /// # Errors
    /// FAILED_PRECONDITION, which a client takes for `ExporterNotReady`.
    pub(crate) fn pass(&self) -> CallResult<()> {
        let now = self.get();
        match now.status() {
            ExporterStatus::LeaseReady | ExporterStatus::BeforeLeaseHook | ExporterStatus::AfterLeaseHook => {
                Ok(())
            }
            status => {
                let message = now.message.filter(|text| !text.is_empty()).map(|text| format!(": {text}"));
                let name = status.as_str_name().trim_start_matches("EXPORTER_STATUS_");
                let text =
                    format!("the exporter is not ready, its status is {name}{}", message.unwrap_or_default());
                Err(CallFailure::new(Code::FailedPrecondition, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_ready_as_the_original_does() {
        let now = Gate::default().get();
        assert_eq!((now.status(), now.status_version), (ExporterStatus::LeaseReady, 1));
        assert_eq!((now.previous_status(), now.message.as_deref()), (ExporterStatus::Available, Some("")));
    }

    #[test]
    fn calls_pass_only_while_somebody_has_the_exporter() {
        use ExporterStatus::*;
        let gate = Gate::default();
        for (status, passes) in [
            (Unspecified, false),
            (Offline, false),
            (Available, false),
            (BeforeLeaseHook, true),
            (LeaseReady, true),
            (AfterLeaseHook, true),
            (BeforeLeaseHookFailed, false),
            (AfterLeaseHookFailed, false),
        ] {
            gate.set(status, "");
            assert_eq!(gate.pass().is_ok(), passes, "{status:?}");
        }
        gate.set(Offline, "shutting down");
        assert_eq!(
            gate.pass().unwrap_err(),
            CallFailure::new(
                Code::FailedPrecondition,
                "the exporter is not ready, its status is OFFLINE: shutting down"
            )
        );
    }
}
