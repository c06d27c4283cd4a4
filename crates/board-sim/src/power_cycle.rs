//! The board from power on to power off: U-Boot, then Linux or the system on the medium, until it resets or goes off.

use std::time::Duration;

use crate::guest;
use crate::machine::{Machine, SystemEnd};
use crate::uboot::{UBoot, UBootExit};

/// Runs until the task is aborted: that is what switching the power off does.
pub(crate) async fn run(mut machine: Machine) {
    tokio::time::sleep(Duration::from_millis(machine.config.faults.boot_delay_ms)).await;
    loop {
        let end = match UBoot::new(&mut machine).run().await {
            UBootExit::Reset => SystemEnd::Reset,
            UBootExit::Off => SystemEnd::Off,
            UBootExit::Kernel => kernel(&mut machine).await,
            UBootExit::Medium => medium_system(&mut machine).await,
        };
        if end != SystemEnd::Reset {
            // Dead until the power is cycled: silent and deaf.
            machine.serial_pty.detach();
            return std::future::pending().await;
        }
    }
}

/// Linux, as U-Boot has started it.
async fn kernel(machine: &mut Machine) -> SystemEnd {
    machine.tally.count(|counters| counters.kernels += 1);
    machine.screen.print("\nStarting kernel ...\n\n");
    let faults = &machine.config.faults;
    if faults.reset_on_boot.strikes(machine.tally.read().boot_resets) {
        machine.tally.count(|counters| counters.boot_resets += 1);
        return SystemEnd::Reset;
    }
    if faults.no_login {
        return std::future::pending().await;
    }
    kernel_log(machine, "console=ttyS0,115200 root=/dev/ram0");
    guest::run(machine).await
}

/// The system on the medium: it refuses every login.
async fn medium_system(machine: &mut Machine) -> SystemEnd {
    machine.tally.count(|counters| counters.medium_boots += 1);
    machine.screen.print("\nStarting kernel ...\n\n");
    kernel_log(machine, "console=ttyS0,115200 root=/dev/mmcblk0p1");
    machine.screen.print("sim system booted from medium\n\n");
    loop {
        machine.screen.print(&format!("sim-medium {} ", machine.config.login_prompt));
        guest::login::read_line(&mut machine.keys, &machine.screen, true).await;
        machine.screen.print("Password: ");
        guest::login::read_line(&mut machine.keys, &machine.screen, false).await;
        machine.screen.print("\nLogin incorrect\n");
    }
}

fn kernel_log(machine: &Machine, command_line: &str) {
    let lines = [
        "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]".to_owned(),
        "[    0.000000] Linux version 6.1.0-sim (build@sim) (gcc 12.2.0) #1 SMP Mon Jan 9 16:07:33 UTC 2023"
            .to_owned(),
        "[    0.000000] Machine model: simulated board".to_owned(),
        format!("[    0.000000] Kernel command line: {command_line}"),
        "[    0.214071] mmc0: new HS200 MMC card at address 0001".to_owned(),
        "[    0.214802] mmcblk0: mmc0:0001 SIMMED".to_owned(),
        "[    0.402113] Run /init as init process".to_owned(),
    ];
    machine.screen.print(&(lines.join("\n") + "\n"));
}
