//! A real registry (Debian's `docker-registry`) on a free loopback port, in a temporary folder; ended when dropped.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A running registry.
pub(crate) struct DockerRegistry {
    child: Child,
    folder: tempfile::TempDir,
    /// Its `host:port`.
    pub(crate) address: String,
}

impl DockerRegistry {
    /// Starts one; `None` (and a line that says so) when this machine has none. CI must have it.
    pub(crate) fn start() -> Option<Self> {
        Self::serve("127.0.0.1:0", "")
    }

    /// Starts one at `listen`, with `more` in the part `http` of its config (YAML, flow style, a comma first).
    pub(crate) fn serve(listen: &str, more: &str) -> Option<Self> {
        Self::run(tempfile::tempdir().unwrap(), listen, more, "")
    }

    /// Starts one that lets in only `user` with `password`; its list of users is made by Apache's `htpasswd`.
    #[allow(dead_code, reason = "not every story has a lock on its door")]
    pub(crate) fn guarded(user: &str, password: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let users = htpasswd(user, password)?;
        let file = folder.path().join("users");
        std::fs::write(&file, users).unwrap();
        let auth = format!("auth: {{ htpasswd: {{ realm: lab, path: {} }} }}\n", file.display());
        Self::run(folder, "127.0.0.1:0", "", &auth)
    }

    fn run(folder: tempfile::TempDir, listen: &str, http: &str, more: &str) -> Option<Self> {
        let config = folder.path().join("config.yml");
        let root = folder.path().join("store");
        let text = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{listen}\"{http} }}\n{more}",
            root.display()
        );
        std::fs::write(&config, text).unwrap();
        let spawned = Command::new("docker-registry")
            .args(["serve".as_ref(), config.as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return lacking("docker-registry", "docker-registry", &error),
        };
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = address(&mut log);
        // A process that writes to a full pipe waits for ever.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self { child, folder, address })
    }

    /// The name of an artifact in it.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// The file that holds a blob of the registry.
    #[allow(dead_code, reason = "not every story tampers with it")]
    pub(crate) fn blob(&self, hex: &str) -> PathBuf {
        self.folder.path().join(format!("store/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}

/// A user as the registry wants them: bcrypt and nothing else.
fn htpasswd(user: &str, password: &str) -> Option<String> {
    let arguments = ["-n", "-i", "-B", user];
    let spawned =
        Command::new("htpasswd").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return lacking("htpasswd", "apache2-utils", &error),
    };
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Says what this machine has not. CI must have it.
fn lacking<T>(program: &str, package: &str, error: &std::io::Error) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "{program}: {error}");
    println!("skipped: no `{program}` on this machine: apt-get install {package}");
    None
}

/// The address the registry says it listens on.
fn address(log: &mut impl BufRead) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the registry ended: {seen}");
        if let Some((_, rest)) = line.split_once("listening on ") {
            return rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        }
        seen += &line;
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
