//! What an exporter reports of its nodes.

use std::collections::{BTreeMap, HashMap};

use exporter_wire::proto::DriverInstanceReport;
use flasher_core::tree::Notes;

/// Most nodes of an exporter; ours reports no more.
const MOST: usize = 10_000;

/// What a node is, by the Python class that speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A power switch.
    Power,
    /// A serial line.
    Serial,
    /// A flasher of an exporter of ours, or of Python's, which is driven by its Python client.
    Flasher,
    /// Nodes below one name.
    Group,
    /// Anything else.
    Other,
}

impl NodeKind {
    fn of(class: &str) -> Self {
        match class {
            "jumpstarter_driver_power.client.PowerClient"
            | "jumpstarter_driver_power.client.VirtualPowerClient" => Self::Power,
            "jumpstarter_driver_pyserial.client.PySerialClient" => Self::Serial,
            "jumpstarter_driver_flashers.client.BaseFlasherClient"
            | "jumpstarter_driver_opendal.client.StorageMuxFlasherClient" => Self::Flasher,
            "jumpstarter_driver_composite.client.CompositeClient" => Self::Group,
            _ => Self::Other,
        }
    }

    /// In a word, for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Power => "power switch",
            Self::Serial => "serial line",
            Self::Flasher => "flasher",
            Self::Group => "group",
            Self::Other => "other node",
        }
    }

    /// Several of them, for messages.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Power => "power switches",
            Self::Serial => "serial lines",
            Self::Flasher => "flashers",
            Self::Group => "groups",
            Self::Other => "other nodes",
        }
    }
}

/// A node of an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteNode {
    /// Its dotted path; empty for the root.
    pub path: String,
    /// Its UUID, for calls. Nodes of one driver that stand in several places have the same one.
    pub uuid: String,
    /// The import path of the Python class that speaks to it.
    pub class: String,
    /// What it is.
    pub kind: NodeKind,
    /// What the exporter says about it, for people.
    pub notes: Notes,
}

/// The nodes of a report, in its order, parents first. A parent is the last node before that has its UUID (docs/wire.md).
pub(crate) fn nodes(reports: Vec<DriverInstanceReport>) -> Vec<RemoteNode> {
    let mut paths = HashMap::<String, String>::new();
    let mut nodes = Vec::new();
    for report in reports.into_iter().take(MOST) {
        let label = |name: &str| report.labels.get(&format!("jumpstarter.dev/{name}")).cloned();
        let own = label("name").unwrap_or_default();
        let own: String = own.chars().filter(|letter| !letter.is_control()).collect();
        let above = report.parent_uuid.as_ref().and_then(|parent| paths.get(parent));
        let path = match above {
            Some(above) if !above.is_empty() => format!("{above}.{own}"),
            _ => own,
        };
        let class = label("client").unwrap_or_default();
        let methods: BTreeMap<_, _> = report.methods_description.into_iter().collect();
        let notes = Notes { description: report.description, methods };
        paths.insert(report.uuid.clone(), path.clone());
        nodes.push(RemoteNode { path, uuid: report.uuid, kind: NodeKind::of(&class), class, notes });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(uuid: &str, parent: Option<&str>, name: &str, class: &str) -> DriverInstanceReport {
        let labels = [("jumpstarter.dev/name", name), ("jumpstarter.dev/client", class)];
        DriverInstanceReport {
            uuid: uuid.to_owned(),
            parent_uuid: parent.map(str::to_owned),
            labels: labels.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
            description: None,
            methods_description: HashMap::new(),
        }
    }

    #[test]
    fn paths_of_nodes() {
        let power = "jumpstarter_driver_power.client.PowerClient";
        let check = |reports: Vec<DriverInstanceReport>, expected: &[(&str, NodeKind)]| {
            let found = nodes(reports);
            let found: Vec<_> = found.iter().map(|node| (node.path.as_str(), node.kind)).collect();
            assert_eq!(found, expected);
        };
        check(Vec::new(), &[]);
        let group = "jumpstarter_driver_composite.client.CompositeClient";
        // One switch in two places: what is below belongs to the place before it.
        check(
            vec![
                report("r", None, "", group),
                report("a", Some("r"), "board", group),
                report("p", Some("a"), "power", power),
                report("x", Some("p"), "below", "acme.Odd"),
                report("p", Some("r"), "relay", power),
                report("x", Some("p"), "below", "acme.Odd"),
            ],
            &[
                ("", NodeKind::Group),
                ("board", NodeKind::Group),
                ("board.power", NodeKind::Power),
                ("board.power.below", NodeKind::Other),
                ("relay", NodeKind::Power),
                ("relay.below", NodeKind::Other),
            ],
        );
        // A hostile report: its own parent, a parent that is nowhere, a name with an escape.
        check(
            vec![report("a", Some("a"), "a", power), report("b", Some("z"), "b\u{1b}[2J", power)],
            &[("a", NodeKind::Power), ("b[2J", NodeKind::Power)],
        );
    }
}
