//! The driver: an HTTP server as a node of the driver tree.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use flasher_core::{
    Content, ContentServer, Device, Driver, DriverType, FileServer, Result, TransferLog, Upload, Wiring,
    async_trait,
};
use server_kit::Hosted;

use crate::config::Config;
use crate::error::Error;
use crate::server::Server;
use crate::site::Site;

/// Serves a folder, and content made as it goes, over HTTP.
#[derive(Debug)]
pub struct HttpServer {
    host: Option<String>,
    port: u16,
    removes_created: bool,
    site: Site,
    hosted: Hosted<Server>,
}

impl HttpServer {
    /// A server that is not started yet. A relative `root_dir` is taken from the working directory.
    pub fn new(config: Config) -> Self {
        Self {
            host: config.host.filter(|host| !host.is_empty()),
            port: config.port,
            site: Site::new(config.root_dir),
            removes_created: config.remove_created_on_close,
            hosted: Hosted::default(),
        }
    }

    async fn serve(&self, log: TransferLog) -> Result<Server, Error> {
        let address = server_kit::address(self.host.as_deref(), self.port).await?;
        Server::bind(address, self.site.clone(), log).await
    }
}

#[async_trait]
impl Driver for HttpServer {
    /// Stops serving and withdraws everything published.
    async fn close(&self) -> Result<()> {
        self.site.clear();
        self.stop().await
    }
}

#[async_trait]
impl FileServer for HttpServer {
    async fn start(&self, log: TransferLog) -> Result<SocketAddr> {
        Ok(self.hosted.start(self.site.root(), self.serve(log)).await?)
    }

    async fn stop(&self) -> Result<()> {
        self.hosted.stop().await;
        Ok(())
    }

    fn address(&self) -> Option<SocketAddr> {
        self.hosted.address()
    }

    fn fixed_address(&self) -> Option<(String, u16)> {
        (self.port != 0).then(|| (self.host.clone().unwrap_or_default(), self.port))
    }

    fn root(&self) -> PathBuf {
        self.site.root().to_owned()
    }

    fn removes_created(&self) -> bool {
        self.removes_created
    }

    fn accept(&self, path: &str, upload: Upload) -> Result<()> {
        Ok(self.site.accept(path, upload)?)
    }

    fn withdraw(&self, path: &str) {
        self.site.withdraw(path);
    }
}

impl ContentServer for HttpServer {
    fn publish(&self, path: &str, content: Content) -> Result<()> {
        Ok(self.site.publish(path, content)?)
    }
}

impl DriverType for HttpServer {
    const NAME: &'static str = "http";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_http.driver.HttpServer"];
    const SUMMARY: &'static str = "HTTP server for a folder and for content made as it goes";
    const EXAMPLE: &'static str = "type: http\nconfig:\n  root_dir: ./www\n  port: 8080\n";
    type Config = Config;

    fn build(mut config: Config, wiring: Wiring) -> Result<Device> {
        config.root_dir = wiring.file(&config.root_dir);
        Ok(Device::ContentServer(Arc::new(Self::new(config))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &str, expected: Result<(&str, Option<&str>, u16), &str>) {
        let built = serde_json::from_str::<Config>(config).map(|mut config| {
            config.root_dir =
                Wiring::new("board.http", "/etc/lab", Default::default()).file(&config.root_dir);
            HttpServer::new(config)
        });
        match (built, expected) {
            (Ok(http), Ok((root, host, port))) => {
                assert_eq!(
                    (http.root(), http.host.as_deref(), http.port),
                    (root.into(), host, port),
                    "{config}"
                );
            }
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{config}: {error}"),
            (built, _) => panic!("{config}: {built:?}"),
        }
    }

    #[test]
    fn a_config_is_read_as_jumpstarter_reads_it() {
        check("{}", Ok(("/var/www", None, 8080)));
        check(r#"{"root_dir": "./www", "host": "", "port": 0}"#, Ok(("/etc/lab/./www", None, 0)));
        check(
            r#"{"host": "10.0.0.1", "timeout": 60, "remove_created_on_close": false}"#,
            Ok(("/var/www", Some("10.0.0.1"), 8080)),
        );
        check(r#"{"rootdir": "x"}"#, Err("unknown field `rootdir`"));
        check(r#"{"uploads": {"dir": "x", "limit": 1}}"#, Err("unknown field `uploads`"));
        check(r#"{"port": 65536}"#, Err("expected u16"));
    }

    #[test]
    fn it_is_built_as_a_content_server_without_opening_anything() {
        let config = Config { root_dir: "does/not/exist".into(), ..Config::default() };
        let device = HttpServer::build(config, Wiring::new("http", "/lab", Default::default())).unwrap();
        let Device::ContentServer(http) = device else { panic!("{device:?}") };
        assert_eq!((http.root(), http.address()), ("/lab/does/not/exist".into(), None));
    }
}
