//! Other people's text, made safe to show: names, subjects and messages come from files that anybody may write.

use std::borrow::Cow;

/// Leaves out control characters and invisible or bidirectional formatting; line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.replace("\r\n", "\n").chars().filter(|c| matches!(c, '\n' | '\t') || !is_steering(*c)).collect()
}

/// The text on one line, cut to at most `limit` characters, the last of them `…` where something is missing.
pub fn one_line(text: &str, limit: usize) -> String {
    // Most names are so already, and a page shows hundreds of them.
    if text.len() <= limit && is_plain_line(text) {
        return text.to_owned();
    }
    // Only the beginning can be shown: a message may be a mebibyte long.
    let beginning: String = text.chars().take(limit.saturating_mul(4).saturating_add(256)).collect();
    let line = printable(&beginning).split_whitespace().collect::<Vec<_>>().join(" ");
    let is_whole = beginning.len() == text.len();
    if line.chars().count() <= limit && is_whole {
        return line;
    }
    let mut cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// True if words of letters that can be seen are all there is, with one space between each two.
fn is_plain_line(text: &str) -> bool {
    text.as_bytes().split(|byte| *byte == b' ').all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_graphic))
}

/// Other people's text as a quotation on one line, with at most `limit` characters between its marks. The text can
/// neither end the quotation nor look as if it did: no mark like its own is left in it, and nothing that opens a tag. So
/// whoever reads a sentence around it, a person or a model, can tell whose words are whose.
pub fn quoted(text: &str, limit: usize) -> String {
    let line: String =
        without_tags(&one_line(text, limit)).chars().map(|c| if is_mark(c) { '\'' } else { c }).collect();
    // A mark after it would look escaped.
    format!("\"{}\"", line.trim_end_matches(|c: char| c == '\\' || c.is_whitespace()))
}

/// The same for a text of several lines: each of them begins with `> `, and nothing else does but a quotation.
pub fn quoted_lines(text: &str, limit: usize) -> Vec<String> {
    let beginning: String = printable(text).chars().take(limit.saturating_add(1)).collect();
    let mut cut: String = beginning.chars().take(limit).collect();
    if beginning.len() > cut.len() {
        cut.push('…');
    }
    without_tags(&cut).lines().map(|line| format!("> {line}")).collect()
}

/// A word of letters, digits, dots, dashes and underscores as it is, for commands take ids so; anything else quoted.
pub fn id_or_quoted(id: &str, limit: usize) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !id.is_empty() && id.len() <= limit && id.chars().all(is_plain) { id.to_owned() } else { quoted(id, limit) }
}

/// What somebody is called, quoted, and the id that commands take: `"Ada (Neovim)" (session-…)`; an id alone is quoted.
pub fn name_and_id(name: &str, id: &str) -> String {
    const LONGEST: usize = 128;
    let quoted_name = quoted(name, LONGEST);
    if name == id { quoted_name } else { format!("{quoted_name} ({})", id_or_quoted(id, LONGEST / 2)) }
}

/// The text with nothing in it that opens a tag, as a program may put its own words for a model into tags.
pub fn without_tags(text: &str) -> String {
    text.replace(['<', '\u{fe64}', '\u{ff1c}'], "‹")
}

/// True for a quotation mark, and for what may be taken for one of those that [`quoted`] writes.
pub fn is_mark(c: char) -> bool {
    matches!(c,
        '"' | '«' | '»' | '\u{2ba}' | '\u{2dd}' | '\u{2ee}' | '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{2036}' | '\u{275d}'
        | '\u{275e}' | '\u{301d}'..='\u{301f}' | '\u{ff02}')
}

/// How many of something: `1 session`, `2 sessions`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// The text on one line as [`one_line`] cuts it, as [`markdown`].
pub fn markdown_line(text: &str, limit: usize) -> Cow<'_, str> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'/' | b'-' | b'\'');
    // Most facts are words that mean nothing in Markdown either, and a page shows hundreds of them.
    if text.len() <= limit && is_plain_line(text) && text.bytes().all(is_letter) && !text.starts_with('-') {
        return text.into();
    }
    markdown(&one_line(text, limit)).into()
}

/// The text as Markdown that shows it letter by letter: no markup, link, image or HTML comes alive.
/// Line breaks become spaces, so that it stays in its place. What means something at the start of a line only is
/// escaped only there: names of files and sessions stay readable in editors that show Markdown as it is written.
pub fn markdown(text: &str) -> String {
    let line = if is_plain_line(text) { text } else { &one_line(text, usize::MAX) };
    let mut escaped = String::with_capacity(line.len() + 8);
    for (position, c) in line.char_indices() {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | '/') {
            escaped.push(c);
            continue;
        }
        let before = &line[..position];
        let after = line[position + c.len_utf8()..].chars().next();
        let is_after_number = before.ends_with(|c: char| c.is_ascii_digit());
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A bare address becomes a link in many renderers; a colon written as an entity does not.
            ':' if !is_after_number && after.is_some_and(|c| !c.is_whitespace()) => escaped.push_str("&#58;"),
            '@' => escaped.push_str("&#64;"),
            // `www.` alone starts a link too.
            '.' if ends_with_www(before) => escaped.push_str("&#46;"),
            // Within a word it is a part of the word.
            '_' if before.ends_with(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric) => {
                escaped.push(c);
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '{' | '}' | '!' | '|' | '~' | '$' | '^' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '#' | '+' | '-' | '=' if before.is_empty() => {
                escaped.push('\\');
                escaped.push(c);
            }
            // A numbered list; its numbers have nine digits at most.
            '.' if (1..10).contains(&position) && before.chars().all(|c| c.is_ascii_digit()) => escaped.push_str("\\."),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn ends_with_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// JSON in which all that could steer a terminal, reorder a line or open a tag is an escape of the same meaning.
pub fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '<' || (is_steering(c) && !matches!(c, '\n' | '\t')) {
            let mut units = [0; 2];
            plain.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            plain.push(c);
        }
    }
    plain
}

/// A path as a word of a command line: what begins like an option or like git's own pathspecs is led by `./`.
pub fn path_word(path: &str) -> String {
    if path.starts_with(['-', ':']) { shell_word(&format!("./{path}")) } else { shell_word(path) }
}

/// A word as a shell reads it. What could steer a terminal is spelled in octal, as bash, zsh and ksh read it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    // What opens a tag means something to models that read a command before they type it.
    let is_spelled = |c: char| c == '<' || is_steering(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.contains(is_spelled) {
        let mut quoted = "$'".to_owned();
        for c in word.chars() {
            let mut buffer = [0; 4];
            match c {
                '\\' | '\'' => quoted.extend(['\\', c]),
                c if is_spelled(c) => {
                    let digit = |byte: u8, shift: u8| char::from(b'0' + (byte >> shift & 7));
                    let bytes = c.encode_utf8(&mut buffer).bytes();
                    quoted.extend(bytes.flat_map(|byte| ['\\', digit(byte, 6), digit(byte, 3), digit(byte, 0)]));
                }
                c => quoted.push(c),
            }
        }
        quoted + "'"
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{3164}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}
