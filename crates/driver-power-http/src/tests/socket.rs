//! A socket in the network: a real HTTP server with one relay, in the languages of the presets.

use std::sync::{Arc, Mutex};

use sha2::Digest as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Serves until it is dropped.
pub(super) struct Socket {
    host: String,
    seen: Arc<Mutex<Seen>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    on: bool,
    asked: Vec<String>,
    /// Who is let in, by a digest only.
    user: Option<(String, String)>,
    /// What the password would be seen in.
    logins: Vec<String>,
    echoed: Vec<String>,
}

impl Socket {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { host, seen, server }
    }

    /// Lets in only this user, by a digest with SHA-256.
    pub(super) fn guard(&self, user: &str, password: &str) {
        self.seen.lock().unwrap().user = Some((user.to_owned(), password.to_owned()));
    }

    /// Every field `Authorization` there was.
    pub(super) fn logins(&self) -> Vec<String> {
        self.seen.lock().unwrap().logins.clone()
    }

    pub(super) fn host(&self) -> String {
        self.host.clone()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().asked.clone()
    }

    pub(super) fn echoed(&self) -> Vec<String> {
        self.seen.lock().unwrap().echoed.clone()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let head = loop {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
        if let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let length = field(&text, "content-length").parse::<usize>().unwrap_or(0);
    while request.len() < head + 4 + length {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let body = String::from_utf8_lossy(&request[head + 4..]).into_owned();
    let line = text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    if path == "/hang" {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    }
    let (guarded, (status, answer)) = {
        let mut seen = seen.lock().unwrap();
        let login = field(&text, "authorization");
        seen.logins.extend((!login.is_empty()).then(|| login.clone()));
        let stranger =
            seen.user.as_ref().is_some_and(|(user, password)| !lets_in(&login, user, password, &line));
        seen.asked.push(line.clone());
        if path == "/echo" {
            let fields =
                ["content-type", "authorization", "x-token"].map(|name| field(&text, name)).join(" ");
            seen.echoed.push(format!("{} {fields} {body}", line.split(' ').next().unwrap()));
        }
        let answered = if stranger { (401, String::new()) } else { answer(&path, &mut seen.on) };
        (seen.user.is_some(), answered)
    };
    let asks = ["qop=\"auth\", algorithm=SHA-256", "algorithm=MD5, qop=\"auth\""];
    let asks =
        asks.map(|it| format!("www-authenticate: Digest realm=\"shellyplus\", nonce=\"{NONCE}\", {it}\r\n"));
    let asks = if guarded && status == 401 { asks.concat() } else { String::new() };
    let length = answer.len();
    let head = format!("HTTP/1.1 {status} X\r\n{asks}content-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(answer.as_bytes()).await;
}

const NONCE: &str = "60f0c1d2e3";

/// Whether a field `Authorization` is the answer of a user who knows the password (RFC 7616, section 3.4).
fn lets_in(login: &str, user: &str, password: &str, line: &str) -> bool {
    let value = |name: &str| {
        let rest = login.split_once(&format!("{name}="))?.1;
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.find('"')? + 2
        } else {
            rest.find([',', ' ']).unwrap_or(rest.len())
        };
        Some(rest[..end].trim_matches('"').to_owned())
    };
    let hash = |text: String| -> String {
        sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (Some(cnonce), Some(uri), Some(count)) = (value("cnonce"), value("uri"), value(" nc")) else {
        return false;
    };
    let secret = hash(format!("{user}:shellyplus:{password}"));
    let request = hash(line.replacen(' ', ":", 1));
    let expected = hash(format!("{secret}:{NONCE}:{count}:{cnonce}:auth:{request}"));
    login.contains(&format!("username=\"{user}\""))
        && line.ends_with(&uri)
        && value("response") == Some(expected)
}

fn field(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
}

/// `%xx` as the byte it stands for.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| {
        let byte = u8::from_str_radix(&part[..2], 16).unwrap();
        said + &char::from(byte).to_string() + &part[2..]
    })
}

/// What each device answers, as its documentation shows it.
fn answer(path: &str, on: &mut bool) -> (u16, String) {
    for (order, state) in [
        ("%20On", true),
        ("%20Off", false),
        ("turn=on", true),
        ("turn=off", false),
        ("on=true", true),
        ("on=false", false),
    ] {
        if path.ends_with(order) {
            *on = state;
        }
    }
    let (word, flag) = (if *on { "ON" } else { "OFF" }, *on);
    let text = match path {
        "/cm?cmnd=Status%208" => {
            r#"{"StatusSNS":{"Time":"2026-11-25T08:00:00","ENERGY":{"Power":55,"Voltage":231,"Current":0.250}}}"#.to_owned()
        }
        _ if path.starts_with("/cm?cmnd=Power2") => format!(r#"{{"POWER2":"{word}"}}"#),
        _ if path.starts_with("/cm?cmnd=Power") => format!(r#"{{"POWER":"{word}"}}"#),
        _ if path.starts_with("/relay/") => format!(r#"{{"ison":{flag},"has_timer":false}}"#),
        _ if path.starts_with("/rpc/Switch.GetStatus") => {
            format!(r#"{{"id":0, "source":"HTTP", "output":{flag}, "apower":11.5, "voltage":230.1, "current":0.05}}"#)
        }
        _ if path.starts_with("/rpc/Switch.Set") => r#"{"was_on":true}"#.to_owned(),
        _ if path.starts_with("/status/") => return (path[8..11].parse().unwrap(), "on".to_owned()),
        _ if path.starts_with("/say/") => unescaped(&path[5..]),
        "/flood" => "x".repeat(10 << 20),
        _ => String::new(),
    };
    (200, text)
}
