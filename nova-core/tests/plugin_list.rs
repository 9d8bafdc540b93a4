//! What is wrong with a list of plugins, told when the app is built.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::{App, AppBuilder, Group, Plugin, PluginInfo, Request};

struct Plain;

impl Plugin for Plain {}

/// Wants `plain` before it.
struct Needy;

impl Plugin for Needy {
    fn info(&self) -> PluginInfo {
        PluginInfo::new("Needy")
            .description("needs somebody")
            .requires(&["plain"])
    }
}

struct Wrong;

impl Plugin for Wrong {
    fn check(&self) -> Result<(), String> {
        Err("`left` and `right` exclude each other".to_owned())
    }
}

async fn hello(_: Request) -> &'static str {
    "hello"
}

/// What is told of an app with this router file.
fn told(router: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    std::fs::write(&file, router).unwrap();
    let built = builder().router_file(&file).build();
    match built {
        Ok(_) => "nothing".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn builder() -> AppBuilder {
    App::builder()
        .plugin("plain", Plain)
        .plugin("needy", Needy)
        .action("hello", hello)
}

#[track_caller]
fn assert_told(router: &str, place: &str, message: &str) {
    let told = told(router);
    let expected = format!("{place}: {message}");
    assert!(told.contains(&expected), "no {expected:?} in {told}");
    assert_eq!(told.matches("router.toml:").count(), 1, "{told}");
}

#[test]
fn a_plugin_has_before_it_what_it_requires() {
    let routes = "[[group]]\nroutes = [[\"/\", \"hello\"]]";
    assert_eq!(
        told(&format!("plugins = [\"plain\", \"needy\"]\n{routes}")),
        "nothing"
    );
    assert_told(
        &format!(
            "plugins = [\"needy\", \"plain\"]\n{routes}\n[[group]]\nroutes = [[\"/b\", \"hello\"]]"
        ),
        "router.toml:1:12",
        "the plugin `needy` needs `plain` before it, which stands behind it: move it to the front",
    );
    assert_told(
        &format!("plugins = [\"correlation\"]\n{routes}\nplugins_add = [\"needy\"]"),
        "router.toml:4:16",
        "the plugin `needy` needs `plain` before it, which is not in the list: add it",
    );
    assert_eq!(
        told(&format!(
            "plugins = [\"plain\"]\n{routes}\nplugins_add = [\"needy\"]"
        )),
        "nothing"
    );
}

#[test]
fn a_plugin_of_a_group_without_routes_is_a_mistake() {
    for list in ["plugins    ", "plugins_add"] {
        assert_told(
            &format!(
                "plugins = [\"plain\", \"needy\"]\n[[group]]\nroutes = [[\"/\", \"hello\"]]\n\
                 [[group]]\n{list} = [\"correlation\"]\nroutes = [[404, \"hello\"]]"
            ),
            "router.toml:5:16",
            "the plugin `correlation` runs for no route: its group has none",
        );
    }
}

#[test]
fn a_global_plugin_that_no_group_has_is_a_mistake() {
    assert_told(
        "plugins = [\"correlation\", \"plain\"]\n[[group]]\n\
         plugins = [\"plain\", \"needy\"]\nroutes = [[\"/\", \"hello\"]]",
        "router.toml:1:12",
        "the plugin `correlation` runs for no route: every group has `plugins` in place of the \
         global ones, and none names it",
    );
}

#[test]
fn a_registered_plugin_that_no_list_names_is_a_mistake() {
    let errors = builder().route(("/", hello)).build().unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{errors}");
    for (told, name) in told.iter().zip(["plain", "needy"]) {
        assert!(
            told.starts_with("nova-core/tests/plugin_list.rs:"),
            "{told}"
        );
        let message = format!(
            "the plugin `{name}` is registered and listed nowhere, so it runs for no route"
        );
        assert!(told.contains(&message), "{told}");
    }
}

#[test]
fn a_plugin_that_finds_itself_wrong_is_told_with_its_place() {
    let built = App::builder()
        .plugin("wrong", Wrong)
        .global_plugins(["wrong"])
        .build();
    let first = built.unwrap_err().to_string();
    let own = Group::new().plugin("own", Wrong).route(("/", hello));
    let second = App::builder().group(own).build().unwrap_err().to_string();

    for (told, name) in [(first, "wrong"), (second, "own")] {
        let message =
            format!("the plugin `{name}` is wrong: `left` and `right` exclude each other");
        assert!(told.contains("tests/plugin_list.rs:"), "{told}");
        assert!(told.contains(&message), "{told}");
    }
}

#[test]
fn the_router_lists_the_plugins_with_what_they_say_of_themselves() {
    let own = Group::new()
        .plugins(["plain", "needy"])
        .plugin("own", Plain)
        .route(("/", hello));
    let app = builder().global_plugins(["plain"]).group(own).build();
    let plugins = app.unwrap().router().plugins();

    let names: Vec<&str> = plugins.iter().map(|plugin| &*plugin.name).collect();
    assert_eq!(names, ["plain", "needy", "own"]);
    assert_eq!(plugins[0].info, PluginInfo::new("Plain"));
    assert_eq!(plugins[1].info.description, "needs somebody");
    let json = serde_json::to_value(&plugins[1]).unwrap();
    assert_eq!(json["info"]["requires"][0], "plain");
}
