//! Limits that a protocol brings to the `limits` of apps, groups and routes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::build_error::BuildError;
use crate::config::settings::{self, Leaf, Setting, Wanted};
use crate::origin::Origin;

/// Limits that `router.toml` can set for a protocol: `limits = { ws = { … } }` at its top, in a group or
/// in the options of a route. In Rust, they are values of this type.
///
/// Each place has a value of its own, in which most limits are unset; the protocol's handler gets all
/// that concern a route from [`ProtocolRoute::limits`](crate::ProtocolRoute::limits).
pub trait ProtocolLimits: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The protocol whose limits these are, which is their key.
    const PROTOCOL: &'static str;

    /// What is wrong with the value itself, such as two limits that exclude each other.
    ///
    /// # Errors
    /// What is wrong and what to write instead, lower case and without a full stop:
    /// [`build`](crate::AppBuilder::build) tells it with the place.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// [`ProtocolLimits`] with its type erased.
pub(crate) trait ErasedLimits: fmt::Debug + Send + Sync {
    fn protocol(&self) -> &'static str;
    /// What is wrong with the value, which stands there.
    fn wrong(&self, origin: &Origin) -> Option<BuildError>;
    fn as_any(&self) -> &dyn Any;
}

impl<L: ProtocolLimits> ErasedLimits for L {
    fn protocol(&self) -> &'static str {
        L::PROTOCOL
    }

    fn wrong(&self, origin: &Origin) -> Option<BuildError> {
        let wrong = self.check().err()?;
        Some(BuildError::WrongValue {
            message: format!("the limits of `{}` are wrong: {wrong}", L::PROTOCOL),
            origin: origin.clone(),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Reads the limits of one protocol from a file, or adds what is wrong with them.
pub(crate) type ReadLimits = fn(Setting<'_>, &mut Vec<BuildError>) -> Option<Arc<dyn ErasedLimits>>;

pub(crate) fn read<L: ProtocolLimits>(
    setting: Setting<'_>,
    errors: &mut Vec<BuildError>,
) -> Option<Arc<dyn ErasedLimits>> {
    let wrong_type = setting.wrong_type("a table of limits");
    let (origin, source) = (setting.key_origin(), setting.source);
    let toml::de::DeValue::Table(table) = setting.value.into_inner() else {
        errors.push(wrong_type);
        return None;
    };
    let leaves = Leaf::list(Setting::list(table, &source));
    let name = format!("`{}`", L::PROTOCOL);
    let limits: L = settings::read(&name, &origin, leaves, Wanted::Whole, errors)?;
    let wrong = limits.wrong(&origin);
    let is_right = wrong.is_none();
    errors.extend(wrong);
    is_right.then(|| Arc::new(limits) as Arc<dyn ErasedLimits>)
}
