//! The API document names every route there is, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use tests::server::{Options, Server, root};

/// Every `.route("…"` in a file's code.
fn routes(file: &Path, found: &mut BTreeSet<String>) {
    let code = std::fs::read_to_string(file).unwrap();
    for piece in code.split(".route(").skip(1) {
        let piece = piece.trim_start();
        if let Some(path) = piece.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
            found.insert(path.to_owned());
        }
    }
}

fn in_code() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rooms =
        vec![root().join("ingest/src"), root().join("desk/src"), root().join("app/src")];
    while let Some(place) = rooms.pop() {
        for entry in std::fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rooms.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                routes(&path, &mut found);
            }
        }
    }
    found
}

#[tokio::test]
async fn the_document_and_the_routes_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let document = server.api().get("/openapi.json").await.unwrap();
    assert!(document.content_type.starts_with("application/json"));
    assert!(document.str("/openapi").starts_with("3.1"));
    let documented: BTreeSet<String> =
        document.body["paths"].as_object().unwrap().keys().cloned().collect();
    let code = in_code();
    assert!(code.len() > 15, "routes are found in the code: {code:?}");
    let missing: Vec<_> = code.difference(&documented).collect();
    assert!(missing.is_empty(), "not in the document: {missing:?}");
    // Pages come from a table of files; everything else in the document is a route in the code.
    for path in documented.difference(&code).filter(|path| !path.contains('{')) {
        let answer = server.api().get(path).await.unwrap();
        assert_eq!(answer.status, 200, "{path} is documented and does not exist");
        assert!(!answer.content_type.contains("json"), "{path} is no page");
    }
}
