//! The book in `docs`, without mdBook: nothing in it leads nowhere, no code in it is typed in by
//! hand, and what the page of settings shows is what happens.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::path::{Path, PathBuf};

use nova_core::App;
use nova_examples::notes::{self, Database, Settings};

const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src");
const INCLUDE: &str = "{{#include ";
/// Their code comes from files that are compiled and tested.
const CODE: [&str; 3] = ["rust", "toml", "js"];
/// What a reader types, and what a program says.
const OTHER: [&str; 2] = ["sh", "text"];

/// What stands between `open` and the next `close`, wherever that is in `text`.
fn between<'t>(text: &'t str, open: &str, close: &str) -> Vec<&'t str> {
    let after = text.split(open).skip(1);
    after
        .filter_map(|rest| Some(rest.split_once(close)?.0))
        .collect()
}

/// The path from `page` to `target`.
fn beside(page: &Path, target: &str) -> PathBuf {
    page.parent().unwrap().join(target)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The pages that the table of contents lists; drafts have none.
fn pages() -> Vec<PathBuf> {
    let summary = Path::new(BOOK).join("SUMMARY.md");
    let text = read(&summary);
    let targets = between(&text, "](", ")").into_iter();
    let pages: Vec<_> = targets
        .filter(|target| !target.is_empty())
        .map(|target| beside(&summary, target))
        .collect();
    assert!(pages.len() > 3, "{pages:?}");
    pages
}

/// All files of the book that are text.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let paths = entries.map(|entry| entry.path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    });
    files
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
        .collect()
}

/// What an include, such as `file.rs:anchor`, puts in its place.
fn included(page: &Path, include: &str) -> String {
    let (file, anchor) = match include.split_once(':') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (include, None),
    };
    let text = read(&beside(page, file));
    let is = |line: &str, mark: &str| {
        let name = line.split_once(mark).map(|(_, name)| name.trim());
        name.is_some() && name == anchor
    };
    let lines: Vec<_> = match anchor {
        None => text.lines().collect(),
        Some(_) => {
            let at = |mark| text.lines().position(|line| is(line, mark));
            let (start, end) = (at("ANCHOR: "), at("ANCHOR_END: "));
            let (Some(start), Some(end)) = (start, end) else {
                panic!("{include} in {}: no such anchor", page.display());
            };
            text.lines().take(end).skip(start + 1).collect()
        }
    };
    let shown = lines.join("\n");
    assert!(
        !shown.trim().is_empty(),
        "{include} in {} is empty",
        page.display()
    );
    shown
}

/// A page as a reader has it.
fn expanded(page: &Path) -> String {
    let mut text = read(page);
    for include in between(&text.clone(), INCLUDE, "}}") {
        let whole = format!("{INCLUDE}{include}}}}}");
        text = text.replace(&whole, &included(page, include));
    }
    text
}

/// The language and the content of each block of code.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let line = line.trim_start();
        assert!(!line.starts_with("~~~"), "a block is fenced with ```");
        match line.strip_prefix("```") {
            Some(language) if !open => blocks.push((language.to_owned(), String::new())),
            Some(_) => {}
            None if open => blocks.last_mut().unwrap().1 += &format!("{line}\n"),
            None => continue,
        }
        open ^= line.starts_with("```");
    }
    assert!(!open, "a block does not end");
    blocks
}

/// The text without its blocks and spans of code.
fn prose(text: &str) -> String {
    let mut outside = String::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 0 {
            outside.extend(part.split('`').step_by(2));
        }
    }
    outside
}

#[test]
fn every_page_is_in_the_table_of_contents_and_is_there() {
    let mut listed = pages();
    listed.push(Path::new(BOOK).join("SUMMARY.md"));
    listed.sort();
    let mut there = files(Path::new(BOOK));
    there.sort();
    assert_eq!(there, listed);
}

#[test]
fn every_decision_is_in_the_book() {
    let names = |folder: PathBuf| {
        let mut names: Vec<_> = files(&folder)
            .iter()
            .map(|file| file.file_name().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let book = Path::new(BOOK);
    assert_eq!(names(book.join("design")), names(book.join("../design")));
    for page in files(&book.join("design")) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let include = format!("{INCLUDE}../../design/{name}}}}}\n");
        assert_eq!(read(&page), include, "{name}");
    }
}

#[test]
fn all_code_is_included_from_files() {
    for page in pages() {
        for (language, block) in blocks(&read(&page)) {
            let is_include = block.starts_with(INCLUDE) && block.trim_end().ends_with("}}");
            let is_alone = block.lines().count() == 1;
            match &*language {
                code if CODE.contains(&code) => assert!(
                    is_include && is_alone,
                    "{}: a pasted block:\n{block}",
                    page.display()
                ),
                other => assert!(
                    OTHER.contains(&other),
                    "{}: a block of `{other}`:\n{block}",
                    page.display()
                ),
            }
        }
    }
}

#[test]
fn every_include_finds_something() {
    let mut includes = 0;
    for page in pages() {
        let text = read(&page);
        for include in between(&text, INCLUDE, "}}") {
            let shown = included(&page, include);
            assert!(!shown.contains(INCLUDE), "{include} includes more");
            includes += 1;
        }
        assert_eq!(
            text.matches("{{#").count(),
            text.matches(INCLUDE).count(),
            "{}: something else than an include",
            page.display()
        );
    }
    assert!(includes > 20, "{includes} includes");
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    for page in pages() {
        let text = prose(&expanded(&page));
        for target in between(&text, "](", ")") {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let path = beside(&page, file).canonicalize();
            let path = path.unwrap_or_else(|error| panic!("{}: {file}: {error}", page.display()));
            let book = Path::new(BOOK).canonicalize().unwrap();
            // mdBook copies nothing else.
            assert!(path.starts_with(book), "{}: {file}", page.display());
        }
    }
}

#[test]
fn the_settings_page_shows_the_file_of_defaults() {
    let page = expanded(&Path::new(BOOK).join("reference/nova-toml.md"));
    let defaults = include_str!("../../nova-core/src/config/default.toml").trim_end();
    assert!(page.contains(&format!("```toml\n{defaults}\n```")));
}

#[tokio::test]
async fn the_settings_page_shows_what_is_told_of_mistakes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/book/mistakes.toml");
    let mut app = App::builder().config_file(file);
    app.settings::<Settings>();
    let told = app.build().unwrap_err().to_string();

    let told = told.replace("tests/book/mistakes.toml", "nova.toml");
    assert_eq!(told, include_str!("book/mistakes.txt").trim_end());
}

#[tokio::test]
#[cfg(debug_assertions)] // or else it runs in `prod`
async fn the_settings_page_shows_where_the_settings_of_the_notes_app_come_from() {
    let database = Database::new("sqlite::memory:").unwrap();
    let app = notes::builder(notes::ROOT, &database).build().unwrap();
    let shown: Vec<_> = include_str!("book/settings.txt").lines().collect();
    for (key, value, origin) in app.config().in_force() {
        // In the page, a variable says where to listen.
        if !origin.is_default() && key != "server.listen" {
            let line = format!("DEBUG {key} = {value} (nova-examples/{origin})");
            assert!(shown.contains(&&*line), "{line}");
        }
    }
}
