//! The driver: a TFTP server as a node of the driver tree.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use flasher_core::{
    Device, Driver, DriverType, FileServer, Result, TransferLog, Upload, Wiring, async_trait,
};
use server_kit::Hosted;

use crate::config::Config;
use crate::error::Error;
use crate::options::BLKSIZES;
use crate::server::Server;
use crate::settings::Settings;
use crate::uploads::AnnouncedUploads;

/// Serves a folder over TFTP, and takes what was announced.
#[derive(Debug)]
pub struct Tftp {
    config: Config,
    uploads: AnnouncedUploads,
    hosted: Hosted<Server>,
}

impl Tftp {
    /// A server that is not started yet. A relative `root_dir` is taken from the working directory.
    ///
    /// # Errors
    /// When the block size limit makes no sense.
    pub fn new(config: Config) -> Result<Self, Error> {
        match config.blksize_limit.filter(|limit| !BLKSIZES.contains(limit)) {
            Some(limit) => Err(Error::BlksizeLimit(limit)),
            None => Ok(Self { config, uploads: AnnouncedUploads::default(), hosted: Hosted::default() }),
        }
    }

    async fn serve(&self, log: TransferLog) -> Result<Server, Error> {
        let address = server_kit::address(self.config.host.as_deref(), self.config.port).await?;
        let (blksize_limit, uploads) = (self.config.blksize_limit, self.uploads.clone());
        let settings = Settings { blksize_limit, uploads, ..Settings::default() };
        Server::bind_with(address, &self.config.root_dir, log, settings).await
    }
}

#[async_trait]
impl Driver for Tftp {
    /// Stops serving, and takes nothing any more.
    async fn close(&self) -> Result<()> {
        self.uploads.clear();
        self.stop().await
    }
}

#[async_trait]
impl FileServer for Tftp {
    async fn start(&self, log: TransferLog) -> Result<SocketAddr> {
        Ok(self.hosted.start(&self.config.root_dir, self.serve(log)).await?)
    }

    async fn stop(&self) -> Result<()> {
        self.hosted.stop().await;
        Ok(())
    }

    fn address(&self) -> Option<SocketAddr> {
        self.hosted.address()
    }

    fn fixed_address(&self) -> Option<(String, u16)> {
        let Config { host, port, .. } = &self.config;
        (*port != 0).then(|| (host.clone().unwrap_or_default(), *port))
    }

    fn root(&self) -> PathBuf {
        self.config.root_dir.clone()
    }

    fn removes_created(&self) -> bool {
        self.config.remove_created_on_close
    }

    fn accept(&self, path: &str, upload: Upload) -> Result<()> {
        Ok(self.uploads.accept(path, upload)?)
    }

    fn withdraw(&self, path: &str) {
        self.uploads.withdraw(path);
    }
}

impl DriverType for Tftp {
    const NAME: &'static str = "tftp";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_tftp.driver.Tftp"];
    const SUMMARY: &'static str = "TFTP server a boot loader fetches from; nothing it serves can be changed";
    const EXAMPLE: &'static str = "type: tftp\nconfig:\n  root_dir: ./tftp\n  port: 69\n";
    type Config = Config;

    fn build(mut config: Config, wiring: Wiring) -> Result<Device> {
        config.root_dir = wiring.file(&config.root_dir);
        Ok(Device::FileServer(Arc::new(Self::new(config)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &str, expected: Result<(&str, u16), &str>) {
        let wiring = Wiring::new("board.tftp", "/etc/lab", Default::default());
        let parsed = serde_json::from_str::<Config>(config).map_err(|error| error.to_string());
        let port = parsed.as_ref().map_or(0, |config| config.port);
        let built = parsed.and_then(|config| Tftp::build(config, wiring).map_err(|error| error.to_string()));
        match (built, expected) {
            (Ok(Device::FileServer(tftp)), Ok((root, expected))) => {
                assert_eq!((tftp.root(), port, tftp.address()), (root.into(), expected, None), "{config}");
            }
            (Err(error), Err(text)) => assert!(error.contains(text), "{config}: {error}"),
            (built, _) => panic!("{config}: {built:?}"),
        }
    }

    #[test]
    fn a_config_is_read_as_jumpstarter_reads_it() {
        check("{}", Ok(("/var/lib/tftpboot", 69)));
        check(r#"{"root_dir": "boot", "host": "", "port": 0}"#, Ok(("/etc/lab/boot", 0)));
        check(r#"{"remove_created_on_close": false, "blksize_limit": 8}"#, Ok(("/var/lib/tftpboot", 69)));
        check(r#"{"blksize_limit": 7}"#, Err("`blksize_limit` is 7, expected 8 to 65464 bytes"));
        check(r#"{"rootdir": "x"}"#, Err("unknown field `rootdir`"));
        check(r#"{"port": 65536}"#, Err("expected u16"));
    }
}
