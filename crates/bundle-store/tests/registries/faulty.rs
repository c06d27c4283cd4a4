//! A small HTTP server on loopback with prepared answers: a registry that sends wrong data, breaks off, or stays silent.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bundle_store::Digest;
use serde_json::{Value, json};

/// How one path is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    pub(crate) cut: Option<usize>,
    /// How often it breaks before it does not.
    pub(crate) breaks: usize,
    /// Whether `Range` is understood.
    pub(crate) ranges: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) delay: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            cut: None,
            breaks: usize::MAX,
            ranges: true,
            headers: Vec::new(),
            delay: Duration::ZERO,
        }
    }
}

/// The registry. Ends with the test.
pub(crate) struct Faulty {
    pub(crate) address: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    log: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Faulty {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let faulty = Self { address, answers: Arc::default(), log: Arc::default(), stop: Arc::default() };
        let (answers, log, stop) =
            (Arc::clone(&faulty.answers), Arc::clone(&faulty.log), Arc::clone(&faulty.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (answers, log) = (Arc::clone(&answers), Arc::clone(&log));
                // In some tests the client goes away on purpose.
                std::thread::spawn(move || serve(stream, &answers, &log).ok());
            }
        });
        faulty
    }

    /// Puts an answer below `/v2/acme/bundle/`.
    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(format!("/v2/acme/bundle/{path}"), answer);
    }

    /// Puts a manifest under the tag `v1` and under its digest, and gives the digest.
    pub(crate) fn manifest(&self, manifest: &Value) -> Digest {
        let text = manifest.to_string();
        let digest = Digest::of(&text);
        for name in ["v1", &digest.prefixed()] {
            let mut answer = Answer::new(200, text.clone());
            answer.headers.push(("Docker-Content-Digest".into(), digest.prefixed()));
            answer.headers.push(("Content-Type".into(), "application/vnd.oci.image.manifest.v1+json".into()));
            self.put(&format!("manifests/{name}"), answer);
        }
        digest
    }

    /// Puts a blob under its digest and gives its layer.
    pub(crate) fn layer(&self, title: &str, body: &[u8]) -> Value {
        let digest = Digest::of(body).prefixed();
        self.put(&format!("blobs/{digest}"), Answer::new(200, body));
        json!({
            "mediaType": "application/octet-stream", "digest": digest, "size": body.len(),
            "annotations": { "org.opencontainers.image.title": title },
        })
    }

    /// The name of the bundle.
    pub(crate) fn name(&self) -> String {
        format!("{}/acme/bundle:v1", self.address)
    }

    /// Requests so far, `METHOD path`, without the greetings (`GET /v2/`) that ask how to log in.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|it| !it.ends_with(" /v2/")).cloned().collect()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        TcpStream::connect(&self.address).ok();
    }
}

/// A manifest with these layers.
pub(crate) fn manifest_of(layers: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "layers": layers })
}

fn serve(
    stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Answer>>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let offset = headers(&mut reader)?;
    log.lock().unwrap().push(format!("{method} {path}"));
    let answer = {
        let mut answers = answers.lock().unwrap();
        let answer = answers.get(path).cloned();
        if let Some(left) = answers.get_mut(path).filter(|it| it.cut.is_some() && method == "GET") {
            left.breaks = left.breaks.saturating_sub(1);
            if left.breaks == 0 {
                left.cut = None;
            }
        }
        answer
            .unwrap_or_else(|| Answer::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}"#))
    };
    pause(answer.delay);
    reply(stream, method == "HEAD", &answer, offset)
}

#[allow(clippy::disallowed_methods, reason = "a thread of its own, beside every runtime")]
fn pause(delay: Duration) {
    std::thread::sleep(delay);
}

/// Reads the headers; gives the offset of a `Range`.
fn headers(reader: &mut impl BufRead) -> std::io::Result<Option<usize>> {
    let mut offset = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(offset);
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            offset = range.split('-').next().and_then(|start| start.parse().ok());
        }
    }
}

fn reply(mut stream: TcpStream, head: bool, answer: &Answer, offset: Option<usize>) -> std::io::Result<()> {
    let (status, body) = match offset.filter(|_| answer.ranges && answer.status == 200) {
        Some(offset) => (206, answer.body.get(offset..).unwrap_or_default()),
        None => (answer.status, &answer.body[..]),
    };
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    answer.headers.iter().for_each(|(key, value)| text += &format!("{key}: {value}\r\n"));
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    if !head {
        stream.write_all(&body[..answer.cut.unwrap_or(body.len()).min(body.len())])?;
    }
    stream.flush()
}
