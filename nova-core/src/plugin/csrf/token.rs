//! The token of a session, and how views get it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::request::Head;
use crate::session::{CSRF_TOKEN, Session};

/// The field of a form.
pub(super) const FIELD: &str = "_csrf_token";
pub(super) const HEADER: &str = "x-csrf-token";

const BYTES: usize = 32;

type Secret = [u8; BYTES];

/// The token of a session, among the extensions of a request. It is made when somebody asks.
#[derive(Clone)]
pub(super) struct CsrfToken(Arc<Inner>);

struct Inner {
    /// That of the session with which the request came.
    before: OnceLock<Secret>,
    /// Whether that session has it already.
    is_kept: bool,
    /// That of the session since somebody has logged in, or out, in this request.
    since: OnceLock<Secret>,
}

impl CsrfToken {
    pub(super) async fn of(session: &Session) -> Result<Self> {
        let kept: Option<String> = session.get(CSRF_TOKEN).await?;
        let kept = kept.and_then(|kept| {
            let bytes = URL_SAFE_NO_PAD.decode(kept).ok()?;
            Secret::try_from(bytes).ok()
        });
        Ok(CsrfToken(Arc::new(Inner {
            is_kept: kept.is_some(),
            before: kept.map_or_else(OnceLock::new, OnceLock::from),
            since: OnceLock::new(),
        })))
    }

    /// The secret that counts for what the answer says.
    fn secret(&self, session: &Session) -> &OnceLock<Secret> {
        match session.has_changed_hands() {
            true => &self.0.since,
            false => &self.0.before,
        }
    }

    /// The token as a page has it: behind random bytes, and mixed with them. Otherwise whoever can
    /// put text into a compressed page could guess it by the length (the BREACH attack).
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub(super) fn masked(&self, session: &Session) -> Result<String> {
        let place = self.secret(session);
        let secret = match place.get() {
            Some(secret) => secret,
            None => {
                let new = random()?;
                place.get_or_init(|| new)
            }
        };
        let mask = random()?;
        Ok(URL_SAFE_NO_PAD.encode([mask, mixed(mask, secret)].concat()))
    }

    /// Whether `sent` is this token behind some mask.
    pub(super) fn is(&self, sent: &str) -> bool {
        let (Some(secret), Ok(sent)) = (self.0.before.get(), URL_SAFE_NO_PAD.decode(sent)) else {
            return false;
        };
        let Some((mask, rest)) = sent.split_first_chunk::<BYTES>() else {
            return false;
        };
        let Ok(rest) = Secret::try_from(rest) else {
            return false;
        };
        mixed(*mask, &rest).ct_eq(secret).into()
    }

    /// Keeps the token in the session, if it was made just now.
    pub(super) async fn keep(&self, session: &Session) -> Result<()> {
        let is_kept = self.0.is_kept && !session.has_changed_hands();
        match self.secret(session).get().filter(|_| !is_kept) {
            Some(secret) => {
                let secret = URL_SAFE_NO_PAD.encode(secret);
                session.insert(CSRF_TOKEN, &secret).await
            }
            None => Ok(()),
        }
    }
}

fn random() -> Result<Secret> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

fn mixed(mut mask: Secret, with: &Secret) -> Secret {
    for (byte, other) in mask.iter_mut().zip(with) {
        *byte ^= other;
    }
    mask
}

/// The context of a view, with the token where the plugin runs. What the controller gives comes
/// first.
pub(crate) fn page_context(head: &Head, own: Value) -> Value {
    match head.extensions().get::<CsrfToken>() {
        Some(token) => Value::from_object(PageContext {
            own,
            token: token.clone(),
            session: head.session().clone(),
        }),
        None => own,
    }
}

/// Asks for the token only when the view does: it begins a session.
struct PageContext {
    own: Value,
    token: CsrfToken,
    session: Session,
}

impl Object for PageContext {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let own = self.own.get_item(key).ok();
        if let Some(own) = own.filter(|own| !own.is_undefined()) {
            return Some(own);
        }
        match key.as_str()? {
            "csrf_token" => Some(self.token.masked(&self.session).ok()?.into()),
            "csrf_field" => {
                let token = self.token.masked(&self.session).ok()?; // letters, digits, `-` and `_`
                let field = format!(r#"<input type="hidden" name="{FIELD}" value="{token}">"#);
                Some(Value::from_function(move || {
                    Value::from_safe_string(field.clone())
                }))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.own.try_iter() {
            Ok(keys) => Enumerator::Values(keys.collect()),
            Err(_) => Enumerator::Empty,
        }
    }
}

/// Without the token, which is a secret.
impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken")
    }
}

impl fmt::Debug for PageContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.own, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_token_differs_on_each_page_and_is_good_on_all() {
        let request = testing::request("GET", "/").build();
        let token = CsrfToken::of(request.session()).await.unwrap();
        let masked = || token.masked(request.session()).unwrap();
        let (first, second) = (masked(), masked());
        assert_ne!(first, second);
        assert!(token.is(&first) && token.is(&second));

        token.keep(request.session()).await.unwrap();
        let again = CsrfToken::of(request.session()).await.unwrap();
        assert!(again.is(&first));
    }

    #[tokio::test]
    async fn nothing_else_is_the_token() {
        let request = testing::request("GET", "/").build();
        let token = CsrfToken::of(request.session()).await.unwrap();
        assert!(!token.is(""), "there is none yet");
        let masked = token.masked(request.session()).unwrap();
        let other = CsrfToken::of(request.session()).await.unwrap();
        for wrong in [
            "",
            "a",
            &masked[1..],
            &masked[..43],
            &"A".repeat(86),
            &format!("{masked}AA"),
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(!token.is(&other.masked(request.session()).unwrap()));
    }
}
