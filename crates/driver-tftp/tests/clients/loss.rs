//! Networks that lose, repeat and reorder.

use std::time::Duration;

use crate::PATIENT;
use crate::peer::{PacketFate, TestServer, fetch, pattern, relay};

/// One packet in `one_in` suffers, by a generator that is the same each time.
fn misfortune(
    one_in: u64,
    fates: &'static [PacketFate],
) -> impl FnMut(bool, u64) -> PacketFate + Send + 'static {
    let mut state = one_in.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = state >> 33;
        if dice.is_multiple_of(one_in) {
            fates[(dice / one_in) as usize % fates.len()]
        } else {
            PacketFate::Pass
        }
    }
}

#[tokio::test]
async fn files_arrive_over_a_network_that_loses_repeats_and_reorders() {
    let stage = TestServer::new().await;
    let bytes = pattern(400_000);
    stage.write("file", &bytes);
    let troubles: [&'static [PacketFate]; 5] = [
        &[PacketFate::Drop],
        &[PacketFate::Twice],
        &[PacketFate::Late],
        &[PacketFate::Slow(3), PacketFate::Slow(40)],
        &[PacketFate::Drop, PacketFate::Twice, PacketFate::Late, PacketFate::Slow(10)],
    ];
    let server = stage.server.address();
    let mut cases = tokio::task::JoinSet::new();
    for (windowsize, fates) in
        ["1", "4", "16", "64"].into_iter().flat_map(|size| troubles.map(|fates| (size, fates)))
    {
        let bytes = bytes.clone();
        cases.spawn(async move {
            let address = relay(server, misfortune(20, fates)).await;
            let options = [("blksize", "1468"), ("windowsize", windowsize)];
            let fetched = fetch(address, "file", "octet", &options, PATIENT).await;
            let fetched = fetched.unwrap_or_else(|error| panic!("{windowsize} {fates:?}: {error}"));
            assert!(fetched.bytes == bytes, "{windowsize} {fates:?}");
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn the_loss_of_any_single_packet_is_mended() {
    let stage = TestServer::new().await;
    let bytes = pattern(512 * 9 + 7);
    stage.write("file", &bytes);
    let server = stage.server.address();
    let mut cases = tokio::task::JoinSet::new();
    for (windowsize, to_client, count) in
        ["1", "4"].into_iter().flat_map(|size| (0..24).map(move |case| (size, case % 2 == 0, case / 2)))
    {
        let bytes = bytes.clone();
        let fate = move |towards, at| {
            if (towards, at) == (to_client, count) { PacketFate::Drop } else { PacketFate::Pass }
        };
        cases.spawn(async move {
            let address = relay(server, fate).await;
            let options = [("windowsize", windowsize)];
            let fetched =
                fetch(address, "file", "octet", &options, Duration::from_millis(300)).await.unwrap();
            assert!(fetched.bytes == bytes, "{windowsize} {to_client} {count}");
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn a_repeated_acknowledgement_sends_nothing_again() {
    let stage = TestServer::new().await;
    let bytes = pattern(512 * 50);
    stage.write("file", &bytes);
    let twice = |to_client, _| if to_client { PacketFate::Pass } else { PacketFate::Twice };
    let address = relay(stage.server.address(), twice).await;
    // The first packet is the request, and a repeated request is answered once.
    let fetched = fetch(address, "file", "octet", &[], PATIENT).await.unwrap();
    assert!(fetched.bytes == bytes);
    // A busy machine may make the server's timer strike now and then; the apprentice would send everything twice.
    let outcomes = stage.outcomes(1).await;
    assert!(matches!(outcomes[..], [Ok((25_600, 0..10))]), "{outcomes:?}");
}
