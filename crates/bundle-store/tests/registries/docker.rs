//! A real registry (Debian's `docker-registry`) on a free loopback port, in a temporary folder; ended when dropped.

use std::{
    io::{BufRead, BufReader},
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
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let root = folder.path().join("store");
        let text = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{listen}\"{more} }}\n",
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
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "docker-registry: {error}");
                println!("skipped: no `docker-registry` on this machine: apt-get install docker-registry");
                return None;
            }
        };
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = address(&mut log);
        // Whoever writes to a full pipe waits for ever.
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
