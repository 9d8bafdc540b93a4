//! Which compression a client likes best, by its `Accept-Encoding` (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::Algorithm;

/// The one of `offered` with the highest weight, the first of equals; `None` if the client takes none
/// of them, says nothing, or likes the bare bytes better.
pub(super) fn best(offered: &[Algorithm], headers: &HeaderMap) -> Option<Algorithm> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let accepted: Vec<(String, u16)> = lines
        .flat_map(|line| line.split(','))
        .filter_map(element)
        .collect();
    let weight = |name: &str| {
        let named = |wanted: &str| accepted.iter().find(|(name, _)| name == wanted);
        named(name).map(|(_, weight)| *weight)
    };
    let other = weight("*").unwrap_or(0);
    let bare = weight("identity").unwrap_or(0);
    let weighed = offered.iter().map(|algorithm| {
        let weight = weight(algorithm.name()).unwrap_or(other);
        (weight, *algorithm)
    });
    // The first of equals: `max_by_key` would give the last.
    let best = weighed.rev().max_by_key(|(weight, _)| *weight);
    best.filter(|(weight, _)| *weight > 0 && *weight >= bare)
        .map(|(_, algorithm)| algorithm)
}

/// `gzip;q=0.8`, with the weight in thousandths; `None` for what is malformed.
fn element(element: &str) -> Option<(String, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => {
            let (key, value) = parameter.split_once('=')?;
            let weight: f32 = value.trim().parse().ok()?;
            let is_weight = key.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&weight);
            is_weight.then_some((weight * 1000.0) as u16)?
        }
    };
    // RFC 9110 §8.4.1.3.
    let name = if name == "x-gzip" {
        "gzip".to_owned()
    } else {
        name
    };
    (!name.is_empty()).then_some((name, weight))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn chosen(lines: &[&'static str]) -> Option<Algorithm> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        best(&[Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip], &headers)
    }

    #[test]
    fn the_heaviest_is_chosen_and_of_equals_the_first_offered() {
        for (lines, expected) in [
            (&["gzip"][..], Some(Algorithm::Gzip)),
            (&["gzip, deflate, br, zstd"], Some(Algorithm::Zstd)),
            (&["gzip, br"], Some(Algorithm::Br)),
            (&["gzip;q=1.0, br;q=0.9"], Some(Algorithm::Gzip)),
            (&["GZIP; Q=0.5", "br;q=0.4"], Some(Algorithm::Gzip)),
            (&["x-gzip"], Some(Algorithm::Gzip)),
            (&["*"], Some(Algorithm::Zstd)),
            (&["zstd;q=0, *;q=0.1"], Some(Algorithm::Br)),
            (&["identity, gzip"], Some(Algorithm::Gzip)),
            (&["identity;q=0, gzip;q=0.001"], Some(Algorithm::Gzip)),
            (&["identity;q=1, gzip;q=0.5"], None),
            (&["gzip;q=0"], None),
            (&["*;q=0"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=x"], None),
            (&["gzip;level=1"], None),
            (&["deflate, identity"], None),
            (&["", ","], None),
            (&[], None),
        ] {
            assert_eq!(chosen(lines), expected, "{lines:?}");
        }
    }
}
