//! Which boards a command is about, and where each of them is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver_remote::{NodeKind, RemoteExporter};
use flasher_core::owner::Board;
use flasher_core::tree::DriverTree;
use flasher_core::{Device, Error, Result};

use crate::args::Args;
use crate::args::node::BoardsArgs;
use crate::commands::{driver_tree, remote};
use crate::failure::Failure;
use crate::render::units::shown;
use crate::screen::Screen;

/// An exporter: one of this machine, by its YAML, or one elsewhere.
pub(super) struct OpenedExporter {
    /// What tells it from the others, in the names of its boards.
    pub(super) name: String,
    pub(super) reached: Reached,
}

/// What there is of an exporter.
#[derive(Clone)]
pub(super) enum Reached {
    Here(Arc<DriverTree>),
    Elsewhere(Box<RemoteExporter>),
    /// It does not answer, or refuses us: its boards fail, and no others.
    Not(Arc<Error>),
}

/// A board that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChosenBoard {
    /// What everything about it stands under: its path, behind the name of its exporter when there are several of them.
    pub(super) name: String,
    /// The index of its place.
    pub(super) place: usize,
    /// Its dotted path there; none when the place was not reached.
    pub(super) path: Option<String>,
}

/// Which node of a board a command works with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BoardKind {
    Flasher,
    Power,
}

/// Opens every exporter that is named.
///
/// # Errors
/// When an exporter YAML has problems, none is named, or one is named twice. An exporter elsewhere that does not answer is none.
pub(super) async fn places(args: &Args) -> Result<Vec<OpenedExporter>, Failure> {
    let remotes = &args.remote.remotes;
    if args.remote.is_elsewhere() && remotes.is_empty() {
        let client = remote::exporter(&args.remote).await?;
        return Ok(vec![OpenedExporter {
            name: "lease".to_owned(),
            reached: Reached::Elsewhere(Box::new(client)),
        }]);
    }
    if !remotes.is_empty() {
        refuse_twice("--remote", remotes)?;
        let connecting = remotes.iter().map(|address| remote::exporter_at(&args.remote, address));
        let reached = futures_util::future::join_all(connecting).await;
        let place = |(name, reached): (&String, Result<RemoteExporter>)| OpenedExporter {
            name: name.clone(),
            reached: match reached {
                Ok(client) => Reached::Elsewhere(Box::new(client)),
                Err(error) => Reached::Not(Arc::new(error)),
            },
        };
        return Ok(remotes.iter().zip(reached).map(place).collect());
    }
    here(&args.exporters)
}

fn here(exporters: &[PathBuf]) -> Result<Vec<OpenedExporter>, Failure> {
    let real = |file: &PathBuf| shown(&file.canonicalize().unwrap_or_else(|_| file.clone()));
    refuse_twice("--exporter", &exporters.iter().map(real).collect::<Vec<_>>())?;
    let names = names(exporters);
    let mut places = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let tree = driver_tree::load(exporters.get(index).map(PathBuf::as_path))?;
        places.push(OpenedExporter { name, reached: Reached::Here(Arc::new(tree)) });
    }
    Ok(places)
}

/// The name of each exporter YAML without its folder and its ending, or the whole path of those that have one name; one name when none
/// is named, so that this is refused.
fn names(exporters: &[PathBuf]) -> Vec<String> {
    let stem = |file: &Path| file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stems: Vec<_> = exporters.iter().map(|file| stem(file).unwrap_or_default()).collect();
    let is_alone = |name: &String| stems.iter().filter(|other| *other == name).count() == 1;
    let name = |(stem, file): (&String, &PathBuf)| if is_alone(stem) { stem.clone() } else { shown(file) };
    match exporters {
        [] => vec![String::new()],
        _ => stems.iter().zip(exporters).map(name).collect(),
    }
}

fn refuse_twice(option: &str, all: &[String]) -> Result<()> {
    let twice = all.iter().enumerate().find(|(index, name)| all[..*index].contains(name));
    twice.map_or(Ok(()), |(_, name)| {
        Err(Error::config(format!("`{option}` names `{name}` twice")).help("name each exporter once"))
    })
}

/// Lets go of every exporter of this machine.
pub(super) async fn close(places: &[OpenedExporter], screen: &Screen) {
    for place in places {
        if let Reached::Here(tree) = &place.reached {
            driver_tree::close(tree, screen).await;
        }
    }
}

