//! The streams that come with orders: files for a flash or a plan, and what a dump goes into.

use super::{Args, Call};
use crate::failure::{CallFailure, CallResult};
use crate::order::JobOrder;
use crate::resource::{DataSource, Duplex, Handle, Pipe};

/// The files that come with an order, when any do.
pub(super) fn sent(order: &JobOrder, args: &mut Args, call: &Call) -> CallResult<Option<DataSource>> {
    if order.files.is_empty() {
        return Ok(None);
    }
    let wrong = "the files of an order come in a stream of the same client";
    let source = DataSource::stream(own_stream(args, call, wrong)?);
    match source.is_plain() {
        true => Ok(Some(source)),
        false => Err(CallFailure::argument("the files of an order come as they are, not compressed")),
    }
}

/// The stream to the client that writes a dump.
pub(super) fn dump_stream(args: &mut Args, call: &Call) -> CallResult<Duplex> {
    let wrong = "a dump goes into a stream of the client that orders it";
    Duplex::new(own_stream(args, call, wrong)?)
        .ok_or_else(|| CallFailure::argument("a dump goes into a stream as it is, not compressed"))
}

fn own_stream(args: &mut Args, call: &Call, wrong: &str) -> CallResult<Pipe> {
    match args.handle(2)? {
        Handle::Stream(uuid) => call.shared.resources.take(uuid, call.owner),
        Handle::Presigned(_) => Err(CallFailure::argument(wrong)),
    }
}
