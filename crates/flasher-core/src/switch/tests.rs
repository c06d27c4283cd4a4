//! A switch that works, one that reports a wrong state, one that is slow, one that cycles by itself: on a simulated clock.

use std::sync::Mutex as StdMutex;

use super::*;

/// The calls, each with its time in milliseconds since the test began.
#[derive(Debug)]
struct FakeSwitch {
    begun: Instant,
    told: StdMutex<Vec<(bool, u128)>>,
    /// When an order shows; none never.
    shows_after: Option<Duration>,
    answers: bool,
    cycles: bool,
}

impl FakeSwitch {
    fn new(shows_after: Option<Duration>) -> Self {
        Self { begun: Instant::now(), told: StdMutex::default(), shows_after, answers: true, cycles: false }
    }

    fn told(&self) -> Vec<(bool, u128)> {
        self.told.lock().unwrap().clone()
    }
}

#[async_trait]
impl Switch for FakeSwitch {
    async fn set(&self, on: bool) -> Result<()> {
        self.told.lock().unwrap().push((on, self.begun.elapsed().as_millis()));
        Ok(())
    }

    async fn get(&self) -> Result<Option<bool>> {
        let last = self.told().last().copied();
        let Some((on, at)) = last.filter(|_| self.answers) else { return Ok(None) };
        let since = self.begun.elapsed().as_millis() - at;
        let shown = self.shows_after.is_some_and(|after| since >= after.as_millis());
        Ok(Some(on == shown))
    }

    async fn cycle(&self) -> Result<bool> {
        Ok(self.cycles)
    }
}

fn guarded(fake: FakeSwitch, min_off: f64) -> Guarded<FakeSwitch> {
    Guarded::new(fake, SwitchTiming::from_seconds(min_off, 5.0).unwrap())
}

#[tokio::test(start_paused = true)]
async fn power_stays_off_for_as_long_as_the_board_needs() {
    let power = guarded(FakeSwitch::new(Some(Duration::ZERO)), 3.0);
    power.on().await.unwrap();
    power.off().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    power.off().await.unwrap();
    power.on().await.unwrap();
    power.off().await.unwrap();
    sleep(Duration::from_secs(4)).await;
    power.on().await.unwrap();
    let told = power.switch().told();
    assert_eq!(told, [(true, 0), (false, 0), (false, 1000), (true, 3000), (false, 3000), (true, 7000)]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_switch_is_waited_for_and_a_lying_one_is_named() {
    let slow = guarded(FakeSwitch::new(Some(Duration::from_secs(2))), 0.0);
    slow.off().await.unwrap();
    assert_eq!(slow.state().await.unwrap(), Some(false));
    let lying = guarded(FakeSwitch::new(None), 0.0);
    let error = lying.off().await.unwrap_err();
    assert_eq!(
        format!("{error}; {}", error.next_step().unwrap()),
        "power was switched `off`, but after 5 s the switch still reports `on`; is this the right outlet, and is its state that of the same outlet? some hubs turn a port on again"
    );
    assert_eq!((error.is_retryable(), error.root()), (true, Some(RootCause::SwitchDisagrees)));
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_cannot_be_asked_is_believed_and_says_so() {
    let mute = guarded(FakeSwitch { answers: false, ..FakeSwitch::new(None) }, 0.0);
    mute.on().await.unwrap();
    assert_eq!(mute.state().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_cycle_is_the_switchs_own_where_it_has_one() {
    let own = guarded(FakeSwitch { cycles: true, answers: false, ..FakeSwitch::new(None) }, 0.0);
    own.cycle(Duration::from_secs(9)).await.unwrap();
    assert_eq!(own.switch().told(), []);
    let plain = guarded(FakeSwitch::new(Some(Duration::ZERO)), 4.0);
    plain.cycle(Duration::from_secs(2)).await.unwrap();
    assert_eq!(plain.switch().told(), [(false, 0), (true, 4000)]);
}

#[test]
fn seconds_have_bounds() {
    for (min_off, confirm, expected) in [
        (-1.0, 0.0, "`min_off_seconds` is -1, expected 0 to 600 seconds"),
        (0.0, f64::NAN, "`confirm_seconds` is NaN, expected 0 to 600 seconds"),
        (601.0, 0.0, "`min_off_seconds` is 601, expected 0 to 600 seconds"),
    ] {
        assert_eq!(SwitchTiming::from_seconds(min_off, confirm).unwrap_err().to_string(), expected);
    }
}
