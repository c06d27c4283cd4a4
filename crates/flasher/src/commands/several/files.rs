//! The files of several boards: one option names a folder, and each board has a file of its own in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flasher_core::{Error, Result};

use super::boards::ChosenBoard;
use crate::render::units::shown;

/// What stands for the board in the name of a file.
const BOARD: &str = "{board}";

/// The file of each board, by its name: `place` with the board's name where `{board}` stands, or else a file with this `ending` in the
/// folder `place`, which is made. `option` is what named it.
///
/// # Errors
/// Class config when `place` is a file, the folder cannot be made, or two boards would have one file.
pub(super) fn of_boards(
    option: &str,
    place: &Path,
    ending: &str,
    boards: &[ChosenBoard],
) -> Result<BTreeMap<String, PathBuf>> {
    if !has_board(place) && place.exists() && !place.is_dir() {
        let text = format!("{option} names the file `{}`, and there are several boards", shown(place));
        return Err(Error::config(text).help("name a folder, or a file with `{board}` in its name"));
    }
    let mut files = BTreeMap::<String, PathBuf>::new();
    for board in boards {
        let file = of_board(place, ending, &board.name);
        if let Some((other, _)) = files.iter().find(|(_, it)| **it == file) {
            let text = format!("`{}` would be the file of `{other}` and of `{}`", shown(&file), board.name);
            return Err(Error::config(text).help("name these boards in two commands"));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), fs::create_dir_all).map_err(|error| {
            Error::config(format!("no folder can be made for {option}: `{}`", shown(place)))
                .because(error)
                .help("name one in a folder you may write")
        })?;
        files.insert(board.name.clone(), file);
    }
    Ok(files)
}

fn has_board(place: &Path) -> bool {
    place.to_string_lossy().contains(BOARD)
}

fn of_board(place: &Path, ending: &str, board: &str) -> PathBuf {
    let is_plain = |letter: char| letter.is_alphanumeric() || ".-_".contains(letter);
    let name: String = board.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    match has_board(place) {
        true => PathBuf::from(place.to_string_lossy().replace(BOARD, &name)),
        false => place.join(format!("{name}.{ending}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_board_has_a_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let of = |place: &str, names: &[&str]| {
            let board =
                |name: &&str| ChosenBoard { name: (*name).to_owned(), place: 0, path: Some(String::new()) };
            let boards: Vec<_> = names.iter().map(board).collect();
            let files = of_boards("--receipt", &folder.path().join(place), "json", &boards);
            let relative = |file: &PathBuf| shown(file.strip_prefix(folder.path()).unwrap());
            let files = files.map(|files| files.values().map(relative).collect::<Vec<_>>().join(" "));
            files.map_err(|error| error.to_string().replace(&shown(folder.path()), "DIR"))
        };
        for (place, names, expected) in [
            ("new/er", vec!["a", "lab:18083:b.c"], Ok("new/er/a.json new/er/lab_18083_b.c.json")),
            ("{board}/x.json", vec!["a", "b"], Ok("a/x.json b/x.json")),
            ("r", vec!["../up"], Ok("r/.._up.json")),
            ("r", vec!["a:b", "a_b"], Err("`DIR/r/a_b.json` would be the file of `a:b` and of `a_b`")),
            ("file", vec!["a"], Err("--receipt names the file `DIR/file`, and there are several boards")),
            ("file/below", vec!["a"], Err("no folder can be made for --receipt: `DIR/file/below`")),
        ] {
            assert_eq!(of(place, &names), expected.map(str::to_owned).map_err(str::to_owned), "{place}");
        }
    }
}
