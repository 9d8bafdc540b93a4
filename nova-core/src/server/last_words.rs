//! What a client hears of a connection that goes no further, and how it gets to hear it.

use std::future::poll_fn;
use std::io;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::cork::Cork;

/// How long a client that is still sending is listened to. A connection that is closed with unread bytes
/// is reset, and then the client may lose what it was told.
const LINGER: Duration = Duration::from_secs(1);

/// An answer that ends the connection.
pub(super) fn last_words(status: u16) -> Vec<u8> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let date = httpdate::fmt_http_date(SystemTime::now());
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\ndate: {date}\r\n\r\n")
        .into_bytes()
}

/// Sends what is left, says that there is no more, and reads on for a while.
pub(super) async fn linger<I: AsyncRead + AsyncWrite + Unpin>(cork: &Cork<I>) -> io::Result<()> {
    let told = async {
        poll_fn(|context| cork.poll_close(context)).await?;
        poll_fn(|context| cork.poll_discard(context)).await;
        Ok(())
    };
    timeout(LINGER, told).await.unwrap_or(Ok(()))
}
