//! The promises of a power driver.

use std::sync::Arc;
use std::time::Duration;

use super::{Broken, MOMENTS, bounded, cut_short};
use crate::device::Device;
use crate::driver::{PowerDriver, PowerMeter};

/// Broken promises of the power driver that `make` builds; `make` gives a fresh one over the same switch each time.
///
/// On and off in any state and any number of times; the state is the one of the last call, where it can be read; looking changes
/// nothing; calls may come together, be cut short, and meet a driver that was closed or dropped while on.
pub async fn power(make: &(dyn Fn() -> Device + Sync)) -> Vec<String> {
    let mut broken = Broken::default();
    let Some((switch, meter)) = fresh(make) else { return vec!["it is no power switch".to_owned()] };
    repeated(&mut broken, switch.as_ref()).await;
    looked_at(&mut broken, switch.as_ref()).await;
    if let Some(meter) = meter {
        measured(&mut broken, meter.as_ref()).await;
    }
    together(&mut broken, &switch).await;
    cancelled(&mut broken, switch.as_ref()).await;
    closed(&mut broken, switch.as_ref()).await;
    drop(switch);
    dropped_while_on(&mut broken, make).await;
    broken.0
}

type Parts = (Arc<dyn PowerDriver>, Option<Arc<dyn PowerMeter>>);

fn fresh(make: &(dyn Fn() -> Device + Sync)) -> Option<Parts> {
    match make() {
        Device::Power(switch, meter) => Some((switch, meter)),
        _ => None,
    }
}

async fn repeated(broken: &mut Broken, switch: &dyn PowerDriver) {
    for (what, on) in [("off", false), ("off again", false), ("on", true), ("on again", true), ("off", false)]
    {
        tell(broken, switch, on, what).await;
    }
    broken.done("a power cycle", switch.cycle(Duration::from_millis(10))).await;
    expect(broken, switch, true, "a power cycle").await;
}

async fn tell(broken: &mut Broken, switch: &dyn PowerDriver, on: bool, what: &str) {
    let told = async { if on { switch.on().await } else { switch.off().await } };
    broken.done(what, told).await;
    expect(broken, switch, on, what).await;
}

async fn expect(broken: &mut Broken, switch: &dyn PowerDriver, on: bool, after: &str) {
    if let Some(Some(state)) = broken.done("reading the state", switch.state()).await {
        broken.unless(state == on, &format!("after {after} the state is {state}, expected {on}"));
    }
}

async fn looked_at(broken: &mut Broken, switch: &dyn PowerDriver) {
    for on in [true, false] {
        tell(broken, switch, on, "an order").await;
        broken.done("a look", switch.probe()).await;
        expect(broken, switch, on, "a look").await;
    }
}

async fn measured(broken: &mut Broken, meter: &dyn PowerMeter) {
    if let Some(readings) = broken.done("a reading", meter.read()).await {
        broken.unless(!readings.is_empty(), "a meter gives at least one reading");
        let finite = readings.iter().all(|it| it.voltage.is_finite() && it.current.is_finite());
        broken.unless(finite, "readings are finite");
    }
}

async fn together(broken: &mut Broken, switch: &Arc<dyn PowerDriver>) {
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..8 {
        let switch = Arc::clone(switch);
        calls.spawn(async move {
            bounded(async { if call % 2 == 0 { switch.on().await } else { switch.off().await } }).await
        });
    }
    while let Some(call) = calls.join_next().await {
        match call {
            Ok(Ok(())) => {}
            Ok(Err(error)) => broken.0.push(format!("calls that come together: {}", error.cause())),
            Err(error) => broken.0.push(format!("calls that come together: {error}")),
        }
    }
    tell(broken, switch.as_ref(), false, "calls that came together").await;
}

async fn cancelled(broken: &mut Broken, switch: &dyn PowerDriver) {
    for moment in MOMENTS {
        cut_short(moment, switch.on()).await;
        tell(broken, switch, false, "an `on` that was cut short").await;
        cut_short(moment, switch.off()).await;
        tell(broken, switch, true, "an `off` that was cut short").await;
    }
}

async fn closed(broken: &mut Broken, switch: &dyn PowerDriver) {
    tell(broken, switch, true, "an order").await;
    broken.done("closing while on", switch.close()).await;
    broken.done("closing twice", switch.close()).await;
}

async fn dropped_while_on(broken: &mut Broken, make: &(dyn Fn() -> Device + Sync)) {
    for on in [true, false] {
        let Some((switch, _)) = fresh(make) else { return };
        tell(broken, switch.as_ref(), on, "the driver before was dropped").await;
    }
}
