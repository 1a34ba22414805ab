//! A tenant's own web chat: its name, its greeting, its colour.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tests::server::{Options, Server, root};

use crate::browser::{Driver, see};

const PATIENCE: Duration = Duration::from_secs(30);

fn answers(dir: &Path, look: &str) -> PathBuf {
    let built_in = std::fs::read_to_string(root().join("responder/catalogue.toml")).unwrap();
    let file = dir.join("respostas.toml");
    std::fs::write(&file, format!("{built_in}\n[web_chat]\n{look}\n")).unwrap();
    file
}

const ACME: &str = "title = 'Fibra Sul'\ngreeting = 'Oi! Aqui é a Fibra Sul.'\n\
                    suggestions = ['Quero falar da fatura']\ncolor = '#7a1f5c'";

fn options(dir: &Path, look: &str) -> Options {
    Options::at(&dir.join("data"))
        .with("TENANTS__ACME__UTC_OFFSET_MINUTES", "-180")
        .with("TENANTS__ACME__ANSWERS_FILE", answers(dir, look).to_str().unwrap())
}

#[tokio::test]
async fn each_tenant_has_its_own_look_and_changes_it_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), ACME);
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let acme = "/v1/channels/web_chat/acme/look";
    let look = api.get(acme).await.unwrap();
    assert_eq!(look.str("/title"), "Fibra Sul", "{}", look.text);
    assert_eq!(look.body["suggestions"], json!(["Quero falar da fatura"]));
    let other = api.get("/v1/channels/web_chat/demo/look").await.unwrap();
    assert_eq!((other.status, other.body), (200, json!({})), "nothing of acme's");
    assert_eq!(api.get("/v1/channels/web_chat/ninguem/look").await.unwrap().status, 404);

    let file = answers(dir.path(), "title = 'Fibra Norte'");
    let at = options.with("SERVER__LISTEN", &format!("127.0.0.1:{}", server.port));
    let file = file.to_str().unwrap();
    at.run(&["answers", "apply", file, "--tenant", "acme"]).unwrap();
    let renamed = |answer: &tests::api::Answer| answer.str("/title") == "Fibra Norte";
    let look = api.until(acme, PATIENCE, renamed).await.unwrap();
    assert_eq!(look.body, json!({ "title": "Fibra Norte" }));
    let pale = answers(dir.path(), "color = '#ffd400'");
    let refused = at.run(&["answers", "apply", pale.to_str().unwrap(), "--tenant", "acme"]);
    assert!(format!("{:#}", refused.unwrap_err()).contains("web_chat.color"));
    assert_eq!(api.get(acme).await.unwrap().str("/title"), "Fibra Norte");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_called_greets_and_is_painted_as_the_tenant_says() {
    let Some(driver) = Driver::start().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(dir.path(), ACME)).await.unwrap();
    let page = driver.window(420, 800).await;
    let told = "return [document.title, document.querySelector('h1').textContent, \
                document.getElementById('intro-title').textContent, \
                document.getElementById('chips').textContent, \
                getComputedStyle(document.querySelector('.top')).backgroundColor]";
    for (account, expected) in [
        (
            "acme",
            json!([
                "Fibra Sul",
                "Fibra Sul",
                "Oi! Aqui é a Fibra Sul.",
                "Quero falar da fatura",
                "rgb(122, 31, 92)"
            ]),
        ),
        ("demo", json!(["Atendimento", "Atendimento", "Olá! Como podemos ajudar?"])),
    ] {
        page.goto(&format!("{}/chat?account={account}", server.url())).await.unwrap();
        see(&page, "h1").await;
        let shown = page.execute(told, vec![]).await.unwrap();
        for (at, text) in expected.as_array().unwrap().iter().enumerate() {
            assert_eq!(&shown[at], text, "{account}");
        }
        assert_eq!(account == "demo", shown[4] != "rgb(122, 31, 92)", "{shown}");
    }
    page.close().await.unwrap();
}
