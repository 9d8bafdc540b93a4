//! What a plugin says of itself, and where the app lists it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::origin::Origin;

/// What a plugin is, as [`Plugin::info`](crate::Plugin::info) says it.
///
/// ```
/// use nova_core::{Plugin, PluginInfo};
///
/// struct Audit;
///
/// impl Plugin for Audit {
///     fn info(&self) -> PluginInfo {
///         PluginInfo::new("Audit")
///             .version(env!("CARGO_PKG_VERSION"))
///             .description("writes down who has done what")
///             .requires(&["correlation"])
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PluginInfo {
    /// What people call it.
    pub title: Cow<'static, str>,
    /// Which version it is. **Default:** none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Cow<'static, str>>,
    /// What it does, in a sentence. **Default:** nothing.
    pub description: Cow<'static, str>,
    /// The options in force, defaults included, as text. **Default:** nothing.
    pub options: String,
    /// The names under which plugins are registered that have to stand before it in every list.
    /// **Default:** none.
    pub requires: Cow<'static, [&'static str]>,
}

impl PluginInfo {
    /// A plugin of which nothing but its title is known.
    pub fn new(title: impl Into<Cow<'static, str>>) -> Self {
        PluginInfo {
            title: title.into(),
            version: None,
            description: Cow::Borrowed(""),
            options: String::new(),
            requires: Cow::Borrowed(&[]),
        }
    }

    /// Says which version it is.
    #[must_use]
    pub fn version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says what it does.
    #[must_use]
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Says with which options.
    #[must_use]
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = options.into();
        self
    }

    /// Wants these plugins before it, by the names under which they are registered. A list that
    /// has them not, or behind it, is a mistake that [`build`](crate::AppBuilder::build) tells.
    #[must_use]
    pub fn requires(mut self, names: &'static [&'static str]) -> Self {
        self.requires = Cow::Borrowed(names);
        self
    }

    /// One that comes with Nova.
    pub(super) fn built_in(
        title: &'static str,
        description: &'static str,
        options: &dyn std::fmt::Debug,
    ) -> Self {
        PluginInfo::new(title)
            .version(env!("CARGO_PKG_VERSION"))
            .description(description)
            .options(format!("{options:?}"))
    }
}

/// A plugin in a list of an app, as [`Router::plugins`](crate::Router::plugins) gives it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ListedPlugin {
    /// What the list calls it.
    pub name: String,
    /// The list's own words: the name, or the name with options.
    pub written: String,
    /// What the plugin says of itself.
    pub info: PluginInfo,
    /// Where the first list that has it stands: `router.toml:1:12`, or a line of Rust.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
}

fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// `Audit` for `my_app::audit::Audit<my_app::Log>`.
pub(super) fn short_name(type_name: &'static str) -> &'static str {
    let without_parameters = type_name.split('<').next().unwrap_or(type_name);
    without_parameters
        .rsplit("::")
        .next()
        .unwrap_or(without_parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_name_of_a_type_is_its_own() {
        assert_eq!(short_name("my_app::audit::Audit"), "Audit");
        assert_eq!(short_name("a::Both<b::Left, c::Right>"), "Both");
        assert_eq!(short_name("Audit"), "Audit");
    }
}
