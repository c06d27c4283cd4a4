//! Many connections of one address: they never keep out a client of another one.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::time::Duration;

use h2::client::SendRequest;
use http::Request;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::lab::{BENCH, Exporter, Lab};

const REPORT: &str = "/jumpstarter.v1.ExporterService/GetReport";
const CALL: &str = "/jumpstarter.v1.ExporterService/DriverCall";
const STREAM: &str = "/jumpstarter.v1.RouterService/Stream";
/// A client gets its answer within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Addresses of this machine that stand for two clients.
const CROWD: [u8; 4] = [127, 0, 0, 1];
const OTHER: [u8; 4] = [127, 0, 0, 2];

#[derive(Clone, PartialEq, Message)]
struct Report {
    #[prost(message, repeated, tag = "3")]
    reports: Vec<Node>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    uuid: String,
    #[prost(map = "string, string", tag = "3")]
    labels: std::collections::HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(string, tag = "1")]
    uuid: String,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(message, repeated, tag = "3")]
    args: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "2")]
    result: Option<Value>,
}

/// A connection that speaks gRPC, from one address.
struct Client {
    sender: SendRequest<bytes::Bytes>,
    passphrase: Option<&'static str>,
    host: &'static str,
}

/// What is left of a call: its status and its one message.
struct Outcome {
    status: String,
    text: String,
    message: Vec<u8>,
}

impl Client {
    async fn connect(exporter: &Exporter, from: [u8; 4]) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(exporter.address.parse().unwrap()).await.unwrap();
        // What one stream does not take must not keep the answers of others back.
        let mut builder = h2::client::Builder::new();
        let builder = builder.initial_connection_window_size(64 << 20).initial_window_size(64 << 10);
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(async move { connection.await.ok() }); // cut off is what some here expect
        Self { sender, passphrase: None, host: "lab" }
    }

    fn request(&self, path: &str) -> http::request::Builder {
        let request = Request::post(format!("http://{}{path}", self.host));
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        match self.passphrase {
            Some(passphrase) => request.header("x-jumpstarter-passphrase", passphrase),
            None => request,
        }
    }

    async fn call(&mut self, path: &str, message: &impl Message) -> Outcome {
        tokio::time::timeout(PATIENCE, self.answer(path, message)).await.unwrap()
    }

    async fn answer(&mut self, path: &str, message: &impl Message) -> Outcome {
        let mut sender = self.sender.clone().ready().await.unwrap();
        let request = self.request(path).body(()).unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        // A refusal may come before the message has gone.
        body.send_data(framed(message), true).ok();
        let response = response.await.unwrap();
        let mut headers = response.headers().clone();
        let (mut incoming, mut all) = (response.into_body(), Vec::new());
        while let Some(data) = incoming.data().await {
            let data = data.unwrap();
            incoming.flow_control().release_capacity(data.len()).unwrap();
            all.extend_from_slice(&data);
        }
        headers.extend(incoming.trailers().await.unwrap().unwrap_or_default());
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        Outcome {
            status: text("grpc-status"),
            text: text("grpc-message"),
            message: all.get(5..).unwrap_or_default().to_vec(),
        }
    }

    async fn report(&mut self) -> Outcome {
        self.call(REPORT, &()).await
    }

    /// The node with this Python client.
    async fn node(&mut self, client: &str) -> String {
        let report = Report::decode(self.report().await.message.as_slice()).unwrap();
        let is_it =
            |node: &&Node| node.labels.get("jumpstarter.dev/client").is_some_and(|it| it.ends_with(client));
        report.reports.iter().find(is_it).unwrap().uuid.clone()
    }

    /// Opens a file to read; gives its handle.
    async fn open(&mut self, node: &str, path: &str) -> String {
        let outcome = self.call(CALL, &order(node, "open", [text(path), text("rb")])).await;
        let answer = Answer::decode(outcome.message.as_slice()).unwrap();
        match answer.result.unwrap().kind {
            Some(Kind::StringValue(fd)) => fd,
            other => panic!("{other:?}"),
        }
    }

    /// Has a whole file sent, and takes none of it. What keeps the transfer under way is given.
    async fn read_slowly(&mut self, node: &str, path: &str) -> impl Sized + use<> {
        let fd = self.open(node, path).await;
        let meta = format!(r#"{{"kind":"resource","uuid":"{node}"}}"#);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let request = self.request(STREAM).header("request", meta).body(()).unwrap();
        let (response, stream) = sender.send_request(request, false).unwrap();
        let response = tokio::time::timeout(PATIENCE, response).await.unwrap().unwrap();
        let handle: serde_json::Value =
            serde_json::from_str(response.headers()["resource"].to_str().unwrap()).unwrap();
        let uuid = handle["uuid"].as_str().unwrap();
        let fields = [("kind", "client_stream"), ("uuid", uuid)];
        let fields = fields.map(|(key, value)| (key.to_owned(), text(value))).into();
        let handle = Value { kind: Some(Kind::StructValue(Struct { fields })) };
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, mut body) = sender.send_request(self.request(CALL).body(()).unwrap(), false).unwrap();
        body.send_data(framed(&order(node, "file_read", [text(&fd), handle])), true).unwrap();
        (response, stream, answer, body)
    }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn order<const N: usize>(node: &str, method: &str, args: [Value; N]) -> Order {
    Order { uuid: node.to_owned(), method: method.to_owned(), args: args.into() }
}

