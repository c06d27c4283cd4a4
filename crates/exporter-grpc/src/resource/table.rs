//! Streams that are open and wait for the call that uses them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{Owner, Pipe};
use crate::failure::{CallFailure, CallResult};

/// Streams of one connection that may wait.
const MOST: usize = 64;

/// Every waiting stream, by handle. Each is used once.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<HashMap<Uuid, (Owner, Pipe)>>);

impl Table {
    /// A handle for the stream.
    pub(crate) fn add(&self, owner: Owner, pipe: Pipe) -> CallResult<Uuid> {
        let mut table = self.table();
        table.retain(|_, (_, pipe)| !pipe.is_abandoned());
        if table.values().filter(|(other, _)| other.connection == owner.connection).count() >= MOST {
            return Err(CallFailure::too_much(format!(
                "{MOST} streams of this connection wait for a call; use some first"
            )));
        }
        let uuid = Uuid::new_v4();
        table.insert(uuid, (owner, pipe));
        Ok(uuid)
    }

    /// The stream of a handle; only for the node and the connection it was opened for, and only once.
    pub(crate) fn take(&self, uuid: Uuid, owner: Owner) -> CallResult<Pipe> {
        let mut table = self.table();
        match table.get(&uuid) {
            Some((whose, _)) if *whose == owner => {}
            _ => return Err(CallFailure::argument(format!("no stream waits under the handle `{uuid}`"))),
        }
        let (_, pipe) = table.remove(&uuid).ok_or_else(CallFailure::gone)?;
        Ok(pipe)
    }

    /// Drops the streams of a connection.
    pub(crate) fn release(&self, connection: u64) {
        self.table().retain(|_, (owner, _)| owner.connection != connection);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, (Owner, Pipe)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_once_and_for_its_owner() {
        let table = Table::default();
        let owner = Owner { node: Uuid::new_v4(), connection: 1 };
        let (pipe, _ends) = Pipe::new(None);
        let uuid = table.add(owner, pipe).unwrap();
        for other in [Owner { connection: 2, ..owner }, Owner { node: Uuid::new_v4(), ..owner }] {
            assert!(table.take(uuid, other).is_err());
        }
        table.take(uuid, owner).unwrap();
        let text = table.take(uuid, owner).unwrap_err().text;
        assert_eq!(text, format!("no stream waits under the handle `{uuid}`"));
    }

    #[test]
    fn a_connection_has_so_many_and_no_more() {
        let table = Table::default();
        let owner = Owner { node: Uuid::new_v4(), connection: 1 };
        let ends: Vec<_> = (0..MOST)
            .map(|_| {
                let (pipe, ends) = Pipe::new(None);
                table.add(owner, pipe).unwrap();
                ends
            })
            .collect();
        let (pipe, _more) = Pipe::new(None);
        assert_eq!(
            table.add(owner, pipe).unwrap_err().text,
            "64 streams of this connection wait for a call; use some first"
        );
        drop(ends);
        let (pipe, _more) = Pipe::new(None);
        table.add(owner, pipe).expect("abandoned streams make room");
    }
}
