//! Paths in a file: keys from its root.

/// The path one key further down.
pub(crate) fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

/// The path in the tree of a path in the file: without the key `children`, which is only in the file.
pub(crate) fn dotted(path: &[String]) -> String {
    let names = path.iter().filter(|part| *part != "children");
    names.map(String::as_str).collect::<Vec<_>>().join(".")
}
