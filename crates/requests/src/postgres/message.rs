//! What a client sends, read with every length checked.
//!
//! `pgwire` encodes what we answer; its decoders trust the counts within a message, so they are not used here.

use bytes::{Buf, Bytes};

/// A message of a client after the start-up.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// Statements in one text.
    Query(String),
    /// Prepares a statement.
    Parse {
        /// What it is to be called; the empty name is replaced.
        statement: String,
        /// Its text.
        sql: String,
        /// The types of its parameters; 0 where the client leaves it open.
        types: Vec<u32>,
    },
    /// Gives a statement values.
    Bind {
        /// What the portal is to be called.
        portal: String,
        /// Which statement.
        statement: String,
        /// How the values are written: none, one for all, or one for each.
        formats: Vec<Format>,
        /// The values; `None` is NULL.
        values: Vec<Option<Bytes>>,
        /// How the columns of the answer are to be written.
        results: Vec<Format>,
    },
    /// Asks for types.
    Describe(Target),
    /// Asks for rows.
    Execute {
        /// Of which portal.
        portal: String,
        /// How many at most; 0 for all.
        rows: usize,
    },
    /// Forgets a name.
    Close(Target),
    /// Sends what is written.
    Flush,
    /// Ends a batch of messages.
    Sync,
    /// The client leaves.
    Terminate,
    /// A password, or a step of SASL.
    Password(Bytes),
    /// What belongs to COPY, which is never begun.
    Copy,
    /// The old call of a function.
    FunctionCall,
}

/// A prepared statement or a portal, by name.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement(String),
    /// A portal.
    Portal(String),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As text.
    #[default]
    Text,
    /// As its type is laid out.
    Binary,
}

/// The first packet of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// Asks for TLS.
    Tls,
    /// Asks for encryption by Kerberos.
    Gss,
    /// Asks to stop what another connection does.
    Cancel {
        /// The number of that connection.
        process: i32,
        /// What only its client knows.
        secret: Bytes,
    },
    /// Says who it is.
    Start {
        /// The minor version of the protocol.
        minor: u16,
        /// `user`, `database`, settings.
        parameters: Vec<(String, String)>,
    },
}

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The longest message that carries SQL.
const MOST_SQL: usize = 1 << 20;
/// The longest message that carries parameters.
const MOST_PARAMETERS: usize = 16 << 20;
/// The longest of all others.
const MOST: usize = 64 << 10;

const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;

/// How long a packet of this kind may be.
#[must_use]
pub fn most(kind: Option<u8>) -> usize {
    match kind {
        Some(b'Q' | b'P') => MOST_SQL,
        Some(b'B' | b'd') => MOST_PARAMETERS,
        _ => MOST,
    }
}

/// How many bytes the packet at the start of `input` takes, with `kinds` bytes before its length; `None` when that has not
/// come yet. It may be as long as `most` says of its kind.
///
/// # Errors
/// When no packet has such a length.
pub fn length(input: &[u8], kinds: usize, most: fn(Option<u8>) -> usize) -> Result<Option<usize>, Malformed> {
    let Some(mut digits) = input.get(kinds..kinds + 4) else { return Ok(None) };
    let length = digits.get_u32() as usize;
    if length < 4 {
        return Err(Malformed("a message is shorter than its length"));
    }
    if length > most(input.first().copied().filter(|_| kinds > 0)) {
        return Err(Malformed("a message is longer than is allowed"));
    }
    Ok(Some(kinds + length))
}

/// Reads the first packet of a connection, without its length.
///
/// # Errors
/// When it is none.
pub fn opening(body: Bytes) -> Result<Opening, Malformed> {
    let mut fields = Fields(body);
    let code = fields.u32()?;
    match code {
        TLS => return Ok(Opening::Tls),
        GSS => return Ok(Opening::Gss),
        CANCEL => return Ok(Opening::Cancel { process: fields.u32()?.cast_signed(), secret: fields.rest() }),
        _ => {}
    }
    if code >> 16 != 3 {
        return Err(Malformed("only version 3 of the protocol is spoken"));
    }
    let mut parameters = Vec::new();
    loop {
        let name = fields.text()?;
        if name.is_empty() {
            break;
        }
        parameters.push((name, fields.text()?));
    }
    Ok(Opening::Start { minor: u16::try_from(code & 0xffff).unwrap_or(0), parameters })
}

