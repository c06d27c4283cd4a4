//! A server for the image that misbehaves as a case asks, request by request.

use std::io::{BufRead as _, BufReader, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::case::ServerAnswer;
use crate::content::{PAGE, part};

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ImageServer {
    pub(crate) address: SocketAddr,
    ended: Arc<AtomicBool>,
}

#[derive(Debug)]
struct ImageSite {
    image: Vec<u8>,
    other: Vec<u8>,
    /// What is beside the image: path and content.
    beside: Vec<(String, Vec<u8>)>,
    answers: Vec<ServerAnswer>,
    parts: bool,
    requests: AtomicUsize,
    ended: Arc<AtomicBool>,
    /// Connections that stay open without a word.
    silent: Mutex<Vec<TcpStream>>,
}

impl ImageServer {
    /// Serves `image`, parts of it too when it may, with these answers, and the files `beside` it.
    pub(crate) fn start(
        (image, other): (Vec<u8>, Vec<u8>),
        beside: Vec<(String, Vec<u8>)>,
        answers: Vec<ServerAnswer>,
        parts: bool,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, ended) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let (requests, silent) = (AtomicUsize::new(0), Mutex::default());
        let until = Arc::clone(&ended);
        let site =
            Arc::new(ImageSite { image, other, beside, answers, parts, requests, ended: until, silent });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if site.ended.load(Ordering::Relaxed) {
                    return;
                }
                let site = Arc::clone(&site);
                // A client that is gone is the case's own business.
                std::thread::spawn(move || site.answer(stream).ok());
            }
        });
        Ok(Self { address, ended })
    }
}

impl Drop for ImageServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a client; it may be gone already.
        TcpStream::connect(self.address).ok();
    }
}

/// What a client asked for.
struct ImageRequest {
    path: String,
    /// First byte, and the last one when it is named.
    range: Option<(usize, Option<usize>)>,
}

impl ImageSite {
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let request = read(&stream)?;
        if let Some((_, content)) = self.beside.iter().find(|(path, _)| *path == request.path) {
            let fields = format!("Content-Length: {}", content.len());
            return stream.write_all(&[&head("200 OK", &fields), content.as_slice()].concat());
        }
        if request.path != "/image" {
            return stream.write_all(&head("404 Not Examination", "Content-Length: 0"));
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let last = self.answers.last().copied().unwrap_or(ServerAnswer::Whole);
        let answer = self.answers.get(number).copied().unwrap_or(last);
        let image = if answer == ServerAnswer::Other { &self.other } else { &self.image };
        let range = request.range.filter(|(from, _)| self.parts && *from < image.len());
        let (from, to) = range.map_or((0, image.len()), |(from, last)| {
            (from, last.map_or(image.len(), |last| (last + 1).min(image.len())))
        });
        let body = image.get(from..to).unwrap_or_default();
        let mut fields = self.fields(answer);
        let status = if range.is_some() {
            fields += &format!("Content-Range: bytes {from}-{}/{}\r\n", to.saturating_sub(1), image.len());
            "206 Partial Content"
        } else {
            "200 OK"
        };
        self.send(&mut stream, answer, status, &fields, body)
    }

    fn fields(&self, answer: ServerAnswer) -> String {
        match (self.parts, answer == ServerAnswer::Other) {
            (false, _) => String::new(),
            (true, false) => "Accept-Ranges: bytes\r\nETag: \"first\"\r\n".to_owned(),
            (true, true) => "Accept-Ranges: bytes\r\nETag: \"second\"\r\n".to_owned(),
        }
    }

    fn send(
        &self,
        stream: &mut TcpStream,
        answer: ServerAnswer,
        status: &str,
        fields: &str,
        body: &[u8],
    ) -> Result<()> {
        let length = body.len();
        let whole = |length: usize| head(status, &format!("{fields}Content-Length: {length}"));
        let upto = |thousandths: usize| &body[..part(length, thousandths)];
        match answer {
            ServerAnswer::Whole | ServerAnswer::Other => stream.write_all(&[&whole(length), body].concat()),
            ServerAnswer::CutAt(at) => stream.write_all(&[&whole(length), upto(at)].concat()),
            ServerAnswer::LengthOf(at) => stream.write_all(&[&whole(part(length, at)), body].concat()),
            ServerAnswer::Status(status) => {
                stream.write_all(&head(&format!("{status} No"), "Content-Length: 0"))
            }
            ServerAnswer::ChunksCutAt(at) => {
                let begin = head("200 OK", "Transfer-Encoding: chunked");
                let size = format!("{:x}\r\n", upto(at).len());
                stream.write_all(&[&begin, size.as_bytes(), upto(at), b"\r\n"].concat())
            }
            ServerAnswer::UnframedTo(at) => {
                stream.write_all(&[b"HTTP/1.0 200 OK\r\n\r\n", upto(at)].concat())
            }
            ServerAnswer::SilentAt(at) => {
                stream.write_all(&[&whole(length), upto(at)].concat())?;
                let silent = stream.try_clone()?;
                self.silent.lock().unwrap_or_else(PoisonError::into_inner).push(silent);
                Ok(())
            }
            ServerAnswer::Slow => self.drip(stream, &[&whole(length), body].concat()),
            ServerAnswer::Redirect => {
                stream.write_all(&head("302 Examination", "Location: /image\r\nContent-Length: 0"))
            }
            ServerAnswer::Nothing => Ok(()),
            ServerAnswer::Noise => stream.write_all(&[0xff; 300]),
            ServerAnswer::WrongPart => {
                let fields = fields.replace("bytes ", "bytes 1");
                stream
                    .write_all(&[&head(status, &format!("{fields}Content-Length: {length}")), body].concat())
            }
            ServerAnswer::NotEncoded => {
                let fields = format!("{fields}Content-Encoding: gzip\r\nContent-Length: {length}");
                stream.write_all(&[&head(status, &fields), body].concat())
            }
            ServerAnswer::Page => {
                let fields = format!("Content-Type: text/html\r\nContent-Length: {}", PAGE.len());
                stream.write_all(&[&head("200 OK", &fields), PAGE].concat())
            }
        }
    }

    fn drip(&self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(bytes.len() / 10 + 1) {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            stream.write_all(piece)?;
            std::thread::sleep(Duration::from_millis(80));
        }
        Ok(())
    }
}

fn head(status: &str, fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{fields}\r\nConnection: close\r\n\r\n").into_bytes()
}

fn read(stream: &TcpStream) -> Result<ImageRequest> {
    let (mut reader, mut header) = (BufReader::new(stream.take(16 * 1024)), String::new());
    while reader.read_line(&mut header)? > 2 {}
    let first = header.lines().next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = header
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let range = range.and_then(|range| {
        let (from, last) = range.split_once('-')?;
        Some((from.parse().ok()?, last.trim().parse().ok()))
    });
    Ok(ImageRequest { path, range })
}