/// A gRPC message: flag, length, bytes.
fn framed(message: &impl Message) -> bytes::Bytes {
    let bytes = message.encode_to_vec();
    [&[0], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat().into()
}

/// An exporter whose clients must know `sesame`.
fn guarded(lab: &Lab) -> Exporter {
    std::fs::write(lab.path("secret"), "sesame").unwrap();
    lab.listen(&["--listen", "127.0.0.1:0", "--passphrase-file", "secret"])
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_dropped() {
    let lab = Lab::new(BENCH);
    let exporter = guarded(&lab);
    let mut silent: Vec<_> = (0..512).map(|_| TcpStream::connect(&exporter.address).unwrap()).collect();
    for from in [OTHER, CROWD] {
        let mut client = Client::connect(&exporter, from).await;
        client.passphrase = Some("sesame");
        assert_eq!(client.report().await.status, "0", "a client at {from:?} is served");
    }
    tokio::task::block_in_place(|| {
        for stream in &mut silent {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            // The exporter's own settings, and then its end; a reset is an end as well.
            let mut end = Vec::new();
            let timed_out = stream
                .read_to_end(&mut end)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!timed_out, "a connection that never said anything is still open");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn passphrase_guesses_are_bounded() {
    let lab = Lab::new(BENCH);
    let mut exporter = guarded(&lab);
    let mut log = BufReader::new(exporter.child.stderr.take().unwrap()).lines();
    for guess in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let mut client = Client::connect(&exporter, CROWD).await;
        client.passphrase = Some(guess);
        assert_eq!(client.report().await.status, "16", "unauthenticated");
        let line = tokio::task::block_in_place(|| log.next().unwrap().unwrap());
        assert!(line.contains("a client sent a wrong passphrase") && line.contains("127.0.0.1"), "{line}");
        assert!(!line.contains("sesame"), "{line}");
    }
    for guess in ["k", "sesame"] {
        let mut client = Client::connect(&exporter, CROWD).await;
        client.passphrase = Some(guess);
        let outcome = client.report().await;
        assert_eq!(outcome.status, "8", "{guess}: no more guesses");
        assert!(outcome.text.contains("too%20many%20wrong%20passphrases"), "{}", outcome.text);
    }
    let mut client = Client::connect(&exporter, OTHER).await;
    client.passphrase = Some("sesame");
    assert_eq!(client.report().await.status, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_over() {
    let lab = Lab::new(BENCH);
    let exporter = guarded(&lab);
    let mut client = Client::connect(&exporter, CROWD).await;
    assert_eq!(client.report().await.status, "16");
    let over = async {
        while client.sender.clone().ready().await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(PATIENCE, over).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_half_of_all_connections_and_no_more() {
    let exporter = Lab::new(BENCH).listen(&["--listen", "127.0.0.1:0"]);
    let mut crowd = Vec::new();
    let mut refused = 0;
    for _ in 0..256 {
        let mut client = Client::connect(&exporter, CROWD).await;
        match client.report().await.status.as_str() {
            "0" => crowd.push(client),
            "8" => refused += 1,
            other => panic!("status {other}"),
        }
    }
    assert_eq!((crowd.len(), refused), (128, 128));
    assert_eq!(Client::connect(&exporter, OTHER).await.report().await.status, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_take_nothing_do_not_keep_the_files_from_others() {
    let lab = Lab::new("  http: { type: http, config: { root_dir: ./http, host: 127.0.0.1, port: 0 } }\n");
    std::fs::create_dir_all(lab.path("http")).unwrap();
    std::fs::File::create(lab.path("http/large")).unwrap().set_len(64 << 20).unwrap();
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let (mut clients, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let mut client = Client::connect(&exporter, CROWD).await;
        let node = client.node("OpendalClient").await;
        for _ in 0..32 {
            // The rest of them finds all workers of their address busy.
            match tokio::time::timeout(Duration::from_secs(5), client.read_slowly(&node, "large")).await {
                Ok(reader) => readers.push(reader),
                Err(_) => break,
            }
        }
        clients.push(client);
    }
    assert!(readers.len() >= 128, "{} readers", readers.len());
    let mut other = Client::connect(&exporter, OTHER).await;
    let node = other.node("OpendalClient").await;
    for method in ["exists", "stat"] {
        assert_eq!(other.call(CALL, &order(&node, method, [text("large")])).await.status, "0", "{method}");
    }
    // And those who take nothing lose their places.
    let mut again = Client::connect(&exporter, CROWD).await;
    let served =
        async { while again.call(CALL, &order(&node, "exists", [text("large")])).await.status != "0" {} };
    tokio::time::timeout(3 * PATIENCE, served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_another_machine_are_refused() {
    let lab = Lab::new(BENCH);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--host", "farm.example"]);
    for (host, status) in [
        ("127.0.0.1:18083", "0"),
        ("localhost:18083", "0"),
        ("[::1]:1", "0"),
        ("farm.example", "0"),
        ("evil.example", "7"),
        ("localhost.evil.example:80", "7"),
    ] {
        let mut client = Client::connect(&exporter, CROWD).await;
        client.host = host;
        let outcome = client.report().await;
        assert_eq!(outcome.status, status, "{host}");
        assert_eq!(outcome.text.contains("--host"), status != "0", "{host}: {}", outcome.text);
    }
}
