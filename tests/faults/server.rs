//! An origin that misbehaves as a case asks, request by request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What one request gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// The image, with its length.
    Whole,
    /// Another image, of the same length.
    Other,
    /// This status and no image.
    Status(u16),
    /// Its length is sent, and the connection closed after so many thousandths of it.
    CutAt(usize),
    /// In chunks, the connection closed after so many thousandths of it.
    ChunksCutAt(usize),
    /// No length is sent, and the connection closed after so many thousandths of it.
    UnframedUpTo(usize),
    /// Nothing more comes after so many thousandths of it, and the connection stays open.
    SilentAt(usize),
    /// A few bytes at a time, for ever.
    Loris,
    /// All of it, in small pieces with pauses.
    Slow,
    /// Elsewhere on this server.
    RedirectHere,
    /// To another server, which has the image.
    RedirectAway,
    /// The connection is closed without a word.
    Nothing,
    /// Bytes that are no HTTP.
    Noise,
}

/// A server and what it saw.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    /// Set when a secret arrived where it must not.
    pub(super) leaked: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

struct Site {
    image: Vec<u8>,
    other: Vec<u8>,
    answers: Vec<Answer>,
    requests: AtomicUsize,
    elsewhere: Option<SocketAddr>,
    ended: Arc<AtomicBool>,
    /// Connections that stay open without a word.
    silent: Mutex<Vec<TcpStream>>,
}

impl Origin {
    /// Serves `image`, and `other` of the same length, with these answers.
    pub(super) fn new(image: &[u8], other: &[u8], answers: &[Answer]) -> Self {
        let (leaked, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let away = answers.contains(&Answer::RedirectAway);
        let site = |answers: Vec<Answer>, elsewhere| Site {
            image: image.to_vec(),
            other: other.to_vec(),
            answers,
            requests: AtomicUsize::new(0),
            elsewhere,
            ended: Arc::clone(&ended),
            silent: Mutex::default(),
        };
        let elsewhere = away.then(|| serve(site(vec![Answer::Whole], None), Some(Arc::clone(&leaked))));
        let address = serve(site(answers.to_vec(), elsewhere), None);
        Self { address, leaked, ended }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// `leaked` is set when a request brings a secret.
fn serve(site: Site, leaked: Option<Arc<AtomicBool>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let site = Arc::new(site);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if site.ended.load(Ordering::Relaxed) {
                return;
            }
            let (site, leaked) = (Arc::clone(&site), leaked.clone());
            // A client that is gone is the case's own business.
            std::thread::spawn(move || answer(&site, stream, leaked.as_deref()));
        }
    });
    address
}

fn answer(site: &Site, mut stream: TcpStream, leaked: Option<&AtomicBool>) -> std::io::Result<()> {
    let header = header(&stream)?;
    if let Some(leaked) = leaked.filter(|_| header.contains("secret")) {
        leaked.store(true, Ordering::Relaxed);
    }
    // There is no block map beside the image.
    if header.lines().next().is_some_and(|line| line.contains(".bmap ")) {
        return stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let number = site.requests.fetch_add(1, Ordering::Relaxed).min(site.answers.len() - 1);
    let length = site.image.len();
    let part = |thousandths: usize| &site.image[..length * thousandths / 1000];
    let told = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let whole = |image: &[u8]| [told.as_bytes(), image].concat();
    match site.answers[number] {
        Answer::Whole => stream.write_all(&whole(&site.image)),
        Answer::Other => stream.write_all(&whole(&site.other)),
        Answer::CutAt(at) => stream.write_all(&whole(part(at))),
        Answer::Status(status) => {
            let reply = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(reply.as_bytes())
        }
        Answer::ChunksCutAt(at) => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
            let chunk = part(at);
            stream.write_all(format!("{head}{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(&[chunk, b"\r\n"].concat())
        }
        Answer::UnframedUpTo(at) => stream.write_all(&[b"HTTP/1.0 200 OK\r\n\r\n", part(at)].concat()),
        Answer::SilentAt(at) => {
            stream.write_all(&whole(part(at)))?;
            site.silent.lock().unwrap().push(stream);
            Ok(())
        }
        Answer::Loris => drip(site, &mut stream, &whole(&site.image), 100, Duration::from_millis(50)),
        Answer::Slow => {
            let bytes = whole(&site.image);
            drip(site, &mut stream, &bytes, bytes.len() / 10, Duration::from_millis(50))
        }
        Answer::RedirectHere => stream.write_all(redirect("/elsewhere").as_bytes()),
        Answer::RedirectAway => {
            let url = site.elsewhere.map(|address| format!("http://localhost:{}/image", address.port()));
            stream.write_all(redirect(&url.unwrap_or_default()).as_bytes())
        }
        Answer::Nothing => Ok(()),
        Answer::Noise => stream.write_all(&[0xff; 300]),
    }
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn drip(
    site: &Site,
    stream: &mut TcpStream,
    bytes: &[u8],
    piece: usize,
    pause: Duration,
) -> std::io::Result<()> {
    for piece in bytes.chunks(piece) {
        if site.ended.load(Ordering::Relaxed) {
            break;
        }
        stream.write_all(piece)?;
        std::thread::park_timeout(pause);
    }
    Ok(())
}

fn header(stream: &TcpStream) -> std::io::Result<String> {
    let (mut reader, mut header) = (BufReader::new(stream.take(16 * 1024)), String::new());
    while reader.read_line(&mut header)? > 2 {}
    Ok(header)
}
