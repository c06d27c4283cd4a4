//! The promises of a serial driver.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Broken, MOMENTS, bounded, cut_short, errors};
use crate::device::Device;
use crate::driver::{ByteStream, SerialDriver};
use crate::error::{Error, Result};

/// Broken promises of the serial driver that `make` builds. `echoes` says that the other end sends back what it gets.
///
/// It opens again after its stream was dropped; a second opening is refused with a typed error or is a line of its own;
/// looking takes nothing from the owner; openings and readings may be cut short without losing the line or a byte.
pub async fn serial(make: &(dyn Fn() -> Device + Sync), echoes: bool) -> Vec<String> {
    let mut broken = Broken::default();
    let Device::Serial(line) = make() else { return vec!["it is no serial line".to_owned()] };
    broken.done("a look", line.probe()).await;
    opened_again(&mut broken, &line).await;
    cancelled(&mut broken, line.as_ref()).await;
    if echoes {
        carried(&mut broken, line.as_ref()).await;
    }
    broken.done("closing", line.close()).await;
    broken.done("closing twice", line.close()).await;
    drop(line);
    if let Device::Serial(line) = make() {
        drop(broken.done("opening after the driver before was dropped", line.open()).await);
        // Without it a task of the driver may still be closing the line when the caller opens it next.
        broken.done("closing the second driver", line.close()).await;
    }
    broken.0
}

async fn opened_again(broken: &mut Broken, line: &Arc<dyn SerialDriver>) {
    for round in 1..=3 {
        let Some(stream) = broken.done(&format!("opening {round}"), line.open()).await else { return };
        broken.done("a look while it is open", line.probe()).await;
        if let Err(refusal) = bounded(line.open()).await.map(drop) {
            broken.0.extend(errors(&refusal));
        }
        drop(stream);
    }
}

async fn cancelled(broken: &mut Broken, line: &dyn SerialDriver) {
    for moment in MOMENTS {
        cut_short(moment, line.open()).await;
        // What was cut short may still be closing.
        let mut opened = Err(Error::infrastructure("never opened"));
        for _ in 0..100 {
            opened = bounded(line.open()).await;
            if opened.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        broken.done("opening after one that was cut short", async { opened.map(drop) }).await;
    }
}

async fn carried(broken: &mut Broken, line: &dyn SerialDriver) {
    let Some(mut stream) = broken.done("opening", line.open()).await else { return };
    let every_byte: Vec<u8> = (0..=255).collect();
    let echo = async {
        say(&mut stream, &every_byte).await?;
        heard(&mut stream, every_byte.len()).await
    };
    let echo = broken.done("an echo", echo).await;
    broken.unless(echo.is_none_or(|echo| echo == every_byte), "every byte passes unchanged");
    broken.done("sending", say(&mut stream, b"ab")).await;
    let first = broken.done("hearing", heard(&mut stream, 1)).await.unwrap_or_default();
    cut_short(MOMENTS[1], heard(&mut stream, 0)).await;
    let second = broken.done("hearing after a read that was cut short", heard(&mut stream, 1)).await;
    broken.unless(
        [first, second.unwrap_or_default()].concat() == b"ab",
        "a read that was cut short loses nothing",
    );
}

async fn heard(stream: &mut Box<dyn ByteStream>, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.map_err(lost)?;
    Ok(bytes)
}

async fn say(stream: &mut Box<dyn ByteStream>, bytes: &[u8]) -> Result<()> {
    stream.write_all(bytes).await.map_err(lost)?;
    stream.flush().await.map_err(lost)
}

fn lost(error: std::io::Error) -> Error {
    Error::infrastructure("the line was lost").because(error)
}
