//! The root cause that each failure of the fault table must name.

use flasher_core::RootCause;

/// How the name of a case begins, and the root cause of its failure. The first row that fits counts.
const ROOTS: &[(&str, RootCause)] = &[
    ("a new system that does not say", RootCause::ExpectedTextMissing),
    ("a password nobody told us", RootCause::LoginRefused),
    ("autoboot that cannot be interrupted", RootCause::KeysNotTaken),
    ("bit flip", RootCause::WritesLost),
    ("console that is noise", RootCause::WrongSpeed),
    ("device too small", RootCause::MediumTooSmall),
    ("disk full", RootCause::WriteError),
    ("write error", RootCause::WriteError),
    ("read-back error", RootCause::ReadError),
    ("image corrupt", RootCause::ImageDamaged),
    ("image empty", RootCause::ImageDamaged),
    ("image garbage behind", RootCause::ImageDamaged),
    ("image truncated", RootCause::ImageDamaged),
    ("image with another digest", RootCause::ImageDamaged),
    ("image missing", RootCause::ImageMissing),
    ("kernel that hangs", RootCause::KernelSilent),
    ("no DHCP", RootCause::DhcpSilent),
    ("no file on the TFTP server", RootCause::OtherServerAnswers),
    ("no network", RootCause::NoEthernet),
    ("no tool to fetch with", RootCause::ToolMissing),
    ("no server there", RootCause::ImageServerLost),
    ("power cut", RootCause::BoardStopped),
    ("power switch stuck", RootCause::SwitchFailed),
    ("stuck dd", RootCause::MediumHangs),
    ("reset at boot", RootCause::BootLoaderAgain),
    ("target that is not on the board", RootCause::NoMedium),
    ("wrong prompt", RootCause::OtherPrompt),
    ("replaced between", RootCause::ImageChanged),
    ("redirect in a circle", RootCause::ImageServerRefuses),
    ("server says 404", RootCause::ImageMissing),
    ("server says 410", RootCause::ImageMissing),
    ("server says", RootCause::ImageServerRefuses),
    ("server hangs up", RootCause::ImageServerLost),
    ("server that speaks no HTTP", RootCause::ImageServerLost),
    ("server falls silent", RootCause::ImageServerLost),
    ("transfer cut", RootCause::ImageServerLost),
    ("chunks cut", RootCause::ImageServerLost),
    ("xz in chunks cut", RootCause::ImageServerLost),
];

/// The root cause that the failure of the case with this name must name; none where any will do.
pub(super) fn of(name: &str) -> Option<RootCause> {
    ROOTS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, root)| *root)
}
