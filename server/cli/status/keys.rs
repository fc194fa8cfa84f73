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
    let mut pending = Vec::new();
    loop {
        match input.read(&mut bytes) {
            // What reading is interrupted by is told as a signal.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => {
                pending.extend_from_slice(&bytes[..count]);
                while let Some((length, key)) = first_key(&pending) {
                    pending.drain(..length);
                    if !key.is_none_or(&mut tell) {
                        return;
                    }
                }
            }
        }
    }
}

/// How many bytes the first key is, and what it asks for, if it means something here; `None` while it is not whole.
fn first_key(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    let key = match bytes.first()? {
        0x1b => return first_sequence(bytes),
        b'q' | b'Q' => Some(Key::Leave),
        b'k' => Some(Key::Scroll(-1)),
        b'j' | b'\n' | b'\r' => Some(Key::Scroll(1)),
        b' ' => Some(Key::Turn(1)),
        b'g' => Some(Key::ToTop),
        b'G' => Some(Key::ToEnd),
        _ => None,
    };
    Some((1, key))
}

/// The same for what begins with the escape character.
fn first_sequence(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    let [_, b'[' | b'O', rest @ ..] = bytes else {
        // It may be the beginning of more, or a key of its own.
        return (bytes.len() > 1).then_some((1, None));
    };
    let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte))? + 1;
    let key = match &rest[..end] {
        b"A" => Some(Key::Scroll(-1)),
        b"B" => Some(Key::Scroll(1)),
        b"5~" => Some(Key::Turn(-1)),
        b"6~" => Some(Key::Turn(1)),
        b"H" | b"1~" => Some(Key::ToTop),
        b"F" | b"4~" => Some(Key::ToEnd),
        _ => None,
    };
    Some((2 + end, key))
}
