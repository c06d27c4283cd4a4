//! What a person sees and does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::browser::{Browser, play};
use crate::lab::{Lab, WebExporter, noise};

const HERE: &[&str] = &["--web", "127.0.0.1:0"];
/// All that the console shows, also a line whose end has not come.
const CONSOLE: &str = "[aria-labelledby=h-console]";

/// The address of a server that has no image.
fn missing_image() -> String {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}/missing.img", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request); // whatever it asks for
            let _ =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

/// Opens a board's page, and waits until it is live.
async fn board(browser: &Browser, exporter: &WebExporter, name: &str) {
    browser.open(&format!("{}/board/{name}", exporter.address)).await;
    browser.until_live().await;
}

/// Flashes a file of the browser's machine.
async fn flash(browser: &Browser, lab: &Lab, name: &str, length: usize) {
    fs::write(lab.path(name), noise(length, 5)).unwrap();
    browser.type_into("#file", lab.path(name).to_str().unwrap()).await;
    browser.click("#flash button").await;
}

#[test]
fn a_flash_is_watched_to_its_proof() {
    play(&[], |browser| async move {
        let lab = Lab::new(", faults: { slow: 2MiB }");
        let exporter = lab.serve(HERE);
        board(&browser, &exporter, "storage").await;
        browser.check_page(&exporter.address).await;
        assert_eq!(browser.text("#job").await, "No job since the exporter was started.");
        let heard = "window.heard = []; new MutationObserver(() => window.heard.push(document.getElementById('announce').textContent))
            .observe(document.getElementById('announce'), { childList: true, characterData: true, subtree: true })";
        browser.client.execute(heard, Vec::new()).await.unwrap();
        flash(&browser, &lab, "os.img", 12 << 20).await;
        browser.until_says("#job b", "flash os.img").await;
        browser.until_says("#status", "a flash job of the web page at 127.0.0.1").await;
        // A picture of the middle, where it does not pass too quickly.
        browser.until("document.querySelector('#job .now')?.textContent === 'write' && document.querySelector('#job progress').value > 300 || document.querySelector('#job .verdict')").await;
        browser.picture("flashing").await;
        browser.check_page(&exporter.address).await;
        // A tab that comes later sees the same.
        let first = browser.client.window().await.unwrap();
        let second = browser.client.new_window(true).await.unwrap();
        browser.client.switch_to_window(second.handle).await.unwrap();
        board(&browser, &exporter, "storage").await;
        browser.until_says("#job b", "flash os.img").await;
        browser.client.close_window().await.unwrap();
        browser.client.switch_to_window(first).await.unwrap();
        browser.until_says("#job .verdict", "proven").await;
        browser.until_says("#announce", "flash os.img: proven").await;
        let heard = browser.value("window.heard").await.to_string();
        assert!(heard.contains("flash os.img: write"), "{heard}");
        browser.until_says("#lines", "U-Boot 2023.01-sim").await;
        browser.picture("proven").await;
        browser.click("#report-link").await;
        browser.until("document.querySelector('h1').textContent === 'proven'").await;
        browser.picture("report").await;
        browser.open(&format!("{}/history", exporter.address)).await;
        browser.until_says("tbody", "os.img").await;
        browser.check_page(&exporter.address).await;
        browser.picture("history").await;
        browser.open(&exporter.address).await;
        browser.until_says("#boards", "flash os.img: proven").await;
        browser.until_live().await;
        browser.check_page(&exporter.address).await;
        browser.picture("boards").await;
        assert_eq!(fs::read(lab.path("medium")).unwrap()[..1 << 20], noise(12 << 20, 5)[..1 << 20]);
    });
}

#[test]
fn a_flash_is_cancelled() {
    play(&[], |browser| async move {
        let lab = Lab::new(", faults: { slow: 1MiB }");
        let exporter = lab.serve(HERE);
        board(&browser, &exporter, "storage").await;
        flash(&browser, &lab, "os.img", 14 << 20).await;
        browser.until("document.querySelector('#job progress')?.value > 0").await;
        // Another order is refused meanwhile, and the page says why.
        browser.type_into("#url", "http://127.0.0.1:1/other.img").await;
        browser.click("#flash button").await;
        browser.until_says("#message", "in use by a flash job of the web page").await;
        browser.click("#cancel-button").await;
        browser.until_says("#job .verdict", "failed").await;
        browser.until_says("#job", "no one: the job was stopped").await;
        browser.until_says("#status", "free").await;
        browser.picture("cancelled").await;
        browser.check_page(&exporter.address).await;
    });
}

