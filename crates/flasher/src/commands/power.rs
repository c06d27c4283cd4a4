//! `flasher power`: the switch and the meter by hand.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::tree::DeviceTree;
use flasher_core::{Device, Error, PowerDriver, PowerMeter, Reading, Result, cycle};

use crate::args::{NodeArgs, PowerAction};
use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;

/// Bound on what the switch or the meter takes to answer.
const ANSWER: Duration = Duration::from_secs(60);

/// Switches or measures.
pub(super) async fn run(
    action: &PowerAction,
    node: &NodeArgs,
    tree: DeviceTree,
    screen: &Screen,
) -> Result<u8, Failure> {
    let done = act(action, node, &tree, screen).await;
    super::close(&tree, screen).await;
    done.map(|()| 0)
}

async fn act(
    action: &PowerAction,
    node: &NodeArgs,
    tree: &DeviceTree,
    screen: &Screen,
) -> Result<(), Failure> {
    let path = node.device.as_deref();
    match action {
        PowerAction::On => bounded(ANSWER, switch(tree, path)?.on()).await?,
        PowerAction::Off => bounded(ANSWER, switch(tree, path)?.off()).await?,
        PowerAction::Cycle { wait } => {
            let power = switch(tree, path)?;
            bounded(ANSWER + *wait, cycle(power.as_ref(), *wait)).await?;
        }
        PowerAction::Read => return read(tree, path, screen).await,
    }
    let on = !matches!(action, PowerAction::Off);
    screen.show(&Message::Power { on }, |_| format!("power {}\n", if on { "on" } else { "off" }))?;
    Ok(())
}

async fn read(tree: &DeviceTree, path: Option<&str>, screen: &Screen) -> Result<(), Failure> {
    for Reading { voltage, current } in bounded(ANSWER, meter(tree, path)?.read()).await? {
        screen.show(&Message::Reading { voltage, current }, |_| {
            format!("{voltage:.3} V  {current:.3} A  {:.3} W\n", voltage * current)
        })?;
    }
    Ok(())
}

fn switch(tree: &DeviceTree, path: Option<&str>) -> Result<Arc<dyn PowerDriver>> {
    tree.pick(path, "power", |device| match device {
        Device::Power(switch, _) => Some(Arc::clone(switch)),
        _ => None,
    })
}

fn meter(tree: &DeviceTree, path: Option<&str>) -> Result<Arc<dyn PowerMeter>> {
    tree.pick(path, "power with a meter", |device| match device {
        Device::Power(_, Some(meter)) => Some(Arc::clone(meter)),
        _ => None,
    })
}

async fn bounded<T>(bound: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the power did not answer within {} s", bound.as_secs()))
            .help("`flasher doctor` looks at each node by itself"))
    })
}
