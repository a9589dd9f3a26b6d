//! Much at once, in both directions.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, pin_mut};
use tokio::io::AsyncWriteExt as _;

use crate::raw::{Raw, query, startup};
use crate::support::{PATIENCE, SECRET, World};

#[tokio::test]
async fn a_pipeline_larger_than_every_buffer_does_not_lock_up_when_answers_are_as_large() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    // 400 statements of 100 kB, each answered by as much: 40 MB must be on its way in both directions at once.
    let statement = query(&format!("SELECT '{}'", "x".repeat(100_000)));
    let Raw { stream, .. } = raw;
    let (mut from, mut to) = stream.into_split();
    let asked = async {
        for _ in 0..400 {
            to.write_all(&statement).await.unwrap();
        }
    };
    let answered = async {
        let (mut tracker, mut ready, mut bytes) = (holm_pgwire::track::Tracker::default(), 0, vec![0; 65_536]);
        while ready < 400 {
            let length = tokio::io::AsyncReadExt::read(&mut from, &mut bytes).await.unwrap();
            assert_ne!(length, 0);
            tracker.advance(&bytes[..length], |tag, _| ready += u32::from(tag == b'Z')).unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(asked, answered) }).await.expect("no lock-up");
}

#[tokio::test]
async fn a_client_that_asks_much_before_it_reads_at_all_gets_every_answer_in_order() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    let all: Vec<u8> = (0..500).flat_map(|i| query(&format!("SELECT {i}, repeat('y', 5000)"))).collect();
    raw.send(&all).await;
    for i in 0..500 {
        let answer = raw.until(b'Z').await;
        let (_, row) = answer.iter().find(|(tag, _)| *tag == b'D').unwrap();
        assert!(row[6..].starts_with(i.to_string().as_bytes()), "answer {i}");
    }
}

#[tokio::test]
async fn copy_in_and_out_of_many_megabytes_arrives_whole() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let client = world.connect("app", "malmo").await;
    client.batch_execute("CREATE TABLE part (id int, note text)").await.unwrap();
    let sink = client.copy_in("COPY part FROM STDIN").await.unwrap();
    pin_mut!(sink);
    let mut sent = 0_u64;
    for block in 0..60 {
        let rows: String = (0..5000).map(|i| format!("{}\t{}\n", block * 5000 + i, "n".repeat(i % 100))).collect();
        sent += u64::try_from(rows.len()).unwrap();
        sink.send(Bytes::from(rows)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 300_000);
    let out = client.copy_out("COPY (SELECT * FROM part ORDER BY id) TO STDOUT").await.unwrap();
    pin_mut!(out);
    let (mut received, mut rows) = (0_u64, 0_u64);
    while let Some(block) = out.next().await {
        let block = block.unwrap();
        received += u64::try_from(block.len()).unwrap();
        rows += u64::try_from(block.iter().filter(|byte| **byte == b'\n').count()).unwrap();
    }
    assert_eq!((received, rows), (sent, 300_000));
    assert!(sent > 15_000_000);
}
