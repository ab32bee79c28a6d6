//! Old manners: names of headers that are compared by their octets, and clients that announce the end of a connection with a request, and send another on it when asked who they are.

use super::*;

const LAST: &str = "POST /who/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n";

fn without_password() -> String {
    format!("{LAST}\r\nabc")
}

fn with_password() -> String {
    format!("{LAST}authorization: Basic YTpi\r\n\r\nabc")
}

#[tokio::test]
async fn who_said_close_may_answer_a_401_on_the_same_connection() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, &without_password()).await;
    assert!(response(&mut stream).await.starts_with("HTTP/1.1 401"));
    send(&mut stream, &with_password()).await;
    let text = until_closed(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 200") && text.ends_with("length 3"),
        "{text}"
    );
}

#[tokio::test]
async fn the_second_request_may_have_arrived_with_the_first() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, &format!("{}{}", without_password(), with_password())).await;
    let text = until_closed(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 401") && text.ends_with("length 3"),
        "{text}"
    );
}

#[tokio::test]
async fn it_may_do_so_once() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    for _ in 0..2 {
        send(&mut stream, &without_password()).await;
        assert!(response(&mut stream).await.starts_with("HTTP/1.1 401"));
    }
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn headers_are_spelled_as_in_the_standards_where_it_is_asked_for() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, &without_password()).await;
    let text = response(&mut stream).await;
    for name in [
        "WWW-Authenticate: Basic",
        "Content-Length: 4",
        "X-Request-ID: ",
        "Date: ",
        "Connection: close",
    ] {
        assert!(text.contains(&format!("\r\n{name}")), "{name}: {text}");
    }
    let mut stream = connect(&running).await;
    send(&mut stream, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(response(&mut stream).await.contains("\r\ncontent-length: 8"));
}

#[tokio::test]
async fn any_other_answer_ends_the_connection() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, &with_password()).await;
    let text = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn a_gateway_that_stops_waits_for_nobody() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(&mut stream, &without_password()).await;
    assert!(response(&mut stream).await.starts_with("HTTP/1.1 401"));
    assert!(running.drain.finish(PATIENCE).await);
    assert_eq!(until_closed(&mut stream).await, "");
}
