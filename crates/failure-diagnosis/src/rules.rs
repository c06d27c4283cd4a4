//! The rules, in the order in which they are asked: what shows more than one view comes before what one view shows alone.

mod boot;
mod medium;
mod network;
mod power;

use flasher_core::flash::Diagnosis;

use crate::observed::Observed;

/// Gives the diagnosis when what was seen is what the rule looks for.
pub(crate) type Rule = fn(&Observed) -> Option<Diagnosis>;

/// All rules; the first that applies decides.
pub(crate) const ALL: &[Rule] = &[
    power::not_cut,
    power::under_voltage,
    boot::watchdog,
    boot::reset_loop,
    power::nothing_heard,
    power::fell_silent,
    network::other_server_asked,
    network::other_server_answers,
    network::other_file,
    network::other_port,
    network::other_network,
    network::request_lost,
    network::packets_lost,
    network::answer_lost,
    network::transfer_stopped,
    network::link_down,
    network::http_unreachable,
    boot::no_root_file_system,
    boot::kernel_panic,
    boot::out_of_memory,
    boot::started_again,
    boot::stopped,
    boot::kernel_silent,
    boot::kernel_hangs,
    medium::gone,
    medium::write_protected,
    medium::hangs,
    medium::input_output,
    network::image_server_lost,
];
