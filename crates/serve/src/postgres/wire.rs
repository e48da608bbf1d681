//! Bytes of one connection: packets in, messages out.

use std::io;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tracewell_requests::postgres::message::{Malformed, Message, Opening, length, message, most, opening};

use super::tls::Tls;

/// What is written is sent when there is so much of it.
const FLUSH: usize = 64 << 10;
/// What is read ahead while a query runs, to learn whether the client is still there.
const AHEAD: usize = 64 << 10;
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection, plain or within TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection's bytes.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
}

/// Why no message comes.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Wire {
    pub(super) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), input: BytesMut::new(), output: BytesMut::new() }
    }

    /// The first packet; `None` when the client closed without one.
    pub(super) async fn opening(&mut self) -> Result<Option<Opening>, Broken> {
        match self.packet(0, most).await? {
            Some((_, body)) => Ok(Some(opening(body)?)),
            None => Ok(None),
        }
    }

    /// The next message; `None` when the client closed.
    pub(super) async fn message(&mut self) -> Result<Option<Message>, Broken> {
        match self.packet(1, most).await? {
            Some((kind, body)) => Ok(Some(message(kind, body)?)),
            None => Ok(None),
        }
    }

    /// The next message of a client that was not let in yet, which has nothing long to say.
    pub(super) async fn short_message(&mut self) -> Result<Option<Message>, Broken> {
        match self.packet(1, |_| most(None)).await? {
            Some((kind, body)) => Ok(Some(message(kind, body)?)),
            None => Ok(None),
        }
    }

    /// A packet with `kinds` bytes before its length, which may be as long as `most` says.
    async fn packet(&mut self, kinds: usize, most: fn(Option<u8>) -> usize) -> Result<Option<(u8, Bytes)>, Broken> {
        let whole = loop {
            match length(&self.input, kinds, most)? {
                Some(whole) if whole <= self.input.len() => break whole,
                _ => {}
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                let eof = || Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                return if self.input.is_empty() { Ok(None) } else { eof() };
            }
        };
        let mut packet = self.input.split_to(whole);
        let kind = if kinds > 0 { packet[0] } else { 0 };
        packet.advance(kinds + 4);
        Ok(Some((kind, packet.freeze())))
    }

    /// Ends when the client is gone. What it sends meanwhile is kept.
    pub(super) async fn gone(&mut self) {
        while self.input.len() < AHEAD {
            if matches!(self.stream.read_buf(&mut self.input).await, Ok(0) | Err(_)) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Writes a message, to be sent with the next flush.
    pub(super) fn put(&mut self, message: &PgWireBackendMessage) -> io::Result<()> {
        message.encode(&mut self.output).map_err(io::Error::other)
    }

    /// Where rows are written, to be sent with the next flush.
    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Sends what is written if it is much.
    pub(super) async fn drain(&mut self) -> io::Result<()> {
        if self.output.len() < FLUSH { Ok(()) } else { self.flush().await }
    }

    /// Sends what is written.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            let written = timeout(PATIENCE, self.stream.write_buf(&mut self.output)).await;
            if written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        timeout(PATIENCE, self.stream.flush()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Sends one byte by itself: the answer to a packet that asks for encryption.
    pub(super) async fn answer(&mut self, byte: u8) -> io::Result<()> {
        self.output.put_u8(byte);
        self.flush().await
    }

    /// Goes on within TLS. Nothing may have been sent ahead: it would be taken as if it were encrypted.
    pub(super) async fn encrypt(&mut self, tls: &Tls) -> Result<(), Broken> {
        if !self.input.is_empty() {
            return Err(Malformed("there is plain text where TLS should begin").into());
        }
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(tls.accept(plain).await?);
        Ok(())
    }
}
