//! `flasher drivers`: out of the registry, so it cannot be out of date.

use flasher_core::device::Absent;
use flasher_core::{ChildSpec, DriverEntry, Result, registry};

use super::listing;
use crate::failure::Failure;
use crate::render::fields::fields;
use crate::render::message::{Child, Message};
use crate::render::paint::Paint;
use crate::screen::Screen;

/// Lists all drivers, or explains the one that answers to `name`.
pub(super) fn run(name: Option<&str>, screen: &Screen) -> Result<u8, Failure> {
    let drivers = registry::drivers();
    match name {
        Some(name) => {
            let known: Vec<_> = drivers.iter().map(|it| (it.name, it.aliases)).collect();
            let driver = registry::driver(name).ok_or_else(|| listing::unknown("driver", name, &known))?;
            screen.show(&message(driver), |paint| explain(driver, paint))?;
        }
        None if screen.is_json() => drivers.iter().try_for_each(|driver| screen.message(&message(driver)))?,
        None => {
            let rows = drivers.iter().map(|driver| (driver.name.to_owned(), driver.summary.to_owned()));
            screen.text(&listing::columns(&rows.collect::<Vec<_>>()))?;
        }
    }
    Ok(0)
}

fn message(driver: &DriverEntry) -> Message {
    Message::Driver {
        name: driver.name.to_owned(),
        aliases: driver.aliases.iter().map(|&alias| alias.to_owned()).collect(),
        summary: driver.summary.to_owned(),
        children: driver.children.iter().map(child).collect(),
        config: driver.schema(),
        example: driver.example.to_owned(),
    }
}

fn child(spec: &ChildSpec) -> Child {
    Child {
        role: spec.role.to_owned(),
        kind: spec.kind.to_string(),
        needed: spec.absent == Absent::Refused,
        purpose: spec.purpose.to_owned(),
    }
}

fn explain(driver: &DriverEntry, paint: Paint) -> String {
    let mut text = format!("{}  {}\n", paint.bold(driver.name), driver.summary);
    driver.aliases.iter().for_each(|alias| text.push_str(&format!("  also called {alias}\n")));
    let fields = fields(&driver.schema(), paint);
    let fields = if fields.is_empty() { "  none\n".to_owned() } else { fields };
    text.push_str(&format!("\nconfig\n{fields}"));
    if !driver.children.is_empty() {
        text.push_str("\nchildren\n");
        driver.children.iter().for_each(|spec| text.push_str(&child_line(spec, paint)));
    }
    let example = driver.example.trim_end().lines().map(|line| format!("  {line}\n")).collect::<String>();
    text + &format!("\nexample\n{example}")
}

fn child_line(spec: &ChildSpec, paint: Paint) -> String {
    let absent = match spec.absent {
        Absent::Refused => ", required".to_owned(),
        Absent::Fine => String::new(),
        Absent::Made(driver) => format!(", a `{driver}` is made when not given"),
    };
    let kind = paint.dim(&format!("{}{absent}", spec.kind));
    format!("  {}  {kind}\n      {}\n", paint.bold(spec.role), spec.purpose)
}
