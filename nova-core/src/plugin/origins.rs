//! Origins (RFC 6454 §6.2) in the options of plugins: compared as text, and so written as browsers
//! write them.

/// What is wrong with the first of `origins` that is none; `option` is where they stand.
pub(super) fn check(option: &str, origins: &[String]) -> Result<(), String> {
    let wrong = origins.iter().find(|origin| !is_origin(origin));
    wrong.map_or(Ok(()), |wrong| {
        Err(format!(
            "`{wrong}` in `{option}` is no origin: it is a scheme and a host, such as \
             `https://example.com`, in lower case, without a slash at the end, and with a port only \
             where it is not the usual one"
        ))
    })
}

/// Whether a browser may send that as an `Origin`. `null` stands for all that have none.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let is_scheme = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.');
    let is_host = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']');
    let has_usual_port = match scheme {
        "http" => host.ends_with(":80"),
        "https" => host.ends_with(":443"),
        _ => false,
    };
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme)
        && !host.is_empty()
        && host.bytes().all(is_host)
        && !has_usual_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for origin in [
            "https://example.com",
            "http://localhost:3000",
            "http://[::1]:3000",
            "capacitor://localhost",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for none in [
            "",
            "null",
            "*",
            "example.com",
            "https://",
            "https://example.com/",
            "https://Example.com",
            "https://example.com:443",
            "http://example.com:80",
            "https://*.example.com",
            "https://user@example.com",
        ] {
            assert!(!is_origin(none), "{none}");
        }
    }
}