/// The boards that the options ask for, in their order: those that are named, all, or the one of each exporter.
///
/// # Errors
/// When one is not there, could be of two exporters, or is named twice; or an exporter has several and none is named.
pub(super) fn choose(
    places: &[OpenedExporter],
    wanted: &BoardsArgs,
    kind: BoardKind,
) -> Result<Vec<ChosenBoard>> {
    let chosen: Vec<ChosenBoard> = if wanted.device.is_empty() {
        let all = (0..places.len()).map(|place| of_place(places, place, kind, wanted.all));
        all.collect::<Result<Vec<_>>>()?.concat()
    } else {
        wanted.device.iter().map(|device| named(places, device, kind)).collect::<Result<_>>()?
    };
    let twice = chosen.iter().enumerate().find(|(index, board)| chosen[..*index].contains(board));
    if let Some((_, board)) = twice {
        return Err(Error::config(format!("the board `{}` is named twice", board.name)).help("name it once"));
    }
    match chosen.is_empty() {
        true => Err(Error::config("no exporter has a board").help("`flasher check` lists what one has")),
        false => Ok(chosen),
    }
}

/// All boards of a place, or the only one.
fn of_place(places: &[OpenedExporter], place: usize, kind: BoardKind, all: bool) -> Result<Vec<ChosenBoard>> {
    let board =
        |path: Option<String>| ChosenBoard { name: name(places, place, path.as_deref()), place, path };
    let Some(paths) = paths(&places[place], kind) else { return Ok(vec![board(None)]) };
    if all || paths.len() == 1 {
        return Ok(paths.into_iter().map(|path| board(Some(path))).collect());
    }
    let place = &places[place].name;
    let listed: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    Err(match listed.as_slice() {
        [] => Error::config(format!("`{place}` has no board")).help("`flasher check` lists what it has"),
        _ => Error::config(format!("`{place}` has {} boards: {}", listed.len(), listed.join(", ")))
            .help("choose with `--device`, or take them all with `--all`"),
    })
}

/// The board that `device` names: its path, behind the name of its exporter and a colon where it is needed.
fn named(places: &[OpenedExporter], device: &str, kind: BoardKind) -> Result<ChosenBoard> {
    let mut fits = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let of_this = device.strip_prefix(&place.name).and_then(|rest| rest.strip_prefix(':'));
        let chosen = |path: Option<&str>| ChosenBoard {
            name: name(places, index, path),
            place: index,
            path: path.map(str::to_owned),
        };
        match (&place.reached, of_this) {
            (Reached::Not(_), Some(path)) => fits.push(ChosenBoard { path: None, ..chosen(Some(path)) }),
            (Reached::Not(_), None) => {}
            (reached, of_this) => {
                let path = [of_this, Some(device)].into_iter().flatten().find(|path| has(reached, path));
                fits.extend(path.map(|path| chosen(Some(path))));
            }
        }
    }
    match fits.len() {
        1 => Ok(fits.remove(0)),
        0 => Err(missing(places, device, kind)),
        _ => {
            let names: Vec<_> = fits.iter().map(|board| format!("`{}`", board.name)).collect();
            Err(Error::config(format!("`{device}` is in {} exporters", fits.len()))
                .help(format!("say which: {}", names.join(" or "))))
        }
    }
}

fn missing(places: &[OpenedExporter], device: &str, kind: BoardKind) -> Error {
    if let Some(error) = places.iter().find_map(|place| match &place.reached {
        Reached::Not(error) => Some(again(error)),
        _ => None,
    }) {
        return error;
    }
    let all = (0..places.len()).filter_map(|place| of_place(places, place, kind, true).ok());
    let all: Vec<_> = all.flatten().map(|board| format!("`{}`", board.name)).collect();
    Error::config(format!("there is no board `{device}`")).help(format!("there are: {}", all.join(", ")))
}

fn name(places: &[OpenedExporter], place: usize, path: Option<&str>) -> String {
    match (places, path) {
        ([_], Some(path)) => path.to_owned(),
        (_, None) => places[place].name.clone(),
        (_, Some(path)) => format!("{}:{path}", places[place].name),
    }
}

/// The paths of the boards of a place, each once, under its shortest; none when the place was not reached.
fn paths(place: &OpenedExporter, kind: BoardKind) -> Option<Vec<String>> {
    match &place.reached {
        Reached::Here(tree) => {
            let is_it = |device: &Device| match kind {
                BoardKind::Flasher => matches!(device.usable(), Device::Flasher(_)),
                BoardKind::Power => matches!(device.usable(), Device::Power(..)),
            };
            let drivers = tree.drivers();
            let all = drivers.into_iter().filter(|(path, _)| tree.find(path).is_ok_and(|it| is_it(&it)));
            Some(all.map(|(path, _)| path).collect())
        }
        Reached::Elsewhere(client) => {
            let kind = if kind == BoardKind::Flasher { NodeKind::Flasher } else { NodeKind::Power };
            let mut seen = Vec::new();
            let all = client.nodes().iter().filter(|node| node.kind == kind);
            let first = all.filter(|node| {
                let is_new = !seen.contains(&&node.uuid);
                seen.push(&node.uuid);
                is_new
            });
            Some(first.map(|node| node.path.clone()).collect())
        }
        Reached::Not(_) => None,
    }
}

