use nova_core::{App, Result, ServiceContext};

async fn index_notes(_context: ServiceContext) -> Result<()> {
    Ok(())
}

fn main() {
    let _ = App::builder().service("note_indexer", index_notes);
    //~ ERROR is no service
    //~ NOTE write `impl Service for` a struct of yours
}
