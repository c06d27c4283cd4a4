//! The boards of a tree, as people see them: a flasher with its power switch and its serial line, or such nodes that stand by themselves.

use std::collections::HashSet;

use flasher_core::Device;
use flasher_core::tree::DriverTree;

use crate::claims::Key;
use crate::node::Nodes;

/// A board, and the dotted paths of what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardNodes {
    /// What people call it: the path of its flasher, or of what its nodes are below.
    pub name: String,
    /// What the file says about it.
    pub description: Option<String>,
    /// Its flasher.
    pub flasher: Option<String>,
    /// Its power switch.
    pub power: Option<String>,
    /// Its serial line.
    pub serial: Option<String>,
}

/// The boards, those with a flasher first. A node that Python runs is on none.
pub(super) fn boards(tree: &DriverTree, nodes: &Nodes) -> Vec<BoardNodes> {
    let mut all = tree.all();
    all.retain(|(path, _)| nodes.at(path).is_some());
    all.sort_by_key(|(path, _)| path.matches('.').count());
    let mut seen = HashSet::new();
    let mut boards = Vec::new();
    for (path, _) in
        all.iter().filter(|(_, device)| matches!(device, Device::Flasher(_)) && is_new(device, &mut seen))
    {
        boards.push(flasher(tree, path, &all));
    }
    let of_flashers = boards.iter().flat_map(|board| [&board.power, &board.serial]).flatten();
    let used = of_flashers.filter_map(|path| tree.find(path).ok());
    seen.extend(used.filter_map(|device| Key::of(&device)));
    for (path, device) in &all {
        if matches!(device, Device::Power(..) | Device::Serial(_)) && is_new(device, &mut seen) {
            add(&mut boards, tree, path, device);
        }
    }
    boards
}

/// Whether the device was not met before under another path.
fn is_new(device: &Device, seen: &mut HashSet<Key>) -> bool {
    Key::of(device).is_some_and(|key| seen.insert(key))
}

fn flasher(tree: &DriverTree, path: &str, all: &[(String, Device)]) -> BoardNodes {
    let child = |role: &str, fits: fn(&Device) -> bool| {
        let child = format!("{path}.{role}");
        all.iter().any(|(path, device)| *path == child && fits(device)).then_some(child)
    };
    BoardNodes {
        name: path.to_owned(),
        description: description(tree, path),
        flasher: Some(path.to_owned()),
        power: child("power", |device| matches!(device, Device::Power(..))),
        serial: child("serial", |device| matches!(device, Device::Serial(_))),
    }
}

/// Adds a node without a flasher to the board of its place, or as a board of its own where that has one like it.
fn add(boards: &mut Vec<BoardNodes>, tree: &DriverTree, path: &str, device: &Device) {
    let above = path.rsplit_once('.').map(|(above, _)| above);
    let name = above.or(tree.bench()).unwrap_or("bench");
    let is_power = matches!(device, Device::Power(..));
    let known = boards.iter_mut().find(|board| board.name == name);
    let is_known = known.is_some();
    let fits = known.filter(|board| {
        board.flasher.is_none() && if is_power { board.power.is_none() } else { board.serial.is_none() }
    });
    if let Some(board) = fits {
        place(board, path, is_power);
        return;
    }
    let name = if is_known { path } else { name }.to_owned();
    let description = description(tree, above.unwrap_or_default());
    let mut board = BoardNodes { name, description, ..BoardNodes::default() };
    place(&mut board, path, is_power);
    boards.push(board);
}

fn place(board: &mut BoardNodes, path: &str, is_power: bool) {
    let role = if is_power { &mut board.power } else { &mut board.serial };
    *role = Some(path.to_owned());
}

fn description(tree: &DriverTree, path: &str) -> Option<String> {
    tree.notes(path)?.description.clone()
}
