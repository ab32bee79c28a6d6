//! The end of a connection on which the peer still sends: it gets the answer all the same.

use super::*;

/// More than the buffers of both sides take, less than is taken of what is not wanted.
const MUCH: usize = 900 * 1024;

/// Sends a head with the start of a body, and the rest when the answer has begun to come.
async fn send_on_after_the_answer(head: &str) -> String {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, head).await;
    send(&mut stream, &"x".repeat(1024)).await;
    stream.readable().await.unwrap();
    send(&mut stream, &"x".repeat(MUCH)).await;
    let mut text = String::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await;
    ended
        .expect("the connection was not closed")
        .expect("the connection was reset");
    text
}

#[tokio::test]
async fn who_sends_too_large_a_body_reads_so() {
    let head = format!(
        "POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        MUCH + 1024
    );
    let text = send_on_after_the_answer(&head).await;
    assert!(text.ends_with("too large") || text.ends_with("refused"), "{text}");
}

#[tokio::test]
async fn who_sends_too_large_a_head_reads_so() {
    let head = format!("GET /length/ HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(4096));
    let text = send_on_after_the_answer(&head).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn who_never_ends_is_not_listened_to_for_ever() {
    let running = start(limits(), None);
    let stream = connect(&running).await;
    let (mut read, mut write) = stream.into_split();
    let writing = tokio::spawn(async move {
        let head = "POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n";
        write.write_all(head.as_bytes()).await.unwrap();
        while write.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    until_closed(&mut read).await;
    tokio::time::timeout(PATIENCE, writing).await.unwrap().unwrap();
}
