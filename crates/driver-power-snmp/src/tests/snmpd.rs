//! Debian's snmpd on loopback; outlets of an APC table are files that a `pass` script reads and writes.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TABLE: &str = ".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4";

/// Ends with its folder when dropped.
pub(super) struct Snmpd {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Drop for Snmpd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Snmpd {
    /// None, with a word why, when it is not installed.
    pub(super) async fn start() -> Option<Self> {
        let program = ["/usr/sbin/snmpd", "/usr/local/sbin/snmpd"]
            .into_iter()
            .find(|it| fs::exists(it).unwrap_or(false));
        let Some(program) = program else {
            assert!(std::env::var_os("CI").is_none(), "snmpd is not installed");
            eprintln!("skipped: snmpd is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = folder.path().join("outlet.sh");
        fs::write(&script, outlet_script(folder.path().to_owned())).unwrap();
        for outlet in [3, 5] {
            fs::write(folder.path().join(outlet.to_string()), "2").unwrap();
        }
        let config = folder.path().join("snmpd.conf");
        let lines = format!(
            "rwcommunity private 127.0.0.1\nrocommunity public 127.0.0.1\npass {TABLE} /bin/sh {}\n",
            script.display()
        );
        fs::write(&config, lines).unwrap();
        let process = Command::new(program)
            .args(["-f", "-Le", "-C", "-c"])
            .arg(&config)
            .arg("-p")
            .arg(folder.path().join("pid"))
            .arg(format!("udp:127.0.0.1:{port}"))
            .env("SNMP_PERSISTENT_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It writes its id once it listens.
        for _ in 0..500 {
            if fs::exists(folder.path().join("pid")).unwrap_or(false) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { folder, process, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The value of an outlet: 1 on, 2 off.
    pub(super) fn outlet(&self, number: u32) -> String {
        fs::read_to_string(self.folder.path().join(number.to_string())).unwrap().trim().to_owned()
    }
}

/// The `pass` protocol of snmpd.conf(5): `-g OID` prints OID, type, value; `-s OID TYPE VALUE` sets. Reboot (3) ends on.
fn outlet_script(folder: PathBuf) -> String {
    format!(
        "cd {}\noutlet=${{2##*.}}\ncase \"$1\" in\n-g) [ -f \"$outlet\" ] && printf '%s\\ninteger\\n%s\\n' \"$2\" \"$(cat \"$outlet\")\" ;;\n-s) if [ -f \"$outlet\" ]; then value=$4; [ \"$value\" = 3 ] && value=1; echo \"$value\" >\"$outlet\"; else echo not-writable; fi ;;\nesac\n",
        folder.display()
    )
}
