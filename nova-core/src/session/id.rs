//! The id of a session: 256 random bits, which nobody guesses, and its signature in the cookie.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::store::SessionKey;
use crate::config::Secret;
use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Id([u8; 32]);

impl Id {
    /// # Errors
    /// The operating system gives no random numbers.
    pub(super) fn random() -> Result<Self> {
        random().map(Id)
    }

    /// What a store knows the session by: who reads it there cannot go on with the session.
    pub(super) fn key(&self) -> SessionKey {
        SessionKey::new(Sha256::digest(self.0).into())
    }
}

/// Not the id: it is as good as a password.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id")
    }
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

/// Signs ids for the cookie, so that one which the app has not made costs no look into the store.
pub(super) struct Signer {
    /// The first one signs, all of them verify; made ready, as each use needs it again.
    keys: Vec<Hmac<Sha256>>,
    /// In the signature, so that the cookie of another app with the same secret is none of ours.
    cookie: String,
}

impl Signer {
    /// With no secret, one is made up, which ends with the process.
    pub(super) fn new(secrets: &[Secret], cookie: &str) -> Self {
        let made_up = match secrets {
            [] => random().ok(), // or else there are no ids either
            _ => None,
        };
        let given = secrets.iter().map(|secret| secret.expose().as_bytes());
        let texts = given.chain(made_up.iter().map(|bytes| &bytes[..]));
        Signer {
            // HMAC takes keys of any length (RFC 2104 §2).
            keys: texts
                .filter_map(|text| Hmac::new_from_slice(text).ok())
                .collect(),
            cookie: cookie.to_owned(),
        }
    }

    /// As it stands in the cookie: the id and its signature, each 43 characters of base64.
    pub(super) fn signed(&self, id: &Id) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(id.0);
        if let Some(key) = self.keys.first() {
            let signature = self.mac(key, id).finalize().into_bytes();
            text.push('.');
            URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        }
        text
    }

    /// The id in the cookie, if the app has signed it; compared in constant time.
    pub(super) fn verified(&self, text: &str) -> Option<Id> {
        let (id, signature) = text.split_once('.')?;
        let id = Id(URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut macs = self.keys.iter().map(|key| self.mac(key, &id));
        macs.any(|mac| mac.verify_slice(&signature).is_ok())
            .then_some(id)
    }

    fn mac(&self, key: &Hmac<Sha256>, id: &Id) -> Hmac<Sha256> {
        let mut mac = key.clone();
        mac.update(self.cookie.as_bytes());
        mac.update(b"="); // no name of a cookie has one
        mac.update(&id.0);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secrets: &[&str]) -> Signer {
        let secrets: Vec<_> = secrets.iter().map(|text| Secret::from(*text)).collect();
        Signer::new(&secrets, "session_id")
    }

    #[test]
    fn only_what_the_app_has_signed_is_an_id() {
        let (ours, id) = (signer(&[]), Id::random().unwrap());
        let text = ours.signed(&id);
        assert_eq!(text.len(), 43 + 1 + 43);
        assert_eq!(ours.verified(&text), Some(id));

        assert_eq!(signer(&[]).verified(&text), None, "another process");
        let (bare, signature) = text.split_once('.').unwrap();
        let other = ours.signed(&Id::random().unwrap());
        let (other, _) = other.split_once('.').unwrap();
        for wrong in [
            bare.to_owned(),
            format!("{bare}."),
            format!("{other}.{signature}"),
            format!("{bare}.{}", &signature[1..]),
            format!("{text}."),
            format!(".{signature}"),
        ] {
            assert_eq!(ours.verified(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_old_secret_verifies_and_the_first_one_signs() {
        let id = Id::random().unwrap();
        let old = signer(&["old"]).signed(&id);
        let both = signer(&["new", "old"]);
        assert_eq!(both.verified(&old), Some(id));
        assert_eq!(both.signed(&id), signer(&["new"]).signed(&id));
        assert_eq!(signer(&["new"]).verified(&old), None);
    }

    #[test]
    fn the_cookie_of_another_app_with_the_same_secret_is_none_of_ours() {
        let secrets = [Secret::from("shared")];
        let id = Id::random().unwrap();
        let theirs = Signer::new(&secrets, "other_id").signed(&id);
        assert_eq!(Signer::new(&secrets, "session_id").verified(&theirs), None);
    }
}
