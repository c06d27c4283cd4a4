//! The kernel's own interface: a chip of gpio-sim where the kernel has it, or the chip and line that `FLASHER_TEST_GPIO` names
//! (`/dev/gpiochip0:3`). Nothing else of a machine is ever driven.

use std::fs;
use std::path::PathBuf;

use flasher_core::{Device, PowerDriver, testing};

use super::device;
use crate::cdev::{CdevLine, LineSettings};
use crate::{GpioIn, GpioOut, LineId};

/// A chip whose line may be driven, until this is dropped.
struct Chip {
    path: String,
    line: u32,
    simulated: Option<PathBuf>,
}

impl Chip {
    /// None, with a word why, when there is none to be had.
    fn any() -> Option<Self> {
        if let Ok(named) = std::env::var("FLASHER_TEST_GPIO") {
            let (path, line) = named.rsplit_once(':').expect("CHIP:LINE");
            return Some(Self { path: path.to_owned(), line: line.parse().unwrap(), simulated: None });
        }
        match Self::simulated() {
            Ok(chip) => Some(chip),
            Err(error) => {
                eprintln!(
                    "skipped: no gpio-sim in this kernel ({error}), and FLASHER_TEST_GPIO names no chip"
                );
                None
            }
        }
    }

    /// As the kernel's Documentation/admin-guide/gpio/gpio-sim.rst says.
    fn simulated() -> std::io::Result<Self> {
        let name = format!("flasher-{}-{:?}", std::process::id(), std::thread::current().id());
        let name = name.replace(['(', ')'], "");
        let folder = PathBuf::from("/sys/kernel/config/gpio-sim").join(name);
        let bank = folder.join("bank");
        fs::create_dir(&folder)?;
        fs::create_dir(&bank)?;
        fs::write(bank.join("num_lines"), "8")?;
        fs::write(folder.join("live"), "1")?;
        let name = fs::read_to_string(bank.join("chip_name"))?;
        Ok(Self { path: format!("/dev/{}", name.trim()), line: 3, simulated: Some(folder) })
    }

    fn power(&self, more: &str) -> std::sync::Arc<dyn PowerDriver> {
        let config = format!("device: {}, line: {}, {more}", self.path, self.line);
        let Device::Power(power, _) = device(&config).unwrap() else { panic!("no switch") };
        power
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        let Some(folder) = &self.simulated else { return };
        let _ = fs::write(folder.join("live"), "0");
        let _ = fs::remove_dir(folder.join("bank")).and_then(|()| fs::remove_dir(folder));
    }
}

#[tokio::test]
async fn a_line_of_a_real_chip_is_driven_held_and_given_back() {
    let Some(chip) = Chip::any() else { return };
    let make = || {
        let config = format!("device: {}, line: {}", chip.path, chip.line);
        device(&config).unwrap()
    };
    assert_eq!(testing::power(&make).await, [""; 0]);

    let settings = |line, active_low| LineSettings {
        device: Some(chip.path.clone().into()),
        line: LineId::Number(line),
        active_low,
        bias: None,
        drive: None,
    };
    for active_low in [false, true] {
        let line = CdevLine::new(settings(chip.line, active_low));
        GpioOut::look(&line).unwrap();
        assert!(!line.is_held(), "a look takes nothing");
        for active in [true, false, true] {
            line.drive(active).unwrap();
            assert_eq!(line.read().unwrap(), active, "active low: {active_low}");
        }
        let text = "is in use by `flasher`";
        let error = chip.power("").on().await.unwrap_err();
        assert!(error.to_string().ends_with(text) && error.is_retryable(), "{error}");
        assert!(chip.power("").probe().await.unwrap_err().to_string().ends_with(text));
        line.release();
        GpioOut::look(&line).unwrap();
    }

    let error = CdevLine::new(settings(4000, false)).drive(true).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("`{}` (", chip.path)) && text.contains(") has no line 4000, it has 0 to "),
        "{text}"
    );
    let named = format!("device: {}, line: NO-SUCH-LINE", chip.path);
    let Device::Power(power, _) = device(&named).unwrap() else { panic!("no switch") };
    let error = power.probe().await.unwrap_err();
    assert_eq!(error.to_string(), format!("no line is called `NO-SUCH-LINE` on `{}`", chip.path));
}

#[tokio::test]
async fn auto_takes_the_chip_where_there_is_one() {
    let Some(chip) = Chip::any() else { return };
    let auto = || {
        let config = format!("device: {}, line: {}, backend: auto", chip.path, chip.line);
        device(&config).unwrap()
    };
    assert_eq!(testing::power(&auto).await, [""; 0]);
    let (Device::Power(power, _), other) = (auto(), chip.power("")) else { panic!("no switch") };
    power.probe().await.unwrap();
    other.probe().await.unwrap();
    power.on().await.unwrap();
    let error = other.on().await.unwrap_err().to_string();
    assert!(error.ends_with("is in use by `flasher`"), "the kernel knows who has the line: {error}");
    power.close().await.unwrap();
    other.on().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_simulated_line_has_the_level_that_was_asked_for() {
    let Some(chip) = Chip::any().filter(|chip| chip.simulated.is_some()) else {
        eprintln!("skipped: the level of a line is seen from outside only with gpio-sim");
        return;
    };
    let name = chip.path.trim_start_matches("/dev/");
    let level = || {
        let folder = fs::read_dir("/sys/devices/platform").unwrap().flatten();
        let files = folder.map(|it| it.path().join(name).join(format!("sim_gpio{}/value", chip.line)));
        files.filter_map(|file| fs::read_to_string(file).ok()).next().unwrap().trim().to_owned()
    };
    for (more, on, off) in [("active_low: false", "1", "0"), ("active_low: true", "0", "1")] {
        let power = chip.power(&format!("{more}, on_exit: inactive"));
        power.on().await.unwrap();
        assert_eq!(level(), on, "{more}");
        power.off().await.unwrap();
        assert_eq!(level(), off, "{more}");
        power.close().await.unwrap();
    }
}
