//! As much of HTTP as coding agents need from a provider: one request a connection.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

pub(super) struct Request {
    pub(super) path: String,
    body: Vec<u8>,
}

impl Request {
    /// Nothing where the client went away.
    pub(super) fn read(connection: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(connection);
        let path = line(&mut reader)?.split(' ').nth(1)?.to_owned();
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let header = line(&mut reader)?.to_ascii_lowercase();
            match header.split_once(':').map(|(name, value)| (name, value.trim())) {
                None => break,
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(("transfer-encoding", "chunked")) => is_chunked = true,
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = u64::from_str_radix(line(&mut reader)?.trim(), 16).ok()?;
                reader.by_ref().take(size).read_to_end(&mut body).ok()?;
                line(&mut reader)?;
                if size == 0 {
                    break;
                }
            }
        } else {
            reader.take(length).read_to_end(&mut body).ok()?;
        }
        Some(Self { path, body })
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

pub(super) fn write_json(connection: &TcpStream, status: u16, value: &Value) {
    let body = value.to_string();
    send(connection, status, "application/json", &body);
}

/// Writes server-sent events.
pub(super) fn write_events(connection: &TcpStream, events: &[Value], names_events: bool) {
    let mut body = String::new();
    for event in events {
        if names_events && let Some(kind) = event["type"].as_str() {
            let _ = writeln!(body, "event: {kind}");
        }
        let data = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        let _ = write!(body, "data: {data}\n\n");
    }
    send(connection, 200, "text/event-stream", &body);
}

fn send(mut connection: &TcpStream, status: u16, kind: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // The agent may be gone.
    let _ = connection.write_all(head.as_bytes());
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
