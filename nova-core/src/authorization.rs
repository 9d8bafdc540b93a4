//! Who a request says that it is from: the `Authorization` header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::config::Secret;
use crate::request::Head;

/// Name and password of HTTP's Basic scheme (RFC 7617), as the client sent them: nobody has looked
/// whether they are right.
///
/// The password is as readable as any other header: the scheme is for HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The name; it has no `:`.
    pub user: String,
    /// The password. `Debug` does not show it.
    pub password: Secret,
}

impl Head {
    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1), if there is one and it is well formed.
    ///
    /// ```
    /// use nova_core::{Access, Request, Result, Secret, Security, constant_time_eq};
    ///
    /// struct ByToken(Secret);
    ///
    /// impl Security for ByToken {
    ///     async fn check(&self, request: &mut Request) -> Result<Access> {
    ///         let Some(token) = request.bearer_token() else {
    ///             return Ok(Access::unauthorized_bearer("notes"));
    ///         };
    ///         Ok(match constant_time_eq(token, self.0.expose()) {
    ///             true => Access::Granted,
    ///             false => Access::invalid_bearer("notes"),
    ///         })
    ///     }
    /// }
    /// ```
    ///
    /// Two headers of that name are as good as none.
    pub fn bearer_token(&self) -> Option<&str> {
        let token = self.credentials("bearer")?;
        let bare = token.trim_end_matches('=');
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        (!bare.is_empty() && bare.bytes().all(is_part)).then_some(token)
    }

    /// Name and password of `Authorization: Basic …` (RFC 7617), if they are there and well formed: in
    /// UTF-8, without control characters.
    ///
    /// ```
    /// # use nova_core::testing;
    /// let request = testing::request("GET", "/").header("authorization", "Basic YW5uOmE6Yg==");
    /// let request = request.build();
    /// let auth = request.basic_auth().unwrap();
    /// assert_eq!((&*auth.user, auth.password.expose()), ("ann", "a:b"));
    /// ```
    ///
    /// [`password::verify`](crate::password::verify) looks whether the password is right.
    pub fn basic_auth(&self) -> Option<BasicAuth> {
        let decoded = STANDARD.decode(self.credentials("basic")?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        if text.chars().any(char::is_control) {
            return None;
        }
        let (user, password) = text.split_once(':')?;
        Some(BasicAuth {
            user: user.to_owned(),
            password: password.into(),
        })
    }

    /// What stands behind the scheme (RFC 9110 §11.6.2), whose case does not matter.
    fn credentials(&self, scheme: &str) -> Option<&str> {
        let mut values = self.headers().get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let (sent, credentials) = value.to_str().ok()?.split_once(' ')?;
        let credentials = credentials.trim_matches(' ');
        sent.eq_ignore_ascii_case(scheme).then_some(credentials)
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ; only their
/// lengths may be learnt by it.
///
/// For tokens and keys that are compared with one that is known. Passwords are hashed:
/// [`password::verify`](crate::password::verify).
///
/// ```
/// use nova_core::constant_time_eq;
///
/// assert!(constant_time_eq("token", b"token"));
/// assert!(!constant_time_eq("token", "tokem"));
/// ```
pub fn constant_time_eq(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    one.as_ref().ct_eq(other.as_ref()).into()
}

/// A realm as a quoted string (RFC 9110 §5.6.4), without what no header may have.
pub(crate) fn quoted(realm: &str) -> String {
    let mut quoted = String::from("\"");
    for c in realm.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted + "\""
}
