//! What errors of the app's own types mean to a client: `.error(|error: &RepoError| …)`.

use std::any::{TypeId, type_name};
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::build_error::{BuildError, NameKind};
use crate::error::Error;
use crate::origin::Origin;
use crate::panic;

/// All mappings of an app: few, and looked through only when a request has failed.
#[derive(Default)]
pub(crate) struct ErrorMappings(Vec<Mapping>);

struct Mapping {
    of: TypeId,
    name: &'static str,
    map: Map,
    origin: Origin,
}

/// Gives `None` for an error of another type.
type Map = Box<dyn Fn(&(dyn StdError + 'static)) -> Option<Error> + Send + Sync>;

impl ErrorMappings {
    pub(crate) fn add<E: StdError + 'static>(
        &mut self,
        map: impl Fn(&E) -> Error + Send + Sync + 'static,
        origin: Origin,
        errors: &mut Vec<BuildError>,
    ) {
        let of = TypeId::of::<E>();
        if let Some(first) = self.0.iter().find(|known| known.of == of) {
            errors.push(BuildError::DuplicateName {
                kind: NameKind::ErrorMapping,
                name: type_name::<E>().to_owned(),
                origin,
                first: first.origin.clone(),
            });
            return;
        }
        self.0.push(Mapping {
            of,
            name: type_name::<E>(),
            map: Box::new(move |error| error.downcast_ref().map(&map)),
            origin,
        });
    }

    /// What `error` means: itself, if its status was named at the place, or if nobody maps what it
    /// wraps.
    pub(crate) fn apply(&self, error: Error) -> Error {
        let Some(source) = error.source().filter(|_| error.named_status().is_none()) else {
            return error;
        };
        for mapping in &self.0 {
            match catch_unwind(AssertUnwindSafe(|| (mapping.map)(source))) {
                Ok(None) => {}
                Ok(Some(meant)) => return error.meaning(meant),
                Err(panic) => {
                    let (name, message) = (mapping.name, panic::message(&*panic));
                    return Error::internal(format!(
                        "the mapping of `{name}` panicked: {message}; it was to map: {error}"
                    ));
                }
            }
        }
        error
    }
}
