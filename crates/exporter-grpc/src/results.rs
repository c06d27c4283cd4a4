//! Results of a streaming call.

use std::pin::Pin;

use futures_util::Stream;
use prost_types::Value;

use crate::failure::CallResult;

/// They end when the stream does.
pub(crate) type Results = Pin<Box<dyn Stream<Item = CallResult<Value>> + Send>>;
