//! Reads fields from a body: each read checks the length first and names the field it failed in.

use crate::frame::Malformed;

pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, Malformed> {
        let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Field(field))?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn word(&mut self, field: &'static str) -> Result<[u8; 4], Malformed> {
        let (word, rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed::Field(field))?;
        self.rest = rest;
        Ok(*word)
    }

    pub(crate) fn number(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.word(field).map(u32::from_be_bytes)
    }

    /// An unsigned count in two bytes, as `pq_getmsgint` reads it.
    pub(crate) fn count(&mut self, field: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes([self.byte(field)?, self.byte(field)?]))
    }

    pub(crate) fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Field(field))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes up to a zero byte, which is read too.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or(Malformed::Field(field))?;
        let text = self.take(end, field)?;
        self.byte(field)?;
        Ok(text)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn end(&self, message: &'static str) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Trailing(message)) }
    }
}
