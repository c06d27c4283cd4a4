//! A panic is a bug of ours, and no reason to leave a board on: it becomes a failure like any other.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use flasher_core::{Class, Error, Result};
use futures_util::FutureExt;

/// The outcome of `work`; a panic in it is an internal failure. What `work` shared is looked at afterwards only for the record,
/// whose locks outlive a panic.
pub(super) async fn caught<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(bug(panic.as_ref())))
}

fn bug(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it left no message");
    Error::new(Class::Internal, format!("flasher itself broke off: {text}"))
        .help("this is a bug, please report it; what was begun was still put in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_internal_failure_with_its_text() {
        let check = async |work: fn() -> u8, expected: &str| {
            let error = caught(async { Ok(work()) }).await.unwrap_err();
            assert_eq!((error.class(), error.to_string().as_str()), (Class::Internal, expected));
        };
        check(|| panic!("no way"), "flasher itself broke off: no way").await;
        check(|| panic!("{} left", 3), "flasher itself broke off: 3 left").await;
        check(|| std::panic::panic_any(7), "flasher itself broke off: it left no message").await;
        assert_eq!(caught(async { Ok(5) }).await.unwrap(), 5);
    }
}