#[test]
fn what_is_wrong_with_an_order_is_said() {
    play(&[], |browser| async move {
        let lab = Lab::new("");
        let exporter = lab.serve(HERE);
        board(&browser, &exporter, "storage").await;
        browser.click("#flash button").await;
        browser.until_says("#message", "give the URL of an image, or a file").await;
        browser.type_into("#url", "ftp://h/x.img").await;
        browser.click("#flash button").await;
        browser.until_says("#message", "this is no address of an image").await;
        browser.clear("#url").await;
        browser.type_into("#url", &missing_image()).await;
        browser.click("#flash button").await;
        browser.until_says("#job .verdict", "failed").await;
        browser.until_says("#job", "the image, or the place it comes from").await;
        browser.picture("failed").await;
    });
}

#[test]
fn hostile_text_is_shown_and_does_nothing() {
    play(&[], |browser| async move {
        let lab = Lab::new("");
        let elsewhere = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let port = elsewhere.local_addr().unwrap().port();
        let exporter = lab.serve(HERE);
        board(&browser, &exporter, "spare").await;
        browser.click("#take").await;
        browser.until_says("#line-state", "This page has the line").await;
        // The line echoes what is typed.
        for text in [
            format!("<img src=http://127.0.0.1:{port}/a onerror=document.title='owned'>"),
            format!("<script src=http://127.0.0.1:{port}/b></script><b>bold</b>"),
            format!(
                "<svg onload=document.title='owned'><a href=javascript:alert(1) ping=http://127.0.0.1:{port}/c>"
            ),
            "\u{1b}[2J\u{1b}]0;owned\u{7}&lt;&#60;data:text/html,x".to_owned(),
        ] {
            browser.type_into("#typed", &text.replace(['\u{1b}', '\u{7}'], "")).await;
            browser.click("#type button").await;
        }
        browser.until_says(CONSOLE, "data:text/html,x").await;
        browser.until_says("#lines", "<b>bold</b>").await;
        let inside =
            "document.querySelectorAll('[aria-labelledby=h-console] :is(img,script,svg,a,b)').length";
        assert_eq!(browser.value(inside).await, json!(0));
        // A reload shows the same lines as they were kept.
        browser.open(&format!("{}/board/spare", exporter.address)).await;
        browser.until_says("#lines", "<b>bold</b>").await;
        assert_eq!(browser.value(inside).await, json!(0));
        board(&browser, &exporter, "storage").await;
        let name = "<img src=x onerror=document.title='owned'>.img";
        flash(&browser, &lab, name, 2 << 20).await;
        browser.until_says("#job .verdict", "proven").await;
        browser.until_says("#job b", "<img").await;
        browser.open(&format!("{}/history", exporter.address)).await;
        browser.until_says("tbody", "<img").await;
        assert_eq!(browser.value("document.querySelectorAll('img').length").await, json!(0));
        assert!(!browser.client.title().await.unwrap().contains("owned"));
        assert!(elsewhere.accept().is_err(), "a page asked elsewhere");
    });
}

#[test]
fn two_tabs_have_one_line() {
    play(&[], |browser| async move {
        let lab = Lab::new("");
        let exporter = lab.serve(HERE);
        board(&browser, &exporter, "spare").await;
        browser.click("#take").await;
        browser.until("document.activeElement.id === 'typed'").await;
        browser.type_into("#typed", "first\u{e007}").await;
        browser.until_says(CONSOLE, "first").await;
        let first = browser.client.window().await.unwrap();
        // A window of its own, so that both are seen.
        let second = browser.client.new_window(false).await.unwrap();
        browser.client.switch_to_window(second.handle.clone()).await.unwrap();
        board(&browser, &exporter, "spare").await;
        browser.until_says(CONSOLE, "first").await;
        browser.until_says("#line-state", "Another page has the line").await;
        browser.click("#take").await;
        browser.until_says("#message", "in use by a serial stream of the web page at 127.0.0.1").await;
        browser.picture("taken").await;
        // The first one goes, and with it its claim.
        browser.client.switch_to_window(first).await.unwrap();
        browser.client.close_window().await.unwrap();
        browser.client.switch_to_window(second.handle).await.unwrap();
        browser.until("document.querySelector('#line-state').textContent === ''").await;
        browser.click("#take").await;
        browser.until_says("#line-state", "This page has the line").await;
        browser.type_into("#typed", "second\u{e007}").await;
        browser.until_says(CONSOLE, "second").await;
        browser.picture("console").await;
        browser.click("#release").await;
        browser.until("document.querySelector('#line-state').textContent === ''").await;
    });
}

#[test]
fn a_page_lives_on_when_the_exporter_is_started_anew() {
    play(&[], |browser| async move {
        let lab = Lab::new("");
        let exporter = lab.serve(HERE);
        let address = exporter.address.clone();
        board(&browser, &exporter, "storage").await;
        let tree = browser.value("document.body.dataset.tree").await;
        exporter.end("KILL");
        browser.until_says("#live", "no connection; trying again").await;
        browser.picture("lost").await;
        let place = address.trim_start_matches("http://");
        let _again = lab.serve(&["--web", place]);
        browser.until(&format!("document.body.dataset.tree !== {tree}")).await;
        browser.until_live().await;
        // Its session is a new one, and works.
        browser.click("button[value=on]").await;
        browser.until_says("#status", "on").await;
        browser.click("button[value=off]").await;
        browser.until_says("#status", "off").await;
        assert_eq!(browser.text("#message").await, "");
    });
}

