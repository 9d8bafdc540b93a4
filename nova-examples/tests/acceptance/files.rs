//! Static files: nothing outside the folder, and conditions and ranges by the book.

use std::os::unix::fs::symlink;

use crate::app::{Answer, App};

const TEXT: &str = "0123456789abcdefghij";

fn app() -> App {
    let app = App::start();
    app.file("a.txt", TEXT);
    app.file("sub/b.txt", "b");
    app.file(".hidden", "SECRET");
    app.file("sub/.git/config", "SECRET");
    std::fs::write(app.folder().join("secret.txt"), "SECRET").unwrap();
    std::fs::create_dir(app.folder().join("public-2")).unwrap();
    std::fs::write(app.folder().join("public-2/secret.txt"), "SECRET").unwrap();
    app
}

#[test]
fn no_spelling_of_a_path_leads_out_of_the_folder() {
    let app = app();
    let up = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "..%00",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%uff0e%uff0e",
        "..;",
        "..;/",
        ".. ",
        "..%20",
        "....",
        "%ef%bc%8e%ef%bc%8e",
        "..%0d%0a",
        ".%09.",
    ];
    let slash = [
        "/", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "%255c", "//", "/./",
    ];
    for up in up {
        for slash in slash {
            for path in [
                format!("/static/{up}{slash}secret.txt"),
                format!("/static{slash}{up}{slash}secret.txt"),
                format!("/static/sub{slash}{up}{slash}{up}{slash}secret.txt"),
                format!("/static/{up}{slash}public-2{slash}secret.txt"),
                format!("/static/x{slash}{up}{slash}{up}{slash}{up}{slash}etc{slash}passwd"),
            ] {
                stays_inside(&app, &path);
            }
        }
    }
    let absolute = app.folder().join("secret.txt");
    let absolute = absolute.to_str().unwrap();
    for path in [
        format!("/static/{absolute}"),
        format!("/static/%2f{}", &absolute[1..]),
        format!("/static/file:%2f%2f{absolute}"),
        "/static/a.txt/../../secret.txt".to_owned(),
        "/static/a.txt%00.html".to_owned(),
        "/static/../public-2/secret.txt".to_owned(),
        "/static/%00".to_owned(),
        "/static/.hidden".to_owned(),
        "/static/%2ehidden".to_owned(),
        "/static/sub/.git/config".to_owned(),
        "/static/sub/%2egit/config".to_owned(),
    ] {
        stays_inside(&app, &path);
    }
    assert!(app.is_well());
}

fn stays_inside(app: &App, path: &str) {
    let mut answer = app.get(path, &[]);
    if answer.status == 301 {
        let target = answer.header("location").unwrap().to_owned();
        assert!(target.starts_with("/static/"), "{path} -> {target}");
        answer = app.get(&target, &[]);
    }
    assert!(
        (400..500).contains(&answer.status),
        "{path}: {}",
        answer.head
    );
    assert!(!answer.text().contains("SECRET"), "{path}");
    assert!(!answer.text().contains("root:"), "{path}");
}

#[test]
fn a_target_in_absolute_form_leads_out_no_more_than_another() {
    let app = app();
    let authority = app.address().to_owned();
    stays_inside(&app, &format!("http://{authority}/static/../secret.txt"));
    let answer = app.get(&format!("http://{authority}/static/a.txt"), &[]);
    assert_eq!((answer.status, &*answer.text()), (200, TEXT));
}

#[test]
fn links_that_leave_the_folder_are_not_there() {
    let app = app();
    let public = app.folder().join("public");
    symlink("../secret.txt", public.join("out")).unwrap();
    symlink(app.folder(), public.join("folder")).unwrap();
    symlink("/etc/passwd", public.join("passwd")).unwrap();
    symlink("a.txt", public.join("in")).unwrap();
    symlink("loop", public.join("loop")).unwrap();
    for name in [
        "out",
        "folder/secret.txt",
        "passwd",
        "loop",
        "folder/public/a.txt",
    ] {
        assert_eq!(
            app.get(&format!("/static/{name}"), &[]).status,
            404,
            "{name}"
        );
    }
    assert_eq!(app.get("/static/in", &[]).text(), TEXT);
}

#[test]
fn names_of_any_length_and_depth_are_answered() {
    let app = app();
    for path in [
        "a".repeat(300),
        "a/".repeat(3000),
        "%41".repeat(2000),
        "/".repeat(5000),
    ] {
        let status = app.get(&format!("/static/{path}"), &[]).status;
        assert!((300..500).contains(&status), "{status} {}", &path[..20]);
    }
}

