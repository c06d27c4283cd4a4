//! Extents that wait in memory, in a copy, or in one that fails; cancelled, dropped and unreadable.

use futures_util::FutureExt;

use super::*;

const MIB: u64 = 1 << 20;

/// What the copy does while extents come.
#[derive(Clone, Copy, Debug)]
enum Copying {
    None,
    /// It is as many extents behind.
    Behind(u64),
    /// It fails when so many extents came.
    FailsAfter(u64),
}

fn extent(number: u64) -> Extent {
    let offset = number * MIB;
    match number % 8 {
        7 => Extent::Zero { offset, length: MIB },
        _ => Extent::Data { offset, bytes: vec![number as u8; MIB as usize].into() },
    }
}

/// Hands `count` extents over as fast as it is let.
fn produce(producer: &Producer, copying: Copying, count: u64) {
    let (progress, file) = (producer.copy_progress(), Arc::new(tempfile::tempfile().unwrap()));
    if !matches!(copying, Copying::None) {
        progress.begun(Arc::clone(&file));
    }
    for number in 0..count {
        let copied = match copying {
            Copying::None => None,
            Copying::Behind(extents) => number.checked_sub(extents),
            Copying::FailsAfter(end) => (number < end).then_some(number),
        };
        if let Some(number) = copied {
            if let Extent::Data { offset, bytes } = extent(number) {
                file.write_all_at(&bytes, offset).unwrap();
            }
            progress.written((number + 1) * MIB);
        } else if matches!(copying, Copying::FailsAfter(end) if end == number) {
            progress.failed();
        }
        assert!(producer.push(extent(number)).is_ok());
        assert!(producer.0.state().held <= HELD, "extent {number}, {copying:?}");
    }
    producer.finish(Err(Error::Ended { label: "the end".into() }));
}

async fn consume(mut consumer: Consumer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let Ok(Some(Ok(Event::Extent(found)))) = consumer.next().await else { panic!("no extent {number}") };
        assert_eq!(found, extent(number));
    }
    assert!(matches!(consumer.next().await, Ok(Some(Err(Error::Ended { .. })))));
    assert!(matches!(consumer.next().await, Ok(None)));
}

#[tokio::test]
async fn with_a_copy_nobody_needs_to_take_anything() {
    for behind in [0, 1, 3] {
        let (producer, consumer) = backlog();
        let count = 80;
        tokio::task::spawn_blocking(move || produce(&producer, Copying::Behind(behind), count))
            .await
            .unwrap();
        consume(consumer, 0..count).await;
    }
}

#[tokio::test]
async fn without_one_or_when_it_fails_pieces_wait_in_memory() {
    for copying in [Copying::None, Copying::FailsAfter(0), Copying::FailsAfter(40)] {
        let (producer, consumer) = backlog();
        let producing = tokio::task::spawn_blocking(move || produce(&producer, copying, 80));
        consume(consumer, 0..80).await;
        producing.await.unwrap();
    }
}

#[tokio::test]
async fn a_failure_is_known_before_the_pieces_are_taken() {
    let (producer, mut consumer) = backlog();
    assert!(consumer.failure().is_none());
    tokio::task::spawn_blocking(move || produce(&producer, Copying::Behind(0), 40)).await.unwrap();
    assert!(matches!(consumer.failure(), Some(Error::Ended { .. })));
    assert!(consumer.failure().is_none());
    assert!(matches!(consumer.next().await, Ok(None)));
}

#[tokio::test]
async fn a_piece_that_was_asked_for_in_vain_is_not_lost() {
    let (producer, mut consumer) = backlog();
    assert!(consumer.next().now_or_never().is_none());
    let producing = tokio::task::spawn_blocking(move || produce(&producer, Copying::Behind(0), 40)).await;
    producing.unwrap();
    // The first one is read from the copy on another thread, which is seldom as quick as this one.
    let taken = consumer.next().now_or_never().is_some();
    consume(consumer, u64::from(taken)..40).await;
}

#[tokio::test]
async fn whoever_waits_for_room_learns_that_nobody_wants_pieces() {
    let (producer, consumer) = backlog();
    let producing = tokio::task::spawn_blocking(move || {
        let pushed = (0..80).take_while(|number| producer.push(extent(*number)).is_ok()).count();
        (pushed, producer.is_closed())
    });
    while consumer.0.state().held < HELD {
        tokio::task::yield_now().await;
    }
    drop(consumer);
    assert_eq!(producing.await.unwrap(), (4, true));
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_an_error() {
    let (producer, mut consumer) = backlog();
    tokio::task::spawn_blocking(move || {
        let progress = producer.copy_progress();
        progress.begun(Arc::new(tempfile::tempfile().unwrap()));
        progress.written(80 * MIB);
        (0..40).for_each(|number| assert!(producer.push(extent(number)).is_ok()));
    })
    .await
    .unwrap();
    let error = consumer.next().await.err().map(|error| error.kind());
    assert_eq!(error, Some(io::ErrorKind::UnexpectedEof));
}
