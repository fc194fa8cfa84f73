//! What a shell makes of the braces in a word, before it looks at anything else in it: `{a,b}` and `{1..3}` each become
//! several words.

/// More words than this are not made of one.
const MOST_MADE: usize = 200;

/// The words that a shell makes of one as it is written, quotes and all; only itself where its braces mean nothing, or too
/// many.
pub(super) fn alternatives(word: &str) -> Vec<String> {
    match made_of(word, 0) {
        Some(made) if made.len() <= MOST_MADE => made,
        _ => vec![word.to_owned()],
    }
}

/// `None` where these are too many.
fn made_of(word: &str, depth: usize) -> Option<Vec<String>> {
    const DEEPEST: usize = 8;
    let Some(group) = Group::first_in(word) else { return Some(vec![word.to_owned()]) };
    if depth > DEEPEST {
        return None;
    }
    let mut middles = Vec::new();
    for middle in &group.middles {
        middles.extend(made_of(middle, depth + 1)?);
    }
    let ends = made_of(group.after, depth)?;
    if middles.len() * ends.len() > MOST_MADE {
        return None;
    }
    let made = middles.iter().flat_map(|middle| ends.iter().map(move |end| [group.before, middle, end].concat()));
    Some(made.collect())
}

/// Braces in a word that mean something, with what is around them.
struct Group<'a> {
    before: &'a str,
    middles: Vec<String>,
    after: &'a str,
}

impl<'a> Group<'a> {
    fn first_in(word: &'a str) -> Option<Self> {
        let mut at = 0;
        while at < word.len() {
            if word.as_bytes()[at] == b'{'
                && let Some((middles, end)) = Self::middles_at(word, at)
            {
                return Some(Self { before: &word[..at], middles, after: &word[end..] });
            }
            at = end_of_part(word, at);
        }
        None
    }

    /// What stands between braces that begin there, and where these end.
    fn middles_at(word: &str, begin: usize) -> Option<(Vec<String>, usize)> {
        let (mut depth, mut at, mut commas) = (0_usize, begin, vec![begin]);
        loop {
            match word.as_bytes().get(at)? {
                b'{' => depth += 1,
                b'}' if depth == 1 => break,
                b'}' => depth -= 1,
                b',' if depth == 1 => commas.push(at),
                _ => {}
            }
            at = end_of_part(word, at);
        }
        commas.push(at);
        if commas.len() > 2 {
            let middles = commas.windows(2).map(|ends| word[ends[0] + 1..ends[1]].to_owned());
            return Some((middles.collect(), at + 1));
        }
        Some((sequence(&word[begin + 1..at])?, at + 1))
    }
}

/// Where the part of a word ends that begins there: a letter, or what is quoted or a substitution.
fn end_of_part(word: &str, begin: usize) -> usize {
    let rest = &word[begin..];
    let after = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let length = match rest.as_bytes() {
        [b'\\', ..] => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        [b'\'', ..] => after(1, "'"),
        [b'`', ..] => after(1, "`"),
        [b'"', ..] => quoted_length(rest),
        [b'$', b'{', ..] => bracketed_length(&rest[1..], '{', '}') + 1,
        [b'$' | b'<' | b'>', b'(', ..] => bracketed_length(&rest[1..], '(', ')') + 1,
        _ => rest.chars().next().map_or(1, char::len_utf8),
    };
    begin + length
}

/// The length of a text in double quotes, with these.
fn quoted_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a text in brackets, with these.
fn bracketed_length(text: &str, open: char, close: char) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
            if depth == 0 {
                return at + letter.len_utf8();
            }
        }
    }
    text.len()
}

/// What `1..3`, `01..10..2` or `a..c` means.
fn sequence(text: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => (first, last, step.parse::<i64>().ok()?.unsigned_abs().max(1)),
        _ => return None,
    };
    let letter = |text: &str| text.chars().next().filter(|letter| letter.is_ascii_alphabetic() && text.len() == 1);
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let numbers = counted(i64::from(u32::from(first)), i64::from(u32::from(last)), step)?;
        return numbers.into_iter().map(|it| Some(char::from(u8::try_from(it).ok()?).to_string())).collect();
    }
    let is_padded =
        |text: &str| text.trim_start_matches('-').starts_with('0') && text.trim_start_matches('-').len() > 1;
    let width = if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
    let numbers = counted(first.parse().ok()?, last.parse().ok()?, step)?;
    Some(numbers.into_iter().map(|number| format!("{number:0width$}")).collect())
}

fn counted(first: i64, last: i64, step: u64) -> Option<Vec<i64>> {
    let distance = first.abs_diff(last);
    if distance / step >= MOST_MADE as u64 {
        return None;
    }
    let steps = (0..=distance / step).map(|index| i64::try_from(index * step).ok());
    steps.map(|gone| if first <= last { first.checked_add(gone?) } else { first.checked_sub(gone?) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_becomes_what_the_shell_makes_of_it() {
        let cases = [
            ("{a,b}/", "a/ b/"),
            ("work{,.bak}", "work work.bak"),
            ("a{b,c{d,e}}f", "abf acdf acef"),
            ("{a,b}{1..3}", "a1 a2 a3 b1 b2 b3"),
            ("x{3..1}", "x3 x2 x1"),
            ("{08..10}", "08 09 10"),
            ("{1..10..4}", "1 5 9"),
            ("{a..c}", "a b c"),
            ("{a}", "{a}"),
            ("{}", "{}"),
            ("${a,b}", "${a,b}"),
            ("'{a,b}'", "'{a,b}'"),
            ("\"{a,b}\"", "\"{a,b}\""),
            ("\\{a,b}", "\\{a,b}"),
            ("{'x,y',\"$z\"}", "'x,y' \"$z\""),
            ("{$(echo a,b),c}", "$(echo a,b) c"),
            ("{a,b", "{a,b"),
            ("{a,{b}", "{a,{b}"),
            ("{é,ü}", "é ü"),
            ("HEAD@{1}", "HEAD@{1}"),
        ];
        for (word, made) in cases {
            let found = alternatives(word);
            assert_eq!(found.join(" "), made, "{word}");
        }
        assert_eq!(alternatives("{1..100000}"), ["{1..100000}"]);
        assert_eq!(alternatives("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}").len(), 1);
    }
}
