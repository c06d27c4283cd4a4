//! A connection to an exporter with the nodes it reported, and the choice among them.

use std::sync::Arc;

use flasher_core::{Error, Result};

use crate::access::RemoteAccess;
use crate::link::Link;
use crate::node::{self, NodeKind, RemoteNode};

/// A connection and the nodes at its other end; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectedExporter {
    pub(crate) access: RemoteAccess,
    pub(crate) link: Link,
    pub(crate) nodes: Arc<[RemoteNode]>,
}

impl ConnectedExporter {
    /// Connects, and asks for the nodes.
    pub(crate) async fn open(access: RemoteAccess) -> Result<Self> {
        let (link, reports) = Link::connect(&access).await?;
        Ok(Self { access, link, nodes: node::nodes(reports).into() })
    }

    /// The one node of this kind, or the one at `path`, or the one below the node at `path`.
    pub(crate) fn choose(&self, kind: NodeKind, path: Option<&str>) -> Result<&RemoteNode> {
        let what = kind.word();
        let all: Vec<_> = self.nodes.iter().filter(|node| node.kind == kind).collect();
        let at: Vec<_> = all.iter().filter(|node| path.is_none_or(|path| node.path == path)).collect();
        let is_below = |node: &&&RemoteNode| path.is_some_and(|path| is_below(&node.path, path));
        let fits = if at.is_empty() { all.iter().filter(is_below).collect() } else { at };
        let names = || all.iter().map(|node| format!("`{}`", node.path)).collect::<Vec<_>>().join(", ");
        let distinct = fits.iter().all(|node| node.uuid == fits[0].uuid);
        match fits.first() {
            Some(node) if distinct => Ok(node),
            Some(_) => Err(Error::config(format!("the exporter has several {}, expected one", kind.words()))
                .help(format!("choose one with `--device`: {}", names()))),
            None if all.is_empty() => Err(Error::config(format!("the exporter has no {what}"))),
            None => {
                let path = path.unwrap_or_default();
                Err(Error::config(format!("the exporter has no {what} at `{path}`"))
                    .help(format!("it has: {}", names())))
            }
        }
    }
}

/// Whether a path is somewhere below another.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}
