//! What is said of input that is well-formed, and yet not what the controller wants.

use std::collections::BTreeMap;
use std::fmt::Debug;

use nova_core::{Error, testing};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Debug, Deserialize, PartialEq)]
struct Order {
    title: String,
    items: Vec<Item>,
    paid: Option<bool>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    count: u8,
    colour: Colour,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Green,
}

async fn json<T: DeserializeOwned>(text: impl Into<String>) -> Result<T, Error> {
    let request = testing::request("POST", "/").body(text.into());
    request.build().json().await
}

async fn form<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let request = testing::request("POST", "/").body(text.to_owned());
    request.build().form().await
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    testing::request("GET", &format!("/?{text}"))
        .build()
        .query()
}

/// The paths of a 422, and what is said of each.
fn wrong<T: Debug>(read: Result<T, Error>) -> Vec<(String, String)> {
    let error = read.expect_err("something is wrong");
    assert_eq!(error.status(), 422, "{error}");
    let fields = error.fields().iter();
    fields
        .map(|field| (field.path.clone(), field.message.clone()))
        .collect()
}

fn paths<T: Debug>(read: Result<T, Error>) -> Vec<String> {
    wrong(read).into_iter().map(|(path, _)| path).collect()
}

#[tokio::test]
async fn each_wrong_field_of_json_is_named_by_its_path() {
    let text = r#"{
        "title": 1,
        "items": [
            { "count": "x", "colour": "red" },
            { "count": 1, "colour": "blue" },
            { "colour": null },
            7
        ],
        "paid": "yes"
    }"#;

    let mut wrong = wrong(json::<Order>(text).await);

    wrong.sort();
    let wrong: Vec<_> = wrong
        .iter()
        .map(|(path, said)| (&**path, &**said))
        .collect();
    assert_eq!(
        wrong,
        [
            (
                "items[0].count",
                "invalid type: string \"x\", expected an integer from 0 to 255"
            ),
            (
                "items[1].colour",
                "unknown variant `blue`, expected `red` or `green`"
            ),
            (
                "items[2].colour",
                "invalid type: null, expected a string or an object"
            ),
            ("items[2].count", "missing"),
            ("items[3]", "invalid type: integer `7`, expected an object"),
            (
                "paid",
                "invalid type: string \"yes\", expected true or false"
            ),
            ("title", "invalid type: integer `1`, expected a string"),
        ]
    );
}

