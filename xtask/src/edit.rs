//! Small edits of files people also edit by hand: a line goes where its neighbours say.

use anyhow::{Context, Result, bail};

/// Inserts `line` among the lines for which `alike` holds, keeping these in order; a line that is there stays alone.
///
/// Without such lines it goes to the end.
pub(crate) fn insert_sorted(text: &str, line: &str, alike: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let neighbours: Vec<usize> = (0..lines.len()).filter(|&it| alike(lines[it])).collect();
    if neighbours.iter().any(|&it| lines[it] == line) {
        return text.to_owned();
    }
    let behind_all = neighbours.last().map_or(lines.len(), |&it| behind_statement(&lines, it));
    let at = neighbours.into_iter().find(|&it| lines[it] > line).unwrap_or(behind_all);
    lines.insert(at, line);
    lines.join("\n") + "\n"
}

/// Inserts a dependency, sorted, into the table `[dependencies]` of a manifest.
///
/// # Errors
///
/// When there is no such table.
pub(crate) fn insert_dependency(manifest: &str, line: &str) -> Result<String> {
    let header = "[dependencies]\n";
    let start = manifest.find(header).context("no table `[dependencies]`")? + header.len();
    let (before, table) = manifest.split_at(start);
    let (table, after) = table.split_at(table.find("\n[").map_or(table.len(), |it| it + 1));
    let is_dependency = |it: &str| it.starts_with(|it: char| it.is_ascii_lowercase());
    Ok(format!("{before}{}{after}", insert_sorted(table, line, is_dependency)))
}

/// Refuses a name that cannot be a crate's, a file's and a YAML value's at once.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let parts_are_good = name.split('-').all(|part| {
        !part.is_empty() && part.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    });
    if !parts_are_good || !name.starts_with(|it: char| it.is_ascii_lowercase()) {
        bail!(
            "`{name}` is no good name: use small letters and digits, with single hyphens between, a letter first"
        );
    }
    Ok(())
}

/// The line behind the statement that starts on line `start`; a line without `;` or `(` is a statement itself.
fn behind_statement(lines: &[&str], start: usize) -> usize {
    let is_open = lines[start].contains('(') && !lines[start].ends_with(';');
    let rest = lines[start..].iter().position(|it| it.ends_with(';')).filter(|_| is_open);
    start + rest.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_between_its_neighbours() {
        let text = "//! A.\n\nuse driver_b as _;\nuse driver_d as _;\n\nfn x() {}\n";
        let insert = |line| insert_sorted(text, line, |it| it.starts_with("use driver_"));
        for (line, before) in [
            ("use driver_a as _;", "use driver_b"),
            ("use driver_c as _;", "use driver_d"),
            ("use driver_e as _;", "\nfn x"),
        ] {
            assert_eq!(insert(line), text.replacen(before, &format!("{line}\n{before}"), 1));
        }
        assert_eq!(insert("use driver_d as _;"), text);
        assert_eq!(insert_sorted("fn x() {}\n", "use a;", |it| it.starts_with("use")), "fn x() {}\nuse a;\n");
    }

    #[test]
    fn a_line_goes_behind_a_statement_of_many_lines() {
        let text = "register!(\"a\");\nregister!(\n    \"b\",\n);\nfn x() {}\n";
        let expected = text.replace("fn x", "register!(\"c\");\nfn x");
        assert_eq!(insert_sorted(text, "register!(\"c\");", |it| it.starts_with("register!(")), expected);
    }

    #[test]
    fn a_dependency_stays_in_its_table() {
        let manifest =
            "[a]\nz = 1\n\n[dependencies]\nb.workspace = true\n\n[dev-dependencies]\nc.workspace = true\n";
        let expected = manifest.replace("b.w", "a.workspace = true\nb.w");
        assert_eq!(insert_dependency(manifest, "a.workspace = true").unwrap(), expected);
        let expected = manifest.replace("\n\n[dev", "\nd.workspace = true\n\n[dev");
        assert_eq!(insert_dependency(manifest, "d.workspace = true").unwrap(), expected);
        let error = insert_dependency("[a]\n", "x").unwrap_err();
        assert_eq!(error.to_string(), "no table `[dependencies]`");
    }

    #[test]
    fn names_fit_crates_files_and_yaml() {
        for name in ["a", "relay-foo", "rcar-s4", "x1-2b"] {
            check_name(name).unwrap();
        }
        for name in ["", "A", "relay_foo", "-a", "a-", "a--b", "1a", "../a", "a b", "é"] {
            let expected = format!(
                "`{name}` is no good name: use small letters and digits, with single hyphens between, a letter first"
            );
            assert_eq!(check_name(name).unwrap_err().to_string(), expected);
        }
    }
}
