//! The `Authorization` header, and the answers that ask for it.

use nova_core::testing::{self, TestClient};
use nova_core::{Access, App, Group, Request, Result, Security, constant_time_eq};

fn sent(values: &[&str]) -> Request {
    let request = testing::request("GET", "/");
    let request = values.iter().fold(request, |request, value| {
        request.header("authorization", value)
    });
    request.build()
}

#[test]
fn a_bearer_token_is_what_rfc_6750_calls_one() {
    for (value, token) in [
        ("Bearer abc", "abc"),
        ("bearer mF_9.B5f-4.1JqM~+/==", "mF_9.B5f-4.1JqM~+/=="),
        ("BEARER   a  ", "a"),
    ] {
        assert_eq!(sent(&[value]).bearer_token(), Some(token), "{value}");
        assert_eq!(sent(&[value]).basic_auth(), None, "{value}");
    }
    for none in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &["Bearer =="],
        &["Bearer a=b"],
        &["Bearer a b"],
        &["Bearer a,b"],
        &["Bearer\ta"],
        &["Bearerabc"],
        &["Bearer ü"],
        &["Basic YTpi"],
        &["Bearer a", "Bearer b"],
    ] {
        assert_eq!(sent(none).bearer_token(), None, "{none:?}");
    }
}

#[test]
fn name_and_password_are_what_rfc_7617_calls_them() {
    for (value, user, password) in [
        (
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Aladdin",
            "open sesame",
        ),
        ("basic dGVzdDoxMjPCow==", "test", "123£"),
        ("Basic YTpiOmM=", "a", "b:c"),
        ("Basic Og==", "", ""),
    ] {
        let auth = sent(&[value]).basic_auth().unwrap();
        assert_eq!((&*auth.user, auth.password.expose()), (user, password));
        assert_eq!(sent(&[value]).bearer_token(), None, "{value}");
    }
    for none in [
        &[][..],
        &["Basic"],
        &["Basic "],
        &["Basic %%%"],
        &["Basic YTpi YTpi"],
        &["Basic YQ=="],     // no colon
        &["Basic YTr/"],     // no UTF-8
        &["Basic YToAYg=="], // a control character
        &["Bearer YTpi"],
        &["Basic YTpi", "Basic YTpi"],
    ] {
        assert_eq!(sent(none).basic_auth(), None, "{none:?}");
    }
}

#[test]
fn a_password_is_not_printed() {
    let auth = sent(&["Basic YW5uOnNlY3JldA=="]).basic_auth().unwrap();
    let shown = format!("{auth:?}");
    assert!(
        shown.contains("ann") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn secrets_are_the_same_if_all_bytes_are() {
    assert!(constant_time_eq("", ""));
    assert!(constant_time_eq("token", b"token"));
    for other in ["", "t", "tokem", "Token", "token ", "tokentoken"] {
        assert!(!constant_time_eq("token", other), "{other}");
    }
}

struct Answers;

impl Security for Answers {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.uri().query() {
            Some("basic") => Access::unauthorized_basic("the \"notes\" of Zoë\r\n"),
            Some("invalid") => Access::invalid_bearer("notes"),
            _ => Access::unauthorized_bearer("notes"),
        })
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_send() {
    let group = Group::new()
        .security("answers")
        .route(("/", |_: Request| async { "in" }));
    let app = App::builder().security("answers", Answers).group(group);
    let client = TestClient::new(app.build().unwrap());
    for (path, expected) in [
        (
            "/?basic",
            r#"Basic realm="the \"notes\" of Zo???", charset="UTF-8""#,
        ),
        ("/", r#"Bearer realm="notes""#),
        (
            "/?invalid",
            r#"Bearer realm="notes", error="invalid_token""#,
        ),
    ] {
        let response = client.get(path).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.header("www-authenticate"), Some(expected));
    }
}