/// Reads a message of a `kind`, without its length.
///
/// # Errors
/// When it is none.
pub fn message(kind: u8, body: Bytes) -> Result<Message, Malformed> {
    let mut fields = Fields(body);
    let message = match kind {
        b'Q' => Message::Query(fields.text()?),
        b'P' => Message::Parse { statement: fields.text()?, sql: fields.text()?, types: fields.list(4, Fields::u32)? },
        b'B' => Message::Bind {
            portal: fields.text()?,
            statement: fields.text()?,
            formats: fields.list(2, Fields::format)?,
            values: fields.list(4, Fields::value)?,
            results: fields.list(2, Fields::format)?,
        },
        b'D' => Message::Describe(fields.target()?),
        b'E' => Message::Execute {
            portal: fields.text()?,
            // Zero and less mean all.
            rows: usize::try_from(fields.u32()?.cast_signed()).unwrap_or(0),
        },
        b'C' => Message::Close(fields.target()?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'p' => return Ok(Message::Password(fields.rest())),
        b'd' | b'c' | b'f' => return Ok(Message::Copy),
        b'F' => return Ok(Message::FunctionCall),
        _ => return Err(Malformed("there is no message of this kind")),
    };
    if fields.0.is_empty() { Ok(message) } else { Err(Malformed("the message is longer than what it holds")) }
}

/// The fields of a packet.
struct Fields(Bytes);

impl Fields {
    fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.try_get_u16().map_err(|_| CUT)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| CUT)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed("a text has no end"))?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.into()).map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// A count, then as many fields of at least `bytes` each.
    fn list<T>(
        &mut self,
        bytes: usize,
        field: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::from(self.u16()?);
        if count * bytes > self.0.len() {
            return Err(CUT);
        }
        (0..count).map(|_| field(self)).collect()
    }

    fn format(&mut self) -> Result<Format, Malformed> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(Malformed("a format is neither text nor binary")),
        }
    }

    fn value(&mut self) -> Result<Option<Bytes>, Malformed> {
        let length = self.u32()?.cast_signed();
        if length == -1 {
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.0.len() => Ok(Some(self.0.split_to(length))),
            _ => Err(CUT),
        }
    }

    fn target(&mut self) -> Result<Target, Malformed> {
        match self.0.try_get_u8() {
            Ok(b'S') => self.text().map(Target::Statement),
            Ok(b'P') => self.text().map(Target::Portal),
            _ => Err(Malformed("it is neither a statement nor a portal")),
        }
    }

    fn rest(self) -> Bytes {
        self.0
    }
}

const CUT: Malformed = Malformed("the message ends before what it should hold");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_message_is_read_to_its_last_byte() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02hi\xff\xff\xff\xff\0\0";
        let expected = Message::Bind {
            portal: "p".into(),
            statement: "s".into(),
            formats: vec![Format::Binary],
            values: vec![Some(Bytes::from_static(b"hi")), None],
            results: vec![],
        };
        assert_eq!(message(b'B', Bytes::from_static(body)), Ok(expected));
        for end in 0..body.len() {
            assert!(message(b'B', Bytes::from_static(&body[..end])).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error() {
        use proptest::prelude::*;
        proptest!(|(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..64))| {
            let _ = message(kind, body.clone().into());
            let _ = opening(body.into());
        });
    }

    #[test]
    fn a_count_beyond_the_message_reserves_nothing() {
        assert_eq!(message(b'P', Bytes::from_static(b"\0\0\xff\xff")), Err(CUT));
    }
}
