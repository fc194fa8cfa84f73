//! Frames of the base protocol (LSP, "Base Protocol"): header lines, an empty line, and a body of the announced length.

use std::io::{self, BufRead, Read};

/// The longest body that is kept. Editors stop at documents of 50 MB; what is longer is skipped, not stored.
const LONGEST_BODY: usize = 256 * 1024 * 1024;

/// The longest header line that is kept.
const LONGEST_HEADER: u64 = 4096;

/// What was read from a pipe.
#[derive(Debug)]
pub(super) enum Frame {
    /// A whole body, whatever is in it.
    Body(Vec<u8>),
    /// Something that is no frame; reading goes on behind it.
    Malformed(&'static str),
}

/// Reads the next frame; `None` at the end of the input, also if that cuts a frame off.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Frame>> {
    let mut length = None;
    let mut fault = None;
    loop {
        let mut line = Vec::new();
        input.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            match (length, fault) {
                (Some(length), _) => return body(input, length),
                (None, Some(fault)) => return Ok(Some(Frame::Malformed(fault))),
                // Empty lines between frames harm nobody.
                (None, None) => continue,
            }
        }
        match header(line) {
            Header::Length(announced) => length = Some(announced),
            Header::Other => fault = fault.or(Some("a header without Content-Length")),
            Header::Noise => fault = Some("something that is no header"),
        }
    }
}

/// A body with its header in front.
pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    [format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

enum Header {
    Length(usize),
    Other,
    Noise,
}

fn header(line: &[u8]) -> Header {
    let Ok(line) = std::str::from_utf8(line) else { return Header::Noise };
    // A body that was longer than announced stands glued in front of the next header.
    let lower = line.to_ascii_lowercase();
    match lower.rsplit_once("content-length:") {
        Some((_, value)) => value.trim().parse().map_or(Header::Noise, Header::Length),
        None if line.contains(':') => Header::Other,
        None => Header::Noise,
    }
}

fn body(input: &mut impl BufRead, length: usize) -> io::Result<Option<Frame>> {
    if length > LONGEST_BODY {
        let skipped = io::copy(&mut input.by_ref().take(length as u64), &mut io::sink())?;
        let whole = skipped == length as u64;
        return Ok(whole.then_some(Frame::Malformed("a body of over 256 MiB")));
    }
    let mut body = Vec::with_capacity(length.min(64 * 1024));
    input.by_ref().take(length as u64).read_to_end(&mut body)?;
    Ok((body.len() == length).then_some(Frame::Body(body)))
}