#[test]
fn a_phone_and_a_keyboard_are_enough() {
    play(&["--force-dark-mode", "--blink-settings=preferredColorScheme=0"], |browser| async move {
        let lab = Lab::new("");
        let exporter = lab.serve(HERE);
        browser.client.set_window_size(390, 844).await.unwrap();
        for (path, name) in
            [("/", "phone-boards"), ("/board/storage", "phone-board"), ("/history", "phone-history")]
        {
            browser.open(&format!("{}{path}", exporter.address)).await;
            browser.until("document.readyState === 'complete'").await;
            browser.check_page(&exporter.address).await;
            browser.picture(name).await;
        }
        browser.open(&format!("{}/board/none", exporter.address)).await;
        browser.until_says("h1", "Not found").await;
        // From the top by the keyboard alone.
        board(&browser, &exporter, "spare").await;
        let focused = async |expected: &str| {
            browser.until(&format!("document.activeElement?.matches({expected:?})")).await;
        };
        let press = async |key: &str| {
            browser.client.active_element().await.unwrap().send_keys(key).await.unwrap();
        };
        press("\u{e004}").await;
        focused("a.skip").await;
        for expected in [".home", "a[href='/history']", "a[href='/metrics']", "button[value=on]"] {
            press("\u{e004}").await;
            focused(expected).await;
        }
        press("\u{e007}").await;
        browser.until_says("#status", "the switch cannot tell").await;
        focused("button[value=on]").await;
        for expected in ["button[value=off]", "button[value=cycle]", "#lines", "#take"] {
            press("\u{e004}").await;
            focused(expected).await;
        }
        press(" ").await;
        focused("#typed").await;
        press("by hand\u{e007}").await;
        browser.until_says(CONSOLE, "by hand").await;
        focused("#typed").await;
        browser.picture("phone-console").await;
    });
}

#[test]
fn without_a_script_a_page_can_be_read_and_used() {
    play(&["--blink-settings=scriptEnabled=false"], |browser| async move {
        let lab = Lab::new("");
        let exporter = lab.serve(HERE);
        browser.open(&format!("{}/board/storage", exporter.address)).await;
        browser.picture("no-script").await;
        let shown = async || browser.find("#status").await.text().await.unwrap();
        assert!(shown().await.contains("off"), "{}", shown().await);
        browser.click("button[value=on]").await;
        for _ in 0..100 {
            if shown().await.contains("on") {
                break;
            }
            browser.open(&format!("{}/board/storage", exporter.address)).await;
        }
        assert!(shown().await.contains("on"), "{}", shown().await);
        browser.type_into("#url", &missing_image()).await;
        browser.click("#flash button").await;
        let job = async || browser.find("#job").await.text().await.unwrap();
        for _ in 0..100 {
            if job().await.contains("failed") {
                break;
            }
            browser.open(&format!("{}/board/storage", exporter.address)).await;
        }
        browser.click("#report-link").await;
        assert_eq!(browser.find("h1").await.text().await.unwrap(), "failed");
    });
}

#[test]
fn a_passphrase_is_asked_for_once() {
    play(&[], |browser| async move {
        let lab = Lab::new("");
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(lab.path("cert.pem"), pair.cert.pem()).unwrap();
        fs::write(lab.path("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        fs::write(lab.path("secret"), "open sesame\n").unwrap();
        let tls = ["--cert", "cert.pem", "--key", "key.pem", "--passphrase-file", "secret"];
        let exporter = lab.serve(&[&["--web", "0.0.0.0:0"][..], &tls].concat());
        let address = exporter.address.replace("0.0.0.0", "localhost");
        browser.open(&format!("{address}/board/spare")).await;
        browser.until("document.activeElement.id === 'passphrase'").await;
        browser.picture("login").await;
        browser.type_into("#passphrase", "wrong\u{e007}").await;
        browser.until_says("[role=alert].bad", "This is not the passphrase").await;
        browser.type_into("#passphrase", "open sesame\u{e007}").await;
        browser.until_says("#boards", "spare").await;
        browser.open(&format!("{address}/board/spare")).await;
        browser.until_live().await;
        browser.check_page(&address).await;
        browser.click("#take").await;
        browser.until_says("#line-state", "This page has the line").await;
        assert_eq!(
            browser.value("performance.getEntriesByType('navigation')[0].nextHopProtocol").await,
            Value::from("h2")
        );
        browser.click(".top form button").await;
        browser.find("#passphrase").await;
    });
}
