//! The set-ups.

mod bundles;
mod lines;
mod power;
mod servers;

use crate::setup::Case;

pub(crate) use bundles::BUNDLES;
pub(crate) use lines::LINES;
pub(crate) use power::{COMMANDS, SWITCHES};
pub(crate) use servers::{GOOD, RIGHTS, SERVERS};

const fn broken(
    name: &'static str,
    parts: &'static [(&'static str, &'static str)],
    code: i32,
    says: &'static str,
) -> Case {
    Case { name, parts, code, says, ..Case::GOOD }
}

/// One that `check` refuses as well.
const fn refused(
    name: &'static str,
    parts: &'static [(&'static str, &'static str)],
    says: &'static str,
) -> Case {
    Case { name, parts, check: 2, code: 2, says, ..Case::GOOD }
}

const fn prepared(prepare: &'static str, case: Case) -> Case {
    Case { prepare, ..case }
}

const fn nobody(prepare: &'static str, case: Case) -> Case {
    Case { prepare, as_nobody: true, ..case }
}
