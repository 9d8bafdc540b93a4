//! What a browser shows of an error: a page that needs nothing but itself.
//!
//! There are two templates. `page.html` is for everybody and has only what the client may read;
//! `dev.html` shows a developer the rest. minijinja escapes all that comes from outside.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::problem::Problem;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in [
        ("page.html", include_str!("error_page/page.html")),
        ("dev.html", include_str!("error_page/dev.html")),
        ("style.css", include_str!("error_page/style.css")),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are right, as the tests find");
    }
    templates
});

/// The page of a problem; `reference` is what the client may quote when it asks for help.
///
/// # Errors
/// None, if the templates are right.
pub(crate) fn render(
    problem: &Problem<'_>,
    reference: Option<&str>,
) -> Result<String, minijinja::Error> {
    let name = match problem.dev {
        Some(_) => "dev.html",
        None => "page.html",
    };
    let problem = Value::from(Serde(problem));
    TEMPLATES
        .get_template(name)?
        .render(context! { problem, reference })
}
