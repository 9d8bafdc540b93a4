//! Any bytes as `router.toml`: each mistake is told with a place in the file, and none is a panic.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use nova_core::{
    Access, App, AppBuilder, BoxFuture, Error, Head, Opening, ProtocolHandler, Request, Result,
    Security, status,
};

/// One for the whole process, which tries one input after the other.
static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("there is room"));

fuzz_target!(|bytes: &[u8]| -> Corpus { check(bytes) });

fn check(bytes: &[u8]) -> Corpus {
    let file = FOLDER.path().join("router.toml");
    std::fs::write(&file, bytes).expect("the folder is ours");
    let Err(errors) = registry().router_file(&file).build() else {
        return Corpus::Keep;
    };
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let name = file.display().to_string();
    let mut count = 0;
    for error in errors.iter() {
        let origin = error.origin();
        let line = origin.line().expect("it stands in the file");
        let column = origin.column().expect("it stands in the file");
        assert!((1..=lines.len()).contains(&line), "there is no line {line}");
        let columns = 1..=lines[line - 1].chars().count() + 1;
        assert!(
            columns.contains(&column),
            "line {line} has no column {column}"
        );

        let told = error.to_string();
        let place = format!("{name}:{line}:{column}: ");
        assert!(told.starts_with(&place), "the place is missing: {told}");
        // The message, the line and what is underlined of it; nothing that grows with the file.
        let most = 4096 + 8 * lines[line - 1].len();
        assert!(
            told.len() <= most,
            "{} bytes are told of one mistake",
            told.len()
        );
        count += 1;
    }
    assert!(count > 0, "it is refused, and nothing is wrong with it");
    assert!(
        count <= bytes.len() + 1,
        "{count} mistakes in {} bytes",
        bytes.len()
    );
    assert!(!errors.to_string().is_empty());
    Corpus::Keep
}

/// What a file can name: a bit of everything.
fn registry() -> AppBuilder {
    App::builder()
        .action("notes::index", |_| async { status(200) })
        .action("notes::show", |_| async { status(200) })
        .security("auth::session", Nobody)
        .protocol_handler("ws", "chat", Silent)
}

struct Nobody;

impl Security for Nobody {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        Ok(Access::denied())
    }
}

struct Silent;

impl ProtocolHandler for Silent {
    fn claims(&self, _head: &Head) -> bool {
        true
    }

    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async { Err(Error::new(404, "nobody is here")) })
    }
}
