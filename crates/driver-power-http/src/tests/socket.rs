//! A socket in the network: a real HTTP server with one relay, in the languages of the presets.

use std::sync::{Arc, Mutex};

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
    let (status, answer) = {
        let mut seen = seen.lock().unwrap();
        seen.asked.push(line.clone());
        if path == "/echo" {
            let fields =
                ["content-type", "authorization", "x-token"].map(|name| field(&text, name)).join(" ");
            seen.echoed.push(format!("{} {fields} {body}", line.split(' ').next().unwrap()));
        }
        answer(&path, &mut seen.on)
    };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn field(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_default()
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
        _ if path.starts_with("/say/") => path[5..].to_owned(),
        "/flood" => "x".repeat(10 << 20),
        _ => String::new(),
    };
    (200, text)
}
