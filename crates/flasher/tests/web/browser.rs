//! A real Chromium without a screen, steered through its WebDriver.

use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Bound on everything that a page is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked at meanwhile.
const EVERY: Duration = Duration::from_millis(100);

/// A browser with a profile of its own; it ends when this is dropped.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    /// Kept open: a driver whose messages are not read any more ends.
    _messages: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

/// Whether the browser is installed; a word about it when it is not. In CI it must be.
pub(crate) fn is_here() -> bool {
    let has = |name: &str| {
        Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success())
    };
    if has("chromium") && has("chromedriver") {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "no chromium and chromedriver");
    println!(
        "skipped: no chromium and chromedriver; `cargo xtask test` installs them (chromium, chromium-driver)"
    );
    false
}

/// Plays a story in a browser that is started with `more` arguments; does nothing where there is none.
pub(crate) fn play<F: Future<Output = ()>>(more: &[&str], story: impl FnOnce(Browser) -> F) {
    if !is_here() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { story(Browser::start(more).await).await });
}

impl Browser {
    async fn start(more: &[&str]) -> Self {
        let profile = tempfile::Builder::new().prefix("flasher-chromium-").tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", profile.path()).env("TMPDIR", profile.path()).process_group(0);
        let mut driver = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut messages = BufReader::new(driver.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert!(messages.read_line(&mut line).unwrap() > 0, "chromedriver ended");
            if let Some((_, port)) =
                line.trim().trim_end_matches('.').split_once("started successfully on port ")
            {
                break port.to_owned();
            }
        };
        let data = format!("--user-data-dir={}", profile.path().join("data").display());
        let fixed = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--ignore-certificate-errors",
            "--window-size=1280,900",
            // Nothing but this machine has a name.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ];
        let args: Vec<&str> = fixed.iter().chain(more).copied().chain([data.as_str()]).collect();
        let options = json!({ "binary": "/usr/bin/chromium", "args": args });
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let builder = builder.capabilities(capabilities);
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        Self { client, driver, _messages: messages, _profile: profile }
    }

    pub(crate) async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// The element, once it is there.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).every(EVERY).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no `{css}` ({error}) in {}", self.client.source().await.unwrap()),
        }
    }

    /// Does something with the element. The page may put another one in its place between the looking and the doing.
    async fn act(&self, css: &str, deed: impl AsyncFn(Element) -> Result<(), CmdError>) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match deed(self.find(css).await).await {
                Ok(()) => return,
                Err(error)
                    if error.is_stale_element_reference() && tokio::time::Instant::now() < deadline => {}
                Err(error) => panic!("`{css}`: {error}"),
            }
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        self.act(css, async |element| element.click().await).await;
    }

    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        self.act(css, async |element| element.send_keys(text).await).await;
    }

    pub(crate) async fn clear(&self, css: &str) {
        self.act(css, async |element| element.clear().await).await;
    }

    /// What an expression of JavaScript comes to on the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// The text of the first element, as it is in the page.
    pub(crate) async fn text(&self, css: &str) -> String {
        let text = self.value(&format!("document.querySelector({css:?})?.textContent ?? ''")).await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until an expression of JavaScript is true.
    pub(crate) async fn until(&self, expression: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            // A page that is just being loaded anew has no answer.
            let now = self.client.execute(&format!("return Boolean({expression})"), Vec::new()).await;
            if now.as_ref().is_ok_and(|it| *it == Value::Bool(true)) {
                return;
            }
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "`{expression}` is {now:?} in {}", self.client.source().await.unwrap());
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Waits until the text stands somewhere in the element.
    pub(crate) async fn until_says(&self, css: &str, text: &str) {
        self.until(&format!("document.querySelector({css:?})?.textContent.includes({text:?})")).await;
    }

    /// Waits until the page hears what changes.
    pub(crate) async fn until_live(&self) {
        self.until_says("#live", "live").await;
    }

    /// Keeps a picture of the page, for people.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = pictures();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Looks whether the page is fit for everyone: nothing wider than the window, a name for everything that takes the keyboard's focus,
    /// one heading of the first order, and nothing loaded from elsewhere.
    pub(crate) async fn check_page(&self, address: &str) {
        let is_wide = self.value("document.scrollingElement.scrollWidth > innerWidth").await;
        assert_eq!(is_wide, Value::Bool(false), "{address} is wider than the window");
        let nameless = "[...document.querySelectorAll('input:not([type=hidden]),button,a,progress,[tabindex]')]
            .filter((it) => !it.closest('[hidden]') && !(it.labels?.length) && !it.getAttribute('aria-label') && !it.textContent.trim())
            .map((it) => it.outerHTML)";
        assert_eq!(self.value(nameless).await, json!([]), "{address}");
        assert_eq!(self.value("document.querySelectorAll('h1').length").await, json!(1), "{address}");
        let loaded = self.value("performance.getEntriesByType('resource').map((it) => it.name)").await;
        for name in loaded.as_array().unwrap() {
            assert!(name.as_str().unwrap().starts_with(address), "{name} was loaded by {address}");
        }
    }
}

/// Where pictures are kept.
fn pictures() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("web-pictures")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver and the browser that it started are one group of processes.
        let group = format!("-{}", self.driver.id());
        Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status().ok();
        self.driver.wait().ok();
    }
}
