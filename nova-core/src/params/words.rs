//! serde's messages in words that a client understands, who knows neither Rust nor the app's types.

/// A message quotes what the client sent; one that is longer, in bytes, is cut in the middle.
const LONGEST: usize = 240;

/// What serde expects, at the end of a message, and what a client would call it.
const EXPECTED: [(&str, &str); 18] = [
    ("u8", "an integer from 0 to 255"),
    ("u16", "an integer from 0 to 65535"),
    ("u32", "an integer from 0 to 4294967295"),
    ("u64", "an integer from 0 up"),
    ("u128", "an integer from 0 up"),
    ("usize", "an integer from 0 up"),
    ("i8", "an integer from -128 to 127"),
    ("i16", "an integer from -32768 to 32767"),
    ("i32", "an integer from -2147483648 to 2147483647"),
    ("i64", "an integer"),
    ("i128", "an integer"),
    ("isize", "an integer"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a sequence", "an array"),
    ("a map", "an object"),
    ("string or map", "a string or an object"),
];

/// What the standard library says of text that is no number.
const PARSED: [(&str, &str); 6] = [
    ("invalid digit found in string", "it is no integer"),
    (
        "cannot parse integer from empty string",
        "it is empty, and no integer",
    ),
    (
        "number too large to fit in target type",
        "the number is too large",
    ),
    (
        "number too small to fit in target type",
        "the number is too small",
    ),
    ("invalid float literal", "it is no number"),
    (
        "cannot parse float from empty string",
        "it is empty, and no number",
    ),
];

/// What comes before the name of a type of the app's.
const TYPES: [&str; 3] = [
    "struct ",
    "internally tagged enum ",
    "adjacently tagged enum ",
];

pub(super) fn plain(message: &str) -> String {
    if let Some((_, words)) = PARSED.iter().find(|(parsed, _)| *parsed == message) {
        return (*words).to_owned();
    }
    let (message, _) = message
        .split_once(" of untagged enum ")
        .unwrap_or((message, ""));
    let mut message = match message.rsplit_once("expected ") {
        Some((before, expected)) => format!("{before}expected {}", thing(expected)),
        None => message.to_owned(),
    };
    if message.len() > LONGEST {
        let start = message.floor_char_boundary(LONGEST - LONGEST / 3);
        let end = message.ceil_char_boundary(message.len() - LONGEST / 3);
        message.replace_range(start..end, "…");
    }
    message
}

/// A message of serde_json's may have a place in the text behind what is expected.
fn thing(expected: &str) -> String {
    let (thing, place) = match expected.find(" at line ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    let known = EXPECTED.iter().find(|(serde, _)| *serde == thing);
    let (words, rest) = match (
        known,
        TYPES.iter().find_map(|kind| thing.strip_prefix(kind)),
    ) {
        (Some((_, words)), _) => (*words, ""),
        (None, Some(named)) => ("an object", named.find(' ').map_or("", |end| &named[end..])),
        (None, None) => (thing, ""),
    };
    format!("{words}{rest}{place}")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_type_of_rust_or_of_the_app_is_named() {
        for (serde, words) in [
            (
                "invalid type: map, expected i64",
                "invalid type: map, expected an integer",
            ),
            (
                "invalid value: integer `300`, expected u8 at line 1 column 4",
                "invalid value: integer `300`, expected an integer from 0 to 255 at line 1 column 4",
            ),
            (
                "invalid length 1, expected struct Order with 2 elements",
                "invalid length 1, expected an object with 2 elements",
            ),
            (
                "data did not match any variant of untagged enum Shape",
                "data did not match any variant",
            ),
            ("invalid digit found in string", "it is no integer"),
            ("it has 13 digits", "it has 13 digits"),
        ] {
            assert_eq!(plain(serde), words);
        }
    }
}
