//! A scripted U-Boot with the texts of the real one (2023.01): banner, countdown, command line.

mod autoboot;
mod boot;
mod commands;
mod help;
mod hush;
mod layout;
mod media;
mod memory;
mod net;
mod put;
mod ram;
mod rough_size;
mod state;
mod wget;

use std::time::Duration;

use crate::console::CTRL_C;

pub(crate) use self::state::{UBoot, UBootExit};

/// Characters a command line keeps (CONFIG_SYS_CBSIZE is 512); more are dropped silently.
const LONGEST_LINE: usize = 511;
const ESCAPE: u8 = 0x1b;
/// Between two bytes of the fault knob `noise_after`.
const NOISE: Duration = Duration::from_millis(100);

impl UBoot<'_> {
    /// From the banner until U-Boot is left.
    pub(crate) async fn run(mut self) -> UBootExit {
        self.print_banner();
        if !self.is_stopped().await {
            self.run_text("run bootcmd").await;
        }
        loop {
            if let Some(leave) = self.leave.take() {
                self.machine.keys.lose(self.machine.config.faults.drop_console);
                return leave;
            }
            self.print(&self.machine.config.prompt);
            if let Some(line) = self.read_line().await {
                self.run_text(&line).await;
                self.lines += 1;
                self.noise().await;
            }
        }
    }

    fn print_banner(&self) {
        let net =
            if self.machine.config.faults.no_network { "No ethernet found." } else { "eth0: ethernet@32" };
        let banner = &self.machine.config.banner;
        let (dram, mmc) = (rough_size::rough_size(self.machine.config.dram.0), self.mmc_of_banner());
        self.print(&format!(
            "\n\n{banner}\n\nDRAM:  {dram}\nCore:  51 devices, 14 uclasses, devicetree: board\n{mmc}\
             Loading Environment from nowhere... OK\nIn:    serial\nOut:   serial\nErr:   serial\nNet:   {net}\n"
        ));
    }

    /// A line from the console, echoed; none when it was interrupted.
    async fn read_line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match self.machine.keys.next().await {
                b'\r' | b'\n' => {
                    self.end_echo();
                    return Some(String::from_utf8_lossy(&line).into_owned());
                }
                CTRL_C => {
                    self.print("<INTERRUPT>\n");
                    return None;
                }
                0x08 | 0x7f => self.erase(&mut line, 1),
                0x15 => self.erase(&mut line, usize::MAX),
                ESCAPE => self.skip_escape(&mut line).await,
                key @ (0x20..=0x7e | 0x80..) => self.accept(key, &mut line),
                _ => {}
            }
        }
    }

    fn end_echo(&self) {
        if self.machine.config.faults.uboot.cr_echo {
            self.machine.screen.write(b"\r".to_vec());
        } else {
            self.print("\n");
        }
    }

    /// The fault knob `noise_after`: never returns once its time has come.
    async fn noise(&mut self) {
        while self.machine.config.faults.uboot.noise_after == Some(self.lines) {
            tokio::time::sleep(NOISE).await;
            self.machine.screen.write(vec![0xff]);
        }
    }

    fn accept(&self, key: u8, line: &mut Vec<u8>) {
        if line.len() < LONGEST_LINE {
            line.push(key);
            self.machine.screen.write(vec![key]);
        }
    }

    fn erase(&self, line: &mut Vec<u8>, most: usize) {
        for _ in 0..most.min(line.len()) {
            line.pop();
            self.print("\x08 \x08");
        }
    }

    /// A cursor key is ignored; a lone escape too.
    async fn skip_escape(&mut self, line: &mut Vec<u8>) {
        let next = tokio::time::timeout(Duration::from_millis(20), self.machine.keys.next()).await;
        match next {
            Ok(b'[') => while (b'0'..=b';').contains(&self.machine.keys.next().await) {},
            Ok(key @ 0x20..=0x7e) => self.accept(key, line),
            Ok(b'\r' | b'\n') => {
                self.erase(line, usize::MAX);
                self.print("\n");
                self.print(&self.machine.config.prompt);
            }
            _ => {}
        }
    }
}
