//! Lists of folders.

use std::fs;

use nova_core::testing::TestClient;
use serde_json::Value;

use super::{Site, age};

fn client(site: &Site) -> TestClient {
    site.client(|files| files.list_dir(true))
}

async fn names(client: &TestClient, path: &str) -> Vec<String> {
    let response = client.get(path).header("accept", "application/json").await;
    let listing: Value = response.json();
    let entries = listing["entries"].as_array().unwrap();
    let names = entries
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn a_list_has_folders_first_and_each_kind_by_name() {
    let site = Site::new();
    for name in ["b.txt", "A.txt", "Zoo/x", "a.txt", "c.txt"] {
        site.write(name, "");
    }
    let listed = names(&client(&site), "/assets/").await;
    let expected = [
        "sub",
        "Zoo",
        "A.txt",
        "a.txt",
        "b.txt",
        "c.txt",
        "notes.txt",
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_page_has_names_sizes_times_and_the_way_up_and_nothing_from_elsewhere() {
    let site = Site::new();
    age(&site.path("sub/deep.txt"));
    let client = client(&site);
    let response = client.get("/assets/sub/").await;
    let page = response.text();

    assert_eq!(response.status(), 200);
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let modified = fs::metadata(site.path("sub/deep.txt"))
        .unwrap()
        .modified()
        .unwrap();
    let modified = humantime::format_rfc3339_seconds(modified).to_string();
    for shown in [
        "<title>Listing of &#x2f;assets&#x2f;sub&#x2f;</title>",
        "<a href=\"../\">",
        "<a href=\".&#x2f;deep.txt\">deep.txt</a>",
        "<td class=\"size\">4</td>",
        &modified,
    ] {
        assert!(page.contains(shown), "no `{shown}` in {page}");
    }
    for outside in ["<script", "src=", "http://", "https://", "url("] {
        assert!(!page.contains(outside), "`{outside}` in {page}");
    }
    let top = client.get("/assets/").await;
    assert!(!top.text().contains("../"), "{}", top.text());
    assert!(
        top.text().contains("<a href=\".&#x2f;sub&#x2f;\">sub/</a>"),
        "{}",
        top.text()
    );
}

#[tokio::test]
async fn names_are_escaped_and_their_links_lead_to_them() {
    let site = Site::new();
    let odd = [
        "<b>&\"'.txt",
        "a b.txt",
        "java:script.txt",
        "é#?.txt",
        "100%.txt",
        "line\nbreak",
    ];
    for name in odd {
        site.write(name, name);
    }
    let client = client(&site);
    let page = client.get("/assets/").await;
    assert!(!page.text().contains("<b>"), "{}", page.text());
    assert!(page.text().contains("&lt;b&gt;&amp;"), "{}", page.text());

    let response = client
        .get("/assets/")
        .header("accept", "application/json")
        .await;
    let listing: Value = response.json();
    let mut followed = 0;
    for entry in listing["entries"].as_array().unwrap() {
        let (name, href) = (
            entry["name"].as_str().unwrap(),
            entry["href"].as_str().unwrap(),
        );
        if odd.contains(&name) {
            let path = format!("/assets/{}", href.strip_prefix("./").unwrap());
            assert_eq!(client.get(&path).await.text(), name, "{path}");
            followed += 1;
        }
    }
    assert_eq!(followed, odd.len());
}

#[tokio::test]
async fn programs_get_json_and_all_others_the_page() {
    let site = Site::new();
    let client = client(&site);
    for (accept, expected) in [
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        (
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
        ("*/*", "text/html; charset=utf-8"),
        ("image/png", "text/html; charset=utf-8"),
    ] {
        let response = client.get("/assets/").header("accept", accept).await;
        assert_eq!(response.header("content-type"), Some(expected), "{accept}");
        assert_eq!(response.header("vary"), Some("accept"), "{accept}");
    }
    let response = client
        .get("/assets/sub/")
        .header("accept", "application/json")
        .await;
    let listing: Value = response.json();
    assert_eq!(listing["path"], "/assets/sub/");
    assert_eq!(listing["has_parent"], true);
    assert_eq!(listing["complete"], true);
    assert_eq!(listing["entries"][0]["kind"], "file");
    assert_eq!(listing["entries"][0]["size"], 4);
    assert_eq!(listing["entries"][0]["href"], "./deep.txt");
}

#[tokio::test]
async fn a_head_of_a_list_has_its_length_and_no_body() {
    let site = Site::new();
    let client = client(&site);
    let length = client.get("/assets/").await.body().len().to_string();
    let head = client.request("HEAD", "/assets/").await;
    assert_eq!(head.header("content-length"), Some(&*length));
    assert_eq!(head.text(), "");
}

#[cfg(unix)]
#[tokio::test]
async fn what_could_not_be_fetched_is_not_listed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let site = Site::new();
    site.write(".env", "x");
    site.write("back\\slash", "x");
    fs::write(site.public().join(OsStr::from_bytes(b"\xff.txt")), "x").unwrap();
    super::link("../secret.txt", site.path("outside.txt"));
    super::link("..", site.path("up"));
    super::link(".env", site.path("hidden.txt"));
    super::link("nothing", site.path("broken"));
    super::link("loop", site.path("loop"));
    super::link("sub", site.path("inside"));
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status();
    assert!(made.unwrap().success());

    assert_eq!(
        names(&client(&site), "/assets/").await,
        ["inside", "sub", "notes.txt"]
    );

    let open = site.client(|files| files.list_dir(true).follow_links(true));
    let listed = names(&open, "/assets/").await;
    assert_eq!(
        listed,
        [
            "inside",
            "sub",
            "up",
            "hidden.txt",
            "notes.txt",
            "outside.txt"
        ]
    );
}

#[tokio::test]
async fn a_folder_with_very_much_in_it_is_listed_in_part() {
    let site = Site::new();
    fs::create_dir(site.path("many")).unwrap();
    for number in 0..10_001 {
        fs::File::create(site.path(&format!("many/{number}"))).unwrap();
    }
    let client = client(&site);
    let response = client
        .get("/assets/many/")
        .header("accept", "application/json")
        .await;
    let listing: Value = response.json();
    assert_eq!(listing["entries"].as_array().unwrap().len(), 10_000);
    assert_eq!(listing["complete"], false);
    let page = client.get("/assets/many/").await;
    assert!(page.text().contains("these are 10000 of them"));
}
