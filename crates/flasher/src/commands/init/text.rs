//! The exporter YAML that `flasher init` writes, and what it says afterwards.

use std::path::Path;

use flasher_core::DriverEntry;

/// What the file is to say.
pub(super) struct Answers {
    /// A board of this build, or any name when there is a medium.
    pub(super) board: String,
    /// The medium as the board's own U-Boot calls it, which writes it.
    pub(super) medium: Option<String>,
    /// URL of the serial line.
    pub(super) serial: String,
    /// The driver of the power switch.
    pub(super) power: &'static DriverEntry,
}

/// Keys for who is not root.
const FOLDERS: &str = "      # As an ordinary user, folders of your own:
      # tftp_dir: ./tftp
      # http_dir: ./http
      # cache_dir: ./bundles
";

/// The file.
pub(super) fn exporter_yaml(file: &Path, answers: &Answers) -> String {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let (name, serial) = (quoted(&name), quoted(&answers.serial));
    let (flasher, power) = (flasher(answers), node(answers.power));
    let power_name = answers.power.name;
    format!(
        "\
# A board at this machine, for flasher: who switches its power, who hears its console, and what writes its medium.
# `flasher drivers NAME` explains the keys of each `type`.
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata:
  name: {name} # a name for people; it stands in receipts
export:
  storage:
{flasher}    children:
      # The board's console. A name in /dev/serial/by-id stays the same whichever socket the cable is in.
      serial:
        type: serial
        config:
          url: {serial}
          baudrate: 115200
      # The board's power: an example of `flasher drivers {power_name}`. Put in what yours is.
      power:
{power}"
    )
}

fn flasher(answers: &Answers) -> String {
    match &answers.medium {
        None => format!(
            "    # The board: `flasher boards {board}` shows its targets and what it boots to be flashed.\n    type: {board}\n    config:\n      \
             # flasher_bundle: ./bundle # a folder, or a name in a registry; the board's published one when left out\n{FOLDERS}      \
             power_off_seconds: 2.0 # how long the power stays off\n",
            board = quoted(&answers.board),
        ),
        Some(medium) => format!(
            "    # The board's own U-Boot writes the image: it needs a network and a command for the medium.\n    type: flasher\n    config:\n      \
             via: uboot\n      targets:\n        medium: {medium} # as U-Boot calls it; more may follow, each with a name of its own\n      \
             # Where U-Boot itself lies on this medium, its first block must not be erased before the new one is written.\n      \
             # medium_holds_bootloader: true\n{FOLDERS}",
            medium = quoted(medium),
        ),
    }
}

/// The example of a driver, as the value of a key.
fn node(driver: &DriverEntry) -> String {
    driver.example.trim_end().lines().map(|line| format!("        {line}\n")).collect()
}

/// A word of YAML: as it is when it is plain, else in quotes.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/')
        && text.chars().all(|it| it.is_ascii_alphanumeric() || "/._- ".contains(it))
        && text.trim() == text
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// What was written, and the next three things to do.
pub(super) fn next(file: &str, answers: &Answers) -> String {
    let power = match answers.power.name {
        "power-mock" => "`power-mock` switches nothing: press the board's button when the flash wants power",
        _ => "put in what your power switch is",
    };
    format!(
        "wrote {file}; {power}\n\nnext:\n  flasher check {file}                     finds mistakes in it\n  \
         flasher --exporter {file} doctor         finds what would stop a flash on this machine\n  \
         flasher --exporter {file} flash IMAGE    flashes the board\n"
    )
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_stays_a_word() {
        for (typed, written) in [
            ("/dev/ttyUSB0", "/dev/ttyUSB0"),
            ("mmc 1", "mmc 1"),
            ("loop://", "\"loop://\""),
            ("a: b # c", "\"a: b # c\""),
            ("off", "\"off\""),
            ("", "\"\""),
            ("2b", "\"2b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
        ] {
            assert_eq!(quoted(typed), written);
        }
    }
}