#[tokio::test]
async fn the_detail_is_a_sentence_about_all_of_them() {
    let one = json::<Order>(r#"{"title":1,"items":[]}"#)
        .await
        .unwrap_err();
    let two = json::<Order>(r#"{"items":[],"paid":1}"#).await.unwrap_err();

    let said = "`title`: invalid type: integer `1`, expected a string";
    assert_eq!(one.detail(), Some(said));
    let said = "`paid`: invalid type: integer `1`, expected true or false; `title`: missing";
    assert_eq!(two.detail(), Some(said));
}

#[tokio::test]
async fn an_input_that_is_wrong_as_a_whole_has_no_fields() {
    let error = json::<Order>("7").await.unwrap_err();

    assert_eq!(error.status(), 422);
    assert_eq!(
        error.detail(),
        Some("invalid type: integer `7`, expected an object")
    );
    assert_eq!(error.fields(), []);
}

#[tokio::test]
async fn of_a_key_that_stands_in_json_twice_the_last_one_counts() {
    let text = r#"{"count":1,"colour":"red","count":"x","count":3}"#;
    let item = json::<Item>(text).await.unwrap();
    assert_eq!(
        item,
        Item {
            count: 3,
            colour: Colour::Red
        }
    );

    let text = r#"{"count":1,"count":"x","colour":"red"}"#;
    assert_eq!(paths(json::<Item>(text).await), ["count"]);
}

#[tokio::test]
async fn keys_that_a_type_denies_are_all_named() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Strict {
        title: String,
    }
    let text = r#"{"title":"a","titel":"b","x":{"y":1}}"#;

    let wrong = wrong(json::<Strict>(text).await);

    let said = "unknown field `titel`, expected `title`";
    assert_eq!(wrong[0], ("titel".to_owned(), said.to_owned()));
    assert_eq!(wrong[1].0, "x");
    assert_eq!(wrong.len(), 2);
}

#[tokio::test]
async fn a_field_with_rules_of_its_own_does_not_hide_those_behind_it() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Isbn;
    impl TryFrom<String> for Isbn {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            match text.len() {
                13 => Ok(Isbn),
                _ => Err("it has 13 digits".to_owned()),
            }
        }
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Book {
        isbn: Isbn,
        pages: u32,
    }
    let text = r#"[{"isbn":"1","pages":"x"},{"isbn":"2","pages":-1}]"#;

    let wrong = wrong(json::<Vec<Book>>(text).await);

    let isbn = ("[0].isbn".to_owned(), "it has 13 digits".to_owned());
    assert!(wrong.contains(&isbn), "{wrong:?}");
    assert!(
        wrong.iter().any(|(path, _)| path == "[0].pages"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn nothing_is_said_of_what_the_search_itself_has_put_in() {
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[expect(dead_code, reason = "only decoding is tested")]
    enum Shape {
        Circle { radius: f64 },
        Square { side: f64 },
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Paging {
        page: u32,
        size: u32,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Drawing {
        shapes: Vec<Shape>,
        #[serde(flatten)]
        paging: Paging,
        pair: (u8, u8),
        codes: BTreeMap<u8, [char; 2]>,
    }
    let right = r#"{"shapes":[{"kind":"circle","radius":1}],"page":1,"size":2,
        "pair":[1,2],"codes":{"1":["a","b"]}}"#;
    json::<Drawing>(right).await.unwrap();

    for (text, expected) in [
        (right.replace("1}]", "\"x\"}]"), "shapes[0]"),
        (right.replace("circle", "oval"), "shapes[0]"),
        (right.replace("\"radius\":1", ""), "shapes[0]"),
        (right.replace("\"page\":1,", ""), "page"),
        (right.replace("[1,2]", "[1]"), "pair"),
        (right.replace("[1,2]", "[1,\"x\"]"), "pair[1]"),
        (right.replace("[\"a\",", "["), "codes"),
    ] {
        let text = text.replace("\"circle\",}", "\"circle\"}");
        let wrong = wrong(json::<Drawing>(&*text).await);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
        assert!(wrong[0].0.starts_with(expected), "{text}: {wrong:?}");
    }
}

#[tokio::test]
async fn sixteen_wrong_fields_are_told_and_long_values_are_cut() {
    let values = vec![format!("\"{}\"", "ä".repeat(500)); 40].join(",");

    let wrong = wrong(json::<Vec<u8>>(format!("[{values}]")).await);

    assert_eq!(wrong.len(), 16);
    assert!(wrong[15].1.len() < 300, "{}", wrong[15].1);
    assert!(
        wrong[15].1.ends_with("expected an integer from 0 to 255"),
        "{}",
        wrong[15].1
    );
}

#[tokio::test]
async fn of_a_long_body_the_first_wrong_field_is_told() {
    let blank = " ".repeat(64 * 1024);

    let wrong = wrong(json::<Item>(format!(r#"{{"count":"x","colour":1{blank}}}"#)).await);

    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].0, "count");
}

#[derive(Debug, Deserialize, PartialEq)]
struct Search {
    word: String,
    page: u32,
    #[serde(default)]
    tags: Vec<u8>,
    #[serde(default)]
    exact: bool,
    colour: Option<Colour>,
}

#[tokio::test]
async fn each_wrong_field_of_a_form_or_a_query_is_named() {
    let text = "page=x&tags=1&tags=y&exact=perhaps&colour=blue";

    for wrong in [
        wrong(form::<Search>(text).await),
        wrong(query::<Search>(text)),
    ] {
        let wrong: Vec<_> = wrong
            .iter()
            .map(|(path, said)| (&**path, &**said))
            .collect();
        assert_eq!(
            wrong,
            [
                ("page", "it is no integer"),
                ("tags[1]", "it is no integer"),
                (
                    "exact",
                    "invalid value: string \"perhaps\", expected \"true\", \"on\" or \"false\""
                ),
                (
                    "colour",
                    "unknown variant `blue`, expected `red` or `green`"
                ),
                ("word", "missing"),
            ]
        );
    }
}

#[tokio::test]
async fn of_a_key_that_stands_in_a_form_twice_the_last_one_counts() {
    let text = "page=1&word=a&page=x&word=b%26&page=3&tags=1&tags=2";
    let search: Search = form(text).await.unwrap();
    assert_eq!(
        (&*search.word, search.page, search.tags),
        ("b&", 3, vec![1, 2])
    );

    assert_eq!(
        paths(form::<Search>("page=1&page=x&word=a").await),
        ["page"]
    );
}

#[tokio::test]
async fn a_form_is_read_whatever_its_type_says_but_not_in_parts() {
    let request = |content_type| {
        let request = testing::request("POST", "/").header("content-type", content_type);
        request.body("page=1&word=a").build()
    };

    let read = request("text/plain").form::<Search>().await;
    assert_eq!(read.unwrap().page, 1);
    let read = request("multipart/form-data; boundary=x")
        .form::<Search>()
        .await;
    assert_eq!(read.unwrap_err().status(), 415);
}

#[test]
fn a_key_without_a_value_is_true_where_that_is_wanted() {
    let search: Search = query("exact&page=1&word").unwrap();
    assert_eq!((search.exact, &*search.word), (true, ""));

    assert_eq!(paths(query::<Search>("exact=&page=1&word=a")), ["exact"]);
}

#[tokio::test]
async fn a_form_may_have_many_keys() {
    let text: Vec<_> = (0..5_000)
        .map(|number| format!("k{number}={number}"))
        .collect();
    let all: BTreeMap<String, u32> = form(&text.join("&")).await.unwrap();
    assert_eq!(all.len(), 5_000);

    let all: BTreeMap<String, u32> = query(&text[..500].join("&")).unwrap();
    assert_eq!(all.len(), 500);
}
