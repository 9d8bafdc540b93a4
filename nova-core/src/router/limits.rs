//! The limits of an app, of its groups and of its routes, and which of them count for a route.

use std::sync::Arc;

use crate::build_error::BuildError;
use crate::origin::Origin;
use crate::protocol::ErasedLimits;

/// What one place says: the top of the file, a group, or the options of a route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// The longest body of a request, in bytes.
    pub(crate) body: Option<usize>,
    /// Those of protocols.
    pub(crate) protocols: Vec<Arc<dyn ErasedLimits>>,
}

impl Limits {
    /// The same without those that are wrong; what is wrong is added.
    pub(crate) fn checked(mut self, origin: &Origin, errors: &mut Vec<BuildError>) -> Self {
        self.protocols.retain(|limits| {
            let wrong = limits.wrong(origin);
            let is_right = wrong.is_none();
            errors.extend(wrong);
            is_right
        });
        self
    }

    /// Adds those of another place of the same level; its own are stronger.
    pub(crate) fn and(&self, stronger: &Limits) -> Self {
        let protocols = self.protocols.iter().chain(&stronger.protocols);
        Limits {
            body: stronger.body.or(self.body),
            protocols: protocols.cloned().collect(),
        }
    }
}

/// The limits of a place with those around it. Within an app, an inner one replaces an outer one; who
/// mounts an app has the last word.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    own: Limits,
    /// What surrounds the mounted app.
    host: Limits,
}

impl Levels {
    /// A place within this one.
    pub(super) fn inside(&self, inner: &Limits) -> Self {
        Levels {
            own: self.own.and(inner),
            host: self.host.clone(),
        }
    }

    /// What an app that is mounted here begins with.
    pub(super) fn of_mounted(&self) -> Self {
        Levels {
            own: Limits::default(),
            host: self.in_force(),
        }
    }

    /// What counts. The limits of protocols are all there, the weakest first.
    pub(super) fn in_force(&self) -> Limits {
        let Levels { own, host } = self;
        Limits {
            body: match (own.body, host.body) {
                (Some(own), Some(host)) => Some(own.min(host)),
                (own, host) => own.or(host),
            },
            ..own.and(host)
        }
    }
}

/// Whether a change of the router file changes a route.
impl PartialEq for Limits {
    fn eq(&self, other: &Self) -> bool {
        let written = |limits: &Limits| format!("{:?}", limits.protocols);
        self.body == other.body && written(self) == written(other)
    }
}
