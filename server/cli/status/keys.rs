//! The keys of a picture that stays.

use std::io::Read;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Leave,
    /// So many lines down, or up where it is negative.
    Scroll(isize),
    /// A screen down or up.
    Turn(isize),
    ToTop,
    ToEnd,
}

/// Tells each key that is typed, until there are none any more or nobody listens.
pub(super) fn read(mut tell: impl FnMut(Key) -> bool) {
    let mut input = std::io::stdin().lock();
    let mut bytes = [0; 64];
    loop {
        match input.read(&mut bytes) {
            // What reading is interrupted by is told as a signal.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if !keys(&bytes[..count]).into_iter().all(&mut tell) {
                    return;
                }
            }
        }
    }
}

/// The keys in what a terminal sent at once. What means nothing here is passed over.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let key = match (first, rest) {
            (0x1b, [b'[' | b'O', rest @ ..]) => {
                let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)).map_or(rest.len(), |at| at + 1);
                let (sequence, after) = rest.split_at(end);
                bytes = after;
                match sequence {
                    b"A" => Some(Key::Scroll(-1)),
                    b"B" => Some(Key::Scroll(1)),
                    b"5~" => Some(Key::Turn(-1)),
                    b"6~" => Some(Key::Turn(1)),
                    b"H" | b"1~" => Some(Key::ToTop),
                    b"F" | b"4~" => Some(Key::ToEnd),
                    _ => None,
                }
            }
            (b'q' | b'Q', _) => Some(Key::Leave),
            (b'k', _) => Some(Key::Scroll(-1)),
            (b'j' | b'\n' | b'\r', _) => Some(Key::Scroll(1)),
            (b' ', _) => Some(Key::Turn(1)),
            (b'g', _) => Some(Key::ToTop),
            (b'G', _) => Some(Key::ToEnd),
            _ => None,
        };
        keys.extend(key);
    }
    keys
}
