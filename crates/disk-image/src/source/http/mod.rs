//! Fetches a source over HTTP(S): redirects that keep secrets at home, deadlines, and ends that prove themselves.

mod answer;
mod causes;
mod client;
mod credentials;
mod exchange;
mod proxy;
mod retry;
mod said;
mod transfer;
mod trust;
mod validator;

pub(crate) use answer::SourceResponse;
pub(crate) use client::Http;
pub(crate) use retry::RetryBudget;
pub(crate) use transfer::start_transfer;
pub(crate) use validator::Validator;