#[test]
fn ranges_are_answered_by_rfc_9110() {
    let app = app();
    for (range, status, content_range, body) in [
        ("bytes=0-0", 206, "bytes 0-0/20", "0"),
        ("bytes=5-9", 206, "bytes 5-9/20", "56789"),
        ("bytes=15-", 206, "bytes 15-19/20", "fghij"),
        ("bytes=-3", 206, "bytes 17-19/20", "hij"),
        ("bytes=-100", 206, "bytes 0-19/20", TEXT),
        (
            "bytes=10-99999999999999999999999",
            206,
            "bytes 10-19/20",
            "abcdefghij",
        ),
        ("bytes=0-4,3-8", 206, "bytes 0-8/20", "012345678"),
        ("lines=0-1", 200, "", TEXT),
        ("bytes=20-", 416, "bytes */20", ""),
        ("bytes=-0", 416, "bytes */20", ""),
        ("bytes=9-5", 416, "bytes */20", ""),
        ("bytes=a-b", 416, "bytes */20", ""),
        ("bytes=", 416, "bytes */20", ""),
    ] {
        let answer = app.get("/static/a.txt", &[&format!("range: {range}")]);
        assert_eq!(answer.status, status, "{range}");
        assert_eq!(answer.header("content-range").unwrap_or(""), content_range);
        if status != 416 {
            assert_eq!(answer.text(), body, "{range}");
        }
    }
}

#[test]
fn a_flood_of_ranges_is_one_refusal() {
    let app = app();
    let many: Vec<String> = (0..5000)
        .map(|n| format!("{}-{}", n % 20, n % 20))
        .collect();
    let range = format!("range: bytes={}", many.join(","));
    assert_eq!(app.get("/static/a.txt", &[&range]).status, 416);
    let two = ["range: bytes=0-1", "range: bytes=2-3"];
    assert_eq!(app.get("/static/a.txt", &two).text(), TEXT);
    let parts = app.get("/static/a.txt", &["range: bytes=0-1,10-11"]);
    assert_eq!(parts.status, 206);
    let kind = parts.header("content-type").unwrap();
    assert!(
        kind.starts_with("multipart/byteranges; boundary="),
        "{kind}"
    );
    assert!(parts.text().contains("content-range: bytes 10-11/20"));
}

#[test]
fn conditions_count_in_the_order_of_rfc_9110() {
    let app = app();
    let get = |headers: &[&str]| app.get("/static/a.txt", headers);
    let plain = get(&[]);
    let tag = plain.header("etag").unwrap().to_owned();
    let date = plain.header("last-modified").unwrap().to_owned();
    let status = |headers: &[String]| {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        get(&headers).status
    };
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (headers, expected) in [
        (vec![format!("if-none-match: {tag}")], 304),
        (vec![format!("if-none-match: W/{tag}")], 304),
        (vec![format!("if-none-match: \"x\", {tag}")], 304),
        (vec!["if-none-match: *".to_owned()], 304),
        (vec!["if-none-match: \"x\"".to_owned()], 200),
        (vec![format!("if-modified-since: {date}")], 304),
        (vec![format!("if-modified-since: {old}")], 200),
        (vec!["if-modified-since: nonsense".to_owned()], 200),
        (
            vec![
                "if-none-match: \"x\"".to_owned(),
                format!("if-modified-since: {date}"),
            ],
            200,
        ),
        (vec![format!("if-match: {tag}")], 200),
        (vec![format!("if-match: W/{tag}")], 412),
        (vec!["if-match: \"x\"".to_owned()], 412),
        (vec![format!("if-unmodified-since: {old}")], 412),
        (vec![format!("if-unmodified-since: {date}")], 200),
        (
            vec![
                format!("if-match: {tag}"),
                format!("if-unmodified-since: {old}"),
            ],
            200,
        ),
        (
            vec![
                "if-match: \"x\"".to_owned(),
                format!("if-none-match: {tag}"),
            ],
            412,
        ),
        (
            vec![format!("if-range: {tag}"), "range: bytes=0-1".to_owned()],
            206,
        ),
        (
            vec!["if-range: \"x\"".to_owned(), "range: bytes=0-1".to_owned()],
            200,
        ),
        (
            vec![format!("if-range: W/{tag}"), "range: bytes=0-1".to_owned()],
            200,
        ),
        (
            vec![
                format!("if-none-match: {tag}"),
                "range: bytes=0-1".to_owned(),
            ],
            304,
        ),
    ] {
        assert_eq!(status(&headers), expected, "{headers:?}");
    }
    let fresh: Answer = get(&[&format!("if-none-match: {tag}")]);
    assert!(fresh.body.is_empty());
    assert_eq!(fresh.header("etag"), Some(&*tag));
}
