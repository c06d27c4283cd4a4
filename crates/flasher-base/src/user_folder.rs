//! The folder for sockets of one user, which no other user may enter.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where the sockets of `user` belong: below the runtime folder, or in the temporary one. It need not be there, and what is
/// there may be another user's: ask [`is_private`].
pub fn of(user: u32) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    choose(runtime, &std::env::temp_dir(), user)
}

fn choose(runtime: Option<PathBuf>, temporary: &Path, user: u32) -> PathBuf {
    match runtime.filter(|folder| is_private(folder, user)) {
        Some(folder) => folder.join("flasher"),
        None => temporary.join(format!("flasher-{user}")),
    }
}

/// Whether `folder` is a folder, no link, that belongs to `user` and that no other user may enter.
pub fn is_private(folder: &Path, user: u32) -> bool {
    let found = fs::symlink_metadata(folder);
    found.is_ok_and(|it| it.is_dir() && it.uid() == user && it.mode() & 0o077 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_may_enter_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let folder = |name: &str, mode: u32| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (private, open) = (folder("private", 0o700), folder("open", 0o755));
        let link = place.path().join("link");
        symlink(&private, &link).unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let temporary = Path::new("/tmp");
        assert_eq!(choose(Some(private.clone()), temporary, user), private.join("flasher"));
        let fallback = temporary.join(format!("flasher-{user}"));
        for unfit in [Some(open), Some(link), Some(file), Some(place.path().join("absent")), None] {
            assert_eq!(choose(unfit.clone(), temporary, user), fallback, "{unfit:?}");
        }
        assert!(!is_private(&private, user + 1), "of another user");
    }
}
