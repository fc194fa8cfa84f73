//! Zlib's format (RFC 1950) without compressing anything, so that what git takes for a loose object is written in no time.
//! What is longer than one block of it holds is left to those who compress.

/// Deflate with a window of 32 KB, by the fastest method.
const HEADER: [u8; 2] = [0x78, 0x01];

/// The one block, which is the last, holds bytes as they are.
const LAST_BLOCK: u8 = 1;

/// Bytes in two parts in that format; `None` if they are too long for a block.
pub(super) fn write(first: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(first.len() + rest.len()).ok()?;
    let mut stream = Vec::with_capacity(usize::from(length) + 11);
    stream.extend(HEADER);
    stream.push(LAST_BLOCK);
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    let begin = stream.len();
    stream.extend(first);
    stream.extend(rest);
    let sum = adler32(&stream[begin..]);
    stream.extend(sum.to_be_bytes());
    Some(stream)
}

/// The bytes of a stream that was written so; `None` for any other. Whether they are the right ones their name tells.
pub(super) fn read(stream: &[u8]) -> Option<&[u8]> {
    let [LAST_BLOCK, low, high, not_low, not_high, block @ ..] = stream.strip_prefix(&HEADER)? else { return None };
    let (bytes, _) = block.split_last_chunk::<4>()?;
    let is_whole =
        bytes.len() == usize::from(u16::from_le_bytes([*low, *high])) && [!*low, !*high] == [*not_low, *not_high];
    is_whole.then_some(bytes)
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // The sums of so many bytes never come to more than 32 bits.
    const CHUNK: usize = 5552;
    let (mut low, mut high) = (1, 0);
    for chunk in bytes.chunks(CHUNK) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn any_program_reads_it_and_what_others_wrote_is_left_to_them() {
        for length in [0, 1, 5548, 5552, 20_000, 65_531] {
            let bytes: Vec<u8> = (0..length).map(|number: u32| number.to_le_bytes()[0] ^ 0xa5).collect();
            let stream = write(b"head", &bytes).unwrap();
            let whole = [b"head", &bytes[..]].concat();
            let mut decoded = Vec::new();
            ZlibDecoder::new(&stream[..]).read_to_end(&mut decoded).unwrap();
            assert!(decoded == whole && read(&stream) == Some(&whole), "{length}");
            for cut in [1, 4, 5, stream.len() / 2] {
                assert_eq!(read(&stream[..stream.len() - cut]), None);
            }
        }
        assert_eq!(write(b"head", &vec![0; 65_532]), None);
        assert_eq!(read(b"\x78\x01J\xca\xc9OR0"), None);
        assert_eq!(read(b""), None);
    }
}
