//! Requests in somebody else's name: sessions that were planted, and other sites' pages.

use crate::app::App;
use crate::routes::{ALICE, FORM, JSON};

/// Of a page with a form: the session's cookie, and the token.
fn form(app: &App, headers: &[&str]) -> (Option<String>, String) {
    let answer = app.get("/form", headers);
    assert_eq!(answer.status, 200);
    let page = answer.text();
    let (_, token) = page.split_once("name=\"_csrf_token\" value=\"").unwrap();
    let token = token.split('"').next().unwrap().to_owned();
    let cookie = answer.header("set-cookie").map(|_| answer.cookie());
    (cookie, token)
}

#[test]
fn the_cookie_is_hidden_from_scripts_and_other_sites() {
    let answer = App::start().post("/login", &[FORM], ALICE);
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[test]
fn an_id_of_the_client_s_own_is_never_adopted() {
    let app = App::start();
    for id in [
        "planted",
        "",
        "../../etc/passwd",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &"a".repeat(10_000),
    ] {
        let planted = format!("cookie: session_id={id}");
        assert_eq!(app.get("/whoami", &[&planted]).status, 401);
        let login = app.post("/login", &[FORM, &planted], ALICE);
        assert_ne!(login.cookie(), planted);
        assert_eq!(app.get("/whoami", &[&planted]).status, 401, "{id}");
    }
}

#[test]
fn an_id_from_before_the_login_is_worth_nothing_after_it() {
    let app = App::start();
    let (cookie, _) = form(&app, &[]);
    let before = cookie.unwrap();
    let after = app.post("/login", &[FORM, &before], ALICE).cookie();
    assert_ne!(before, after);
    assert_eq!(app.get("/whoami", &[&before]).status, 401);
    assert_eq!(app.get("/whoami", &[&after]).text(), "alice");
    // Nor is that of one login after the next.
    let again = app.post("/login", &[FORM, &after], "username=bob&password=builder");
    assert_eq!(app.get("/whoami", &[&after]).status, 401);
    assert_eq!(app.get("/whoami", &[&again.cookie()]).text(), "bob");
}

#[test]
fn a_cookie_with_one_character_changed_is_nobody_s() {
    let app = App::start();
    let cookie = app.post("/login", &[FORM], ALICE).cookie();
    let start = "cookie: session_id=".len();
    for at in [start, start + 20, cookie.len() - 2] {
        let mut bytes = cookie.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(app.get("/whoami", &[&changed]).status, 401, "{changed}");
    }
    let twice = format!("{cookie}; session_id=planted");
    assert!([200, 401].contains(&app.get("/whoami", &[&twice]).status));
}

#[test]
fn a_form_is_accepted_with_the_token_of_its_session_only() {
    let app = App::start();
    let (cookie, token) = form(&app, &[]);
    let cookie = cookie.unwrap();
    let (other_cookie, other_token) = form(&app, &[]);
    let own = format!("origin: http://{}", app.address());
    let post = |headers: &[&str], token: &str| {
        let headers = [&[FORM], headers].concat();
        app.post("/form", &headers, format!("word=a&_csrf_token={token}"))
            .status
    };
    assert_eq!(post(&[&cookie], &token), 200);
    assert_eq!(post(&[&cookie, &own], &token), 200);
    assert_eq!(post(&[&cookie, "sec-fetch-site: same-origin"], &token), 200);

    assert_eq!(app.post("/form", &[FORM, &cookie], "word=a").status, 403);
    assert_eq!(
        app.post("/form", &[FORM, &cookie, &own], "word=a").status,
        403
    );
    let fetched = "sec-fetch-site: same-origin";
    assert_eq!(app.post("/form", &[FORM, &cookie, fetched], "").status, 403);
    assert_eq!(app.post("/form", &[JSON, &cookie, &own], "{}").status, 403);
    assert_eq!(post(&[&cookie], ""), 403);
    assert_eq!(post(&[&cookie], &other_token), 403);
    assert_eq!(post(&[&other_cookie.unwrap()], &token), 403);
    assert_eq!(post(&[], &token), 403);
    assert_eq!(post(&[&cookie], &token[1..]), 403);
}

#[test]
fn another_site_s_page_changes_nothing() {
    let app = App::start();
    let cookie = app.post("/login", &[FORM], ALICE).cookie();
    let (_, token) = form(&app, &[&cookie]);
    for foreign in [
        "origin: https://evil.example",
        "origin: null",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
    ] {
        let headers = [FORM, &cookie, foreign];
        let body = format!("_csrf_token={token}");
        assert_eq!(app.post("/form", &headers, body).status, 403, "{foreign}");
        assert_eq!(app.post("/logout", &headers, "").status, 403, "{foreign}");
        assert_eq!(app.post("/login", &headers, ALICE).status, 403, "{foreign}");
    }
    assert_eq!(app.get("/whoami", &[&cookie]).text(), "alice");
    assert_eq!(app.get("/logout", &[&cookie]).status, 405);
}