fn has(reached: &Reached, path: &str) -> bool {
    match reached {
        Reached::Here(tree) => tree.find(path).is_ok(),
        Reached::Elsewhere(client) => client.nodes().iter().any(|node| node.path == path),
        Reached::Not(_) => false,
    }
}

/// The same error once more: several boards may have it.
pub(super) fn again(error: &Error) -> Error {
    let same = error
        .context()
        .iter()
        .fold(Error::new(error.class(), error.cause()), |same, (key, value)| same.with(key, value.clone()));
    match error.next_step() {
        Some(help) => same.help(help.to_owned()),
        None => same,
    }
}

/// Refuses boards that share a power switch, a serial line, a storage mux or a medium: their jobs would be in each other's way.
///
/// # Errors
/// Class config; names both boards and what they share.
pub(super) async fn refuse_shared(places: &[OpenedExporter], chosen: &[ChosenBoard]) -> Result<()> {
    let mut seen: Vec<(&str, Board)> = Vec::new();
    for board in chosen {
        let (Reached::Here(tree), Some(path)) = (&places[board.place].reached, &board.path) else { continue };
        let own = Board::below(tree, &tree.flasher(Some(path))?);
        for (other, parts) in &seen {
            if let Some((one, two)) = parts.shared_with(&own).await {
                let text = format!(
                    "the boards `{other}` and `{}` share hardware: `{one}` and `{two}` are the same",
                    board.name
                );
                return Err(Error::config(text)
                    .help("give each board its own in the exporter YAML, or flash one after the other"));
            }
        }
        seen.push((&board.name, own));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place with flashers of these names.
    fn place(name: &str, nodes: &[&str]) -> OpenedExporter {
        let nodes: Vec<_> =
            nodes.iter().map(|node| format!("  {node}: {{ type: fake-flasher }}\n")).collect();
        let text = format!("export:\n{}", nodes.concat());
        let document = exporter_yaml::Document::parse(name, Path::new("/"), &text).unwrap();
        let tree = exporter_yaml::build(&document).unwrap();
        OpenedExporter { name: name.to_owned(), reached: Reached::Here(Arc::new(tree)) }
    }

    fn names_of(places: &[OpenedExporter], device: &[&str], all: bool) -> Result<Vec<String>, String> {
        let wanted = BoardsArgs { device: device.iter().map(|it| (*it).to_owned()).collect(), all };
        let chosen = choose(places, &wanted, BoardKind::Flasher);
        let said = |error: Error| format!("{error}; {}", error.next_step().unwrap_or_default());
        chosen.map(|all| all.into_iter().map(|board| board.name).collect()).map_err(said)
    }

    #[test]
    fn boards_are_chosen_by_their_paths() {
        let away = Reached::Not(Arc::new(Error::infrastructure("lab does not answer").help("is it on?")));
        let one = || vec![place("one", &["a", "b"])];
        let two = || vec![place("one", &["a", "b"]), place("two", &["b", "c"])];
        let far =
            || vec![place("one", &["a"]), OpenedExporter { name: "lab:1".to_owned(), reached: away.clone() }];
        for (places, device, all, expected) in [
            (one(), vec!["b", "a"], false, Ok("b a")),
            (one(), vec![], true, Ok("a b")),
            (
                one(),
                vec![],
                false,
                Err("`one` has 2 boards: `a`, `b`; choose with `--device`, or take them all with `--all`"),
            ),
            (one(), vec!["a", "a"], false, Err("the board `a` is named twice; name it once")),
            (one(), vec!["a", "x"], false, Err("there is no board `x`; there are: `a`, `b`")),
            (two(), vec!["a", "c"], false, Ok("one:a two:c")),
            (two(), vec!["one:b", "two:b"], false, Ok("one:b two:b")),
            (two(), vec!["b"], false, Err("`b` is in 2 exporters; say which: `one:b` or `two:b`")),
            (two(), vec![], true, Ok("one:a one:b two:b two:c")),
            (far(), vec![], true, Ok("one:a lab:1")),
            (far(), vec!["a", "lab:1:x"], false, Ok("one:a lab:1:x")),
            (far(), vec!["x"], false, Err("lab does not answer; is it on?")),
        ] {
            let expected = expected.map(|names| names.split(' ').map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(names_of(&places, &device, all), expected.map_err(str::to_owned), "{device:?}");
        }
    }

    #[test]
    fn exporters_have_short_names_where_those_differ() {
        let of = |files: &[&str]| names(&files.iter().map(PathBuf::from).collect::<Vec<_>>()).join(" ");
        assert_eq!(of(&["/etc/flasher/one.yaml", "two.yaml"]), "one two");
        assert_eq!(of(&["a/lab.yaml", "b/lab.yaml", "c.yaml"]), "a/lab.yaml b/lab.yaml c");
    }
}
