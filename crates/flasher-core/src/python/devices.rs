//! A node of Python as a power switch, its meter, or a serial line: each call goes to the device that stands for it while Python
//! runs it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::{PythonHost, PythonNode, RunningNode};
use crate::driver::{ByteStream, ControlLines, Driver, Port, PowerDriver, PowerMeter, Reading, SerialDriver};
use crate::error::{Class, Error, Result};

impl PythonNode {
    /// A failure of a call; when Python is gone, that is what is said.
    async fn said<T>(&self, host: &Arc<dyn PythonHost>, done: Result<T>) -> Result<T> {
        let Err(error) = done else { return done };
        let trouble = if error.class() == Class::Infrastructure { host.trouble().await } else { None };
        Err(match trouble {
            Some(trouble) => {
                Error::infrastructure(format!("Python, which runs `{}`, {trouble}", self.path()))
                    .because(error)
            }
            None => error.with("node", self.path().to_owned()),
        })
    }

    fn switch(&self) -> Result<(Arc<dyn PowerDriver>, Arc<dyn PythonHost>)> {
        let running = self.running().ok_or_else(|| self.refusal())?;
        let (switch, _) = running.power.ok_or_else(|| self.is_no("power switch"))?;
        Ok((switch, running.host))
    }

    fn line(&self) -> Result<(Arc<dyn SerialDriver>, Arc<dyn PythonHost>)> {
        let running = self.running().ok_or_else(|| self.refusal())?;
        Ok((running.serial.ok_or_else(|| self.is_no("serial line"))?, running.host))
    }
}

/// The drivers that stand for a node.
fn drivers(running: &RunningNode) -> Vec<Arc<dyn Driver>> {
    let switch = running.power.iter().map(|(switch, _)| Arc::clone(switch) as Arc<dyn Driver>);
    switch.chain(running.serial.iter().map(|line| Arc::clone(line) as Arc<dyn Driver>)).collect()
}

/// Looking at one that Python does not run finds nothing wrong: the command that needs it says so
/// ([`crate::tree::DriverTree::require`]).
#[async_trait]
impl Driver for PythonNode {
    async fn probe(&self) -> Result<()> {
        let Some(running) = self.running() else { return Ok(()) };
        for driver in drivers(&running) {
            self.said(&running.host, driver.probe().await).await?;
        }
        Ok(())
    }

    async fn examine(&self) -> Result<()> {
        let Some(running) = self.running() else { return Ok(()) };
        for driver in drivers(&running) {
            self.said(&running.host, driver.examine().await).await?;
        }
        Ok(())
    }

    async fn identities(&self) -> Vec<String> {
        vec![self.hardware.clone()]
    }

    /// Ends Python with the first of its nodes: a tree is closed as a whole.
    async fn close(&self) -> Result<()> {
        if let Some(running) = self.running() {
            for driver in drivers(&running) {
                driver.close().await?;
            }
            running.host.close().await;
        }
        Ok(())
    }
}

#[async_trait]
impl PowerDriver for PythonNode {
    async fn on(&self) -> Result<()> {
        let (switch, host) = self.switch()?;
        self.said(&host, switch.on().await).await
    }

    /// A board is not left on because Python has just ended: it is asked again once it runs again.
    async fn off(&self) -> Result<()> {
        let (switch, host) = self.switch()?;
        let first = switch.off().await;
        if first.is_err() && host.trouble().await.is_some() && host.revived().await {
            return self.said(&host, switch.off().await).await;
        }
        self.said(&host, first).await
    }

    async fn state(&self) -> Result<Option<bool>> {
        let (switch, host) = self.switch()?;
        self.said(&host, switch.state().await).await
    }

    async fn cycle(&self, wait: Duration) -> Result<()> {
        let (switch, host) = self.switch()?;
        self.said(&host, switch.cycle(wait).await).await
    }
}

#[async_trait]
impl PowerMeter for PythonNode {
    async fn read(&self) -> Result<Vec<Reading>> {
        let running = self.running().ok_or_else(|| self.refusal())?;
        let (_, meter) = running.power.ok_or_else(|| self.is_no("power switch"))?;
        self.said(&running.host, meter.read().await).await
    }
}

#[async_trait]
impl SerialDriver for PythonNode {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        let (line, host) = self.line()?;
        self.said(&host, line.open().await).await
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.line()?;
        Err(Error::config(format!("Python, which runs `{}`, cannot let others hear the line", self.path()))
            .help("leave `--watch` out"))
    }

    async fn port(&self) -> Port {
        Port { name: format!("`{}`, which Python runs", self.path()), is_missing: false }
    }

    async fn set_lines(&self, lines: ControlLines) -> Result<bool> {
        let (line, host) = self.line()?;
        self.said(&host, line.set_lines(lines).await).await
    }
}
