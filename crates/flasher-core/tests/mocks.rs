//! The mocks count and order: a board that is cycled goes off first, then on, each exactly once.
#![cfg(feature = "mocks")]

use std::time::Duration;

use flasher_core::cycle;
use flasher_core::mocks::MockPower;
use mockall::Sequence;

#[tokio::test]
async fn a_cycle_is_off_then_on_exactly_once() {
    let (mut power, mut order) = (MockPower::new(), Sequence::new());
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(()));
    power.expect_on().times(1).in_sequence(&mut order).returning(|| Ok(()));
    cycle(&power, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_board_that_does_not_go_off_is_not_switched_on() {
    let mut power = MockPower::new();
    power.expect_off().times(1).returning(|| Err(flasher_core::Error::infrastructure("the relay is stuck")));
    power.expect_on().never();
    let error = cycle(&power, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "the relay is stuck");
}
