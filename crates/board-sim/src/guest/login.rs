//! The login: user name and password on the console.

use crate::console::{Keys, Screen};
use crate::machine::Machine;

/// Characters a line of the login keeps.
const LONGEST: usize = 256;

/// Asks for name and password until a login succeeds.
pub(crate) async fn login(machine: &mut Machine) {
    let config = std::sync::Arc::clone(&machine.config);
    loop {
        machine.screen.print(&format!("\nsim {} ", config.login_prompt));
        let name = read_line(&mut machine.keys, &machine.screen, true).await;
        if name.is_empty() {
            continue;
        }
        let password = match &config.password {
            Some(_) => {
                machine.screen.print("Password: ");
                Some(read_line(&mut machine.keys, &machine.screen, false).await)
            }
            None => None,
        };
        if config.username.as_ref().is_none_or(|user| *user == name) && password == config.password {
            machine.tally.count(|counters| counters.shell_logins += 1);
            return;
        }
        machine.screen.print("Login incorrect\n");
    }
}

/// A line as a terminal in canonical mode gives it.
pub(crate) async fn read_line(keys: &mut Keys, screen: &Screen, echo: bool) -> String {
    let mut line = Vec::new();
    loop {
        match keys.next().await {
            b'\r' | b'\n' => {
                screen.print("\n");
                return String::from_utf8_lossy(&line).into_owned();
            }
            0x08 | 0x7f if line.pop().is_some() && echo => screen.print("\x08 \x08"),
            0x03 | 0x15 => line.clear(),
            key if key >= 0x20 && line.len() < LONGEST => {
                line.push(key);
                if echo {
                    screen.write(vec![key]);
                }
            }
            _ => {}
        }
    }
}
