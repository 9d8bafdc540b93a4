//! The plugins of a route, in order, and what is wrong with an order.

use std::fmt;
use std::sync::Arc;

use super::{ErasedPlugin, ListedPlugin};
use crate::build_error::BuildError;
use crate::origin::Origin;

/// The plugins of a route, in order.
pub(crate) type Chain = Arc<[NamedPlugin]>;

/// A plugin as the route table holds it.
#[derive(Clone)]
pub(crate) struct NamedPlugin {
    /// What the router file calls it, for the log.
    pub(crate) name: Arc<str>,
    pub(crate) code: Arc<dyn ErasedPlugin>,
    /// How the list has it, options included.
    pub(crate) written: Arc<str>,
    /// Where the list has it.
    pub(crate) origin: Origin,
}

impl NamedPlugin {
    /// A plugin of which nothing is known but its name, or `None` with what is wrong with it added.
    pub(crate) fn checked(
        name: &str,
        code: Arc<dyn ErasedPlugin>,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<Self> {
        let plugin = NamedPlugin {
            name: name.into(),
            code,
            written: name.into(),
            origin: origin.clone(),
        };
        plugin.is_sound(errors).then_some(plugin)
    }

    /// Whether the plugin finds nothing wrong with itself; what it finds is added.
    pub(crate) fn is_sound(&self, errors: &mut Vec<BuildError>) -> bool {
        let checked = self.code.check();
        let name = &self.name;
        checked
            .map_err(|wrong| {
                errors.push(BuildError::WrongValue {
                    message: format!("the plugin `{name}` is wrong: {wrong}"),
                    origin: self.origin.clone(),
                });
            })
            .is_ok()
    }

    /// Whether both are one value.
    pub(crate) fn is(&self, other: &NamedPlugin) -> bool {
        Arc::ptr_eq(&self.code, &other.code)
    }

    pub(crate) fn listed(&self) -> ListedPlugin {
        ListedPlugin {
            name: self.name.to_string(),
            written: self.written.to_string(),
            info: self.code.info(),
            origin: self.origin.clone(),
        }
    }
}

/// Checks that the plugins of `chain` from the one at `first` on have before them what they require,
/// and adds what is missing.
pub(crate) fn check_order(chain: &[NamedPlugin], first: usize, errors: &mut Vec<BuildError>) {
    for (position, plugin) in chain.iter().enumerate().skip(first) {
        for required in plugin.code.info().requires.iter() {
            let at = chain.iter().position(|other| &*other.name == *required);
            let wrong = match at {
                Some(at) if at < position => continue,
                Some(_) => "stands behind it: move it to the front",
                None => "is not in the list: add it",
            };
            let name = &plugin.name;
            errors.push(BuildError::WrongValue {
                message: format!("the plugin `{name}` needs `{required}` before it, which {wrong}"),
                origin: plugin.origin.clone(),
            });
        }
    }
}

impl fmt::Debug for NamedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedPlugin({})", self.name)
    }
}
