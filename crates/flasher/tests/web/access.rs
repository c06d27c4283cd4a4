//! Who may use the page, and what it refuses.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::lab::{Lab, WebExporter, eventually, noise};

/// Writes a certificate for this machine, and its key.
fn certify(lab: &Lab) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::write(lab.path("cert.pem"), pair.cert.pem()).unwrap();
    fs::write(lab.path("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    fs::write(lab.path("secret"), "open sesame\n").unwrap();
}

#[test]
fn off_this_machine_a_passphrase_and_tls_are_needed() {
    let lab = Lab::new("");
    certify(&lab);
    let tls = ["--cert", "cert.pem", "--key", "key.pem"];
    let passphrase = ["--passphrase-file", "secret"];
    let open = "a web page on `0.0.0.0:0` without a passphrase gives the boards to every user who reaches it";
    let clear = "a web page on `0.0.0.0:0` without TLS shows the passphrase to everyone who can read the network traffic";
    for (options, problem) in [(&[][..], open), (&tls, open), (&passphrase, clear)] {
        let output = lab.flasher(&["serve", "--web", "0.0.0.0:0"]).args(options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(said.contains(problem) && said.contains("ssh -L 8080:127.0.0.1:8080"), "{options:?}: {said}");
    }
    let insecure = lab
        .flasher(&["serve", "--web", "0.0.0.0:0", "--listen", "127.0.0.1:0", "--insecure"])
        .output()
        .unwrap();
    assert_eq!(insecure.status.code(), Some(2), "`--insecure` is about `--listen`: {insecure:?}");
}

#[test]
fn a_passphrase_lets_a_browser_in() {
    let lab = Lab::new("");
    certify(&lab);
    let mut options = vec!["--web", "0.0.0.0:0", "--passphrase-file", "secret"];
    options.extend(["--cert", "cert.pem", "--key", "key.pem"]);
    let exporter = lab.serve(&options);
    let address = exporter.address.replace("0.0.0.0", "localhost");
    assert!(address.starts_with("https://"));
    let ask = |path: &str, options: &[&str]| lab.curl(&format!("{address}{path}"), options);
    for path in ["/", "/board/storage", "/history", "/history/1", "/metrics", "/none"] {
        let answer = ask(path, &[]);
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
        assert!(
            answer.head.contains("location: /login") && !answer.body.contains("storage"),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(ask("/board/storage/events", &[]).status, 401);
    let login = ask("/login", &[]);
    assert!(
        login.head.contains("secure") || fs::read_to_string(lab.path("cookies")).unwrap().contains("TRUE")
    );
    let token = format!("token={}", login.token());
    // Someone who is not in has a token, and can do nothing with it.
    assert_eq!(ask("/board/storage/power", &["-d", &token, "-d", "to=on"]).status, 401);
    let wrong = ask("/login", &["-d", &token, "-d", "passphrase=sesame"]);
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert_eq!(ask("/login", &["-d", "passphrase=open sesame"]).status, 403, "without a token");
    let right = ask("/login", &["-d", &token, "-d", "passphrase=open sesame"]);
    assert_eq!(right.status, 303, "{right:?}");
    let page = ask("/", &[]);
    assert!(page.status == 200 && page.body.contains("storage"), "{page:?}");
    assert_ne!(format!("token={}", page.token()), token, "the session is a new one");
    let out = ask("/logout", &["-d", &format!("token={}", page.token())]);
    assert_eq!((out.status, ask("/", &[]).status), (303, 303));
    let login = ask("/login", &[]);
    let token = format!("token={}", login.token());
    let codes: Vec<u16> =
        (0..12).map(|_| ask("/login", &["-d", &token, "-d", "passphrase=x"]).status).collect();
    assert!(codes[..10].iter().all(|code| *code == 401) && codes[10..] == [429, 429], "{codes:?}");
}

#[test]
fn the_passphrase_may_be_in_the_environment() {
    let lab = Lab::new("");
    let mut command = lab.flasher(&["serve", "--web", "127.0.0.1:0", "--", "true"]);
    let output = command.env("FLASHER_WEB_PASSPHRASE", "").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && said.contains("`FLASHER_WEB_PASSPHRASE` holds no passphrase"),
        "{said}"
    );
}

#[test]
fn what_another_page_made_is_refused() {
    let lab = Lab::new("");
    let exporter = lab.serve(&["--web", "127.0.0.1:0"]);
    let ask = |path: &str, options: &[&str]| lab.curl(&format!("{}{path}", exporter.address), options);
    let page = ask("/board/spare", &[]);
    let token = format!("x-token: {}", page.token());
    let power = |options: &[&str]| {
        let all = [&["-d", "to=on", "-H", "x-tab: 1"], options].concat();
        ask("/board/spare/power", &all)
    };
    assert_eq!(power(&["-H", &token]).status, 204);
    for (options, status) in [
        (&[][..], 403),
        (&["-H", "x-token: 0"], 403),
        (&["-H", &token, "-H", "origin: http://evil.example"], 403),
        (&["-H", &token, "-H", "origin: null"], 403),
        (&["-H", &token, "-H", "sec-fetch-site: cross-site"], 403),
        (&["-H", &token, "-H", "host: evil.example"], 421),
        (&["-H", &token, "-X", "PUT"], 405),
        (&["-H", &token, "-d", "to=off", "-X", "GET"], 404),
    ] {
        let answer = power(options);
        assert_eq!(answer.status, status, "{options:?}: {answer:?}");
    }
    let long = format!("x={}", "y".repeat(70_000));
    assert_eq!(power(&["-H", &token, "-d", &long]).status, 413);
    for (path, status) in
        [("/board/none/power", 404), ("/board/spare/fly", 404), ("/board/spare/flash", 409), ("/fly", 404)]
    {
        assert_eq!(
            ask(path, &["-H", &token, "-H", "x-tab: 1", "-d", "url=http://h/x"]).status,
            status,
            "{path}"
        );
    }
    // Another browser, without the session of the token.
    fs::remove_file(lab.path("cookies")).unwrap();
    assert_eq!(power(&["-H", &token]).status, 403);
}

#[test]
fn every_answer_keeps_the_browser_to_this_page() {
    let lab = Lab::new("");
    let exporter = lab.serve(&["--web", "127.0.0.1:0"]);
    for path in [
        "/",
        "/board/storage",
        "/board/none",
        "/history",
        "/history/9",
        "/metrics",
        "/style.css",
        "/script.js",
        "/icon.svg",
    ] {
        let answer = lab.curl(&format!("{}{path}", exporter.address), &[]);
        for line in [
            "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(line), "{path}: {line}: {}", answer.head);
        }
        let is_elsewhere = |text: &str| text.contains("http://") || text.contains("https://");
        let body =
            answer.body.replace("http://www.w3.org/2000/svg", "").replace("placeholder=\"https://\"", "");
        assert!(path == "/metrics" || !is_elsewhere(&body), "{path} names another place");
        assert!(!body.contains(" style=") && !body.contains(" onclick"), "{path}");
    }
    let cookies = fs::read_to_string(lab.path("cookies")).unwrap();
    assert!(cookies.contains("#HttpOnly_127.0.0.1"), "{cookies}");
    assert!(!Path::new(&lab.path("state")).join("flasher").exists(), "looking keeps nothing");
}

/// Pages that may be open at a time, as docs/web.md says.
const WATCHERS: usize = 128;

/// A browser that has a board's page open, with the session of the lab's cookies. It has read the first `read` bytes.
fn watch(lab: &Lab, exporter: &WebExporter, board: &str, read: usize) -> (TcpStream, String) {
    let cookies = fs::read_to_string(lab.path("cookies")).unwrap();
    let cookie = cookies.lines().last().unwrap().split('\t').skip(5).collect::<Vec<_>>().join("=");
    let host = exporter.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /board/{board}/events?from=0 HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\n\r\n")
        .unwrap();
    let mut begun = vec![0; read];
    stream.read_exact(&mut begun).unwrap();
    (stream, String::from_utf8(begun).unwrap())
}

#[test]
fn browsers_that_never_read_hold_no_flash_up() {
    let lab = Lab::new("");
    let exporter = lab.serve(&["--web", "127.0.0.1:0"]);
    let ask = |path: &str, options: &[&str]| lab.curl(&format!("{}{path}", exporter.address), options);
    let token = format!("x-token: {}", ask("/board/storage", &[]).token());
    let watchers: Vec<_> = (0..50).map(|_| watch(&lab, &exporter, "storage", 0)).collect();
    let image = noise(4 << 20, 9);
    fs::write(lab.path("os.img"), &image).unwrap();
    let order = format!("name=os.img&length={}", image.len());
    let place = ask("/board/storage/flash", &["-H", &token, "-H", "x-tab: 1", "-d", &order]);
    assert_eq!(place.status, 200, "{place:?}");
    let file = format!("@{}", lab.path("os.img").display());
    let sent = ask(
        place.body.trim(),
        &[
            "-H",
            &token,
            "-H",
            "content-type: application/octet-stream",
            "-H",
            "expect:",
            "--data-binary",
            &file,
        ],
    );
    assert_eq!(sent.status, 204, "{sent:?}");
    eventually("the flash is proven", || {
        ask("/board/storage", &[]).body.contains("<p class=\"verdict\">proven</p>")
    });
    assert_eq!(fs::read(lab.path("medium")).unwrap()[..image.len()], image[..]);
    drop(watchers);
}

#[test]
fn so_many_pages_may_be_open_and_no_more() {
    let lab = Lab::new("");
    let exporter = lab.serve(&["--web", "127.0.0.1:0"]);
    lab.curl(&format!("{}/board/spare", exporter.address), &[]);
    let begin = |expected: &str| {
        let (stream, begun) = watch(&lab, &exporter, "spare", expected.len());
        assert_eq!(begun, expected);
        stream
    };
    let open: Vec<_> = (0..WATCHERS).map(|_| begin("HTTP/1.1 200 OK")).collect();
    begin("HTTP/1.1 503 Service Unavailable");
    drop(open);
    // Their places are free once the exporter has seen that they are gone.
    eventually("there is room again", || watch(&lab, &exporter, "spare", 15).1 == "HTTP/1.1 200 OK");
}
