//! U-Boot's commands: running a line, the environment, and everything that is neither network nor boot.

use std::time::Duration;

use super::help;
use super::hush::{self, RunCondition};
use super::memory::hex;
use super::state::{UBoot, UBootExit, default_environment};

/// Nested `run` commands at most.
const DEEPEST: u32 = 16;

impl UBoot<'_> {
    /// Runs a line as typed at the prompt.
    pub(super) async fn run_text(&mut self, line: &str) {
        self.run_nested(line, 0).await;
    }

    async fn run_nested(&mut self, line: &str, depth: u32) {
        let Some(commands) = hush::parse(line) else {
            self.print("syntax error\n");
            self.status = 1;
            return;
        };
        for (when, words) in commands {
            let wanted = match when {
                RunCondition::Always => true,
                RunCondition::AfterSuccess => self.status == 0,
                RunCondition::AfterFailure => self.status != 0,
            };
            if !wanted {
                continue;
            }
            let words = hush::expand(&words, |name| self.value(name));
            self.status = self.interruptible(&words, depth).await;
            if self.leave.is_some() {
                return;
            }
        }
    }

    fn value(&self, name: &str) -> String {
        if name == "?" { self.status.to_string() } else { self.variable(name).unwrap_or_default().to_owned() }
    }

    async fn interruptible(&mut self, words: &[String], depth: u32) -> i32 {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [typed, arguments @ ..] = &words[..] else { return 0 };
        self.machine.tally.count(|counters| counters.uboot_commands += 1);
        if *typed == "boot_medium" {
            return self.boot_medium();
        }
        let Some(name) = help::resolve(typed, |known| self.has_command(known)) else {
            return self.say(&format!("Unknown command '{typed}' - try 'help'\n"), 1);
        };
        match name {
            "run" => Box::pin(self.run_variables(arguments, depth)).await,
            "boot" | "bootd" => Box::pin(self.run_variables(&["bootcmd"], depth)).await,
            "sleep" => self.sleep(arguments).await,
            "dhcp" => self.dhcp(arguments).await,
            "tftpboot" => self.tftpboot(arguments).await,
            "tftpput" => self.tftpput(arguments).await,
            "wget" => self.wget(arguments).await,
            "ums" => self.ums(arguments).await,
            "ping" => self.ping(arguments),
            "crc32" | "hash" | "sha256sum" | "cmp" | "cp" | "mw" | "md" => {
                self.memory_command(name, typed, arguments).await
            }
            "mmc" | "virtio" | "nvme" | "scsi" | "usb" | "sata" | "ide" | "part" | "gzwrite" | "unzip"
            | "blkcache" => self.media_command(name, arguments).await,
            _ => self.quick(name, arguments),
        }
    }

    fn quick(&mut self, name: &str, arguments: &[&str]) -> i32 {
        match name {
            "echo" => self.echo(arguments),
            "setenv" | "env" if name == "setenv" || arguments.first() == Some(&"set") => {
                self.setenv(if name == "env" { &arguments[1..] } else { arguments })
            }
            "printenv" => self.printenv(arguments),
            "env" => self.env_command(arguments),
            "saveenv" => self.say("Saving Environment to nowhere... not possible\n", 1),
            "version" => self.say(&format!("{}\n", self.machine.config.banner), 0),
            "bdinfo" => self.bdinfo(),
            "true" => 0,
            "false" => 1,
            "help" | "?" => self.help(arguments),
            "reset" => self.go("resetting ...\n", UBootExit::Reset),
            "poweroff" => self.go("poweroff ...\n", UBootExit::Off),
            "booti" | "bootm" | "bootz" => self.boot_kernel(name, arguments),
            "zboot" => self.boot_pc_kernel(arguments),
            "unlz4" | "imxtract" => self.unpack(name, arguments),
            "iminfo" => self.needs_loaded(name, arguments),
            _ => self.usage(name),
        }
    }

    fn bdinfo(&self) -> i32 {
        let ethernet = if self.machine.config.faults.no_network { "unknown" } else { "ethernet@32" };
        let ip = self.variable("ipaddr").unwrap_or("<NULL>");
        self.say(&self.layout.bdinfo(ethernet, ip), 0)
    }

    fn go(&mut self, text: &str, leave: UBootExit) -> i32 {
        self.leave = Some(leave);
        self.say(text, 0)
    }

    fn echo(&self, arguments: &[&str]) -> i32 {
        match arguments {
            ["-n", rest @ ..] => self.say(&rest.join(" "), 0),
            _ => self.say(&format!("{}\n", arguments.join(" ")), 0),
        }
    }

    fn setenv(&mut self, arguments: &[&str]) -> i32 {
        let [name, value @ ..] = arguments else {
            return self.usage("setenv");
        };
        let value = value.join(" ");
        if name.contains('=') {
            return self.say("## Error: illegal character '='in variable name\n", 1);
        }
        if value.is_empty() {
            self.env.remove(*name);
        } else {
            self.set(name, value);
        }
        0
    }

    fn printenv(&self, names: &[&str]) -> i32 {
        if names.is_empty() {
            self.env.iter().for_each(|(name, value)| self.print(&format!("{name}={value}\n")));
            return self.say("\nEnvironment size: 512/65532 bytes\n", 0);
        }
        let mut status = 0;
        for name in names {
            match self.variable(name) {
                Some(value) => self.print(&format!("{name}={value}\n")),
                None => status = self.say(&format!("## Error: \"{name}\" not defined\n"), 1),
            }
        }
        status
    }

    fn env_command(&mut self, arguments: &[&str]) -> i32 {
        match arguments {
            ["default", ..] => {
                self.env = default_environment(self.machine.config.bootdelay, self.layout);
                self.say("## Resetting to default environment\n", 0)
            }
            ["print", names @ ..] => self.printenv(names),
            ["exists", name] => i32::from(self.variable(name).is_none()),
            _ => self.usage("env"),
        }
    }

    async fn run_variables(&mut self, names: &[&str], depth: u32) -> i32 {
        for name in names {
            let Some(line) = self.variable(name).map(str::to_owned) else {
                return self.say(&format!("## Error: \"{name}\" not defined\n"), 1);
            };
            if depth >= DEEPEST {
                return self.say("## Error: variables run each other too deep\n", 1);
            }
            self.run_nested(&line, depth + 1).await;
            if self.status != 0 || self.leave.is_some() {
                break;
            }
        }
        self.status
    }

    async fn sleep(&mut self, arguments: &[&str]) -> i32 {
        let seconds = arguments.first().and_then(|text| text.parse::<f64>().ok());
        let Some(seconds) = seconds.filter(|seconds| (0.0..1e6).contains(seconds)) else {
            return self.usage("sleep");
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => 0,
            () = self.machine.keys.ctrl_c() => 1,
        }
    }

    /// `unlz4 FROM TO SIZE` and `imxtract FROM PART TO`: something then lies at `TO`.
    fn unpack(&mut self, name: &str, arguments: &[&str]) -> i32 {
        let to = if name == "imxtract" { arguments.get(2) } else { arguments.get(1) };
        let (Some(from), Some(to)) = (arguments.first(), to) else { return self.usage(name) };
        let (Some(from), Some(to)) = (hex(from), hex(to)) else { return self.usage(name) };
        if !self.memory.is_loaded(from) {
            return self.say("## Error: nothing was loaded at this address\n", 1);
        }
        match self.memory.unpack(to, &self.memory.read(from, 1)) {
            Ok(()) => 0,
            Err(_) => self.memory_is_full(),
        }
    }

    fn needs_loaded(&self, name: &str, arguments: &[&str]) -> i32 {
        let Some(address) = arguments.first().and_then(|text| hex(text)) else { return self.usage(name) };
        match self.memory.extent(address) {
            Some(range) if !range.is_empty() => 0,
            _ => self.say("## Error: nothing was loaded at this address\n", 1),
        }
    }
}
