//! The options of static files, as they are written in Rust or in `router.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// All of it, not yet checked. What is `None` was not written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Written {
    pub(super) dir: Option<PathBuf>,
    pub(super) file: Option<PathBuf>,
    pub(super) index_files: Option<Vec<String>>,
    pub(super) list_dir: Option<bool>,
    pub(super) follow_links: Option<bool>,
    pub(super) precompressed: Option<bool>,
    pub(super) mimetype: Option<Types>,
    pub(super) cache_control: Option<String>,
}

/// The types of files: one for all, or one for each extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Types {
    pub(super) all: Option<String>,
    pub(super) by_extension: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypesVisitor)
    }
}

struct TypesVisitor;

impl<'de> Visitor<'de> for TypesVisitor {
    type Value = Types;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a type such as `\"image/png\"`, or a table such as `{ md = \"text/markdown\" }`",
        )
    }

    fn visit_str<E>(self, all: &str) -> Result<Types, E> {
        Ok(Types {
            all: Some(all.to_owned()),
            ..Types::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Types, A::Error> {
        let mut types = Types::default();
        while let Some((extension, kind)) = map.next_entry()? {
            types.by_extension.insert(extension, kind);
        }
        Ok(types)
    }
}
