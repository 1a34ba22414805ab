//! The pages in a real browser: a customer writes, the desk shows why, an agent takes over.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tests::api::Answer;
use tests::server::{Options, Server, root};

use crate::context::models_with_table;

const PATIENCE: Duration = Duration::from_secs(30);

/// A chromedriver of ours; ends with the test.
pub(crate) struct Driver {
    child: Child,
    url: String,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Driver {
    /// `None`, said aloud, where there is no browser.
    pub(crate) async fn start() -> Option<Self> {
        // A port nobody has at this moment.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            println!("SKIPPED: no browser; install chromium and chromium-driver");
            return None;
        };
        let driver = Self { child, url: format!("http://127.0.0.1:{port}") };
        let api = tests::api::Api::new(&driver.url);
        let until = std::time::Instant::now() + PATIENCE;
        while api.get("/status").await.map_or(0, |answer| answer.status) != 200 {
            assert!(std::time::Instant::now() < until, "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(driver)
    }

    /// A window of its own.
    pub(crate) async fn window(&self, width: u32, height: u32) -> Client {
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            format!("--window-size={width},{height}"),
        ];
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
        wanted.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wanted).connect(&self.url).await.expect("a browser window")
    }
}

pub(crate) async fn see(window: &Client, selector: &str) -> fantoccini::elements::Element {
    let seen = window.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
    seen.unwrap_or_else(|error| panic!("{selector} never appeared: {error}"))
}

/// Waits for an element that is shown, and clicks it.
pub(crate) async fn click(window: &Client, selector: &str) {
    let element = see(window, selector).await;
    let until = std::time::Instant::now() + PATIENCE;
    while let Err(error) = element.clone().click().await {
        assert!(std::time::Instant::now() < until, "{selector} cannot be clicked: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the element's text holds `words`.
async fn reads(window: &Client, selector: &str, words: &str) {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let mut texts = Vec::new();
        for element in window.find_all(Locator::Css(selector)).await.unwrap() {
            texts.push(element.text().await.unwrap_or_default());
        }
        if texts.iter().any(|text| text.to_lowercase().contains(words)) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{selector} never said '{words}': {texts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until there are so many of these elements.
async fn are(window: &Client, selector: &str, wanted: usize) {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let found = window.find_all(Locator::Css(selector)).await.unwrap().len();
        if found == wanted {
            return;
        }
        assert!(std::time::Instant::now() < until, "{found} of {selector}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn id(name: &str) -> String {
    format!("[data-testid={name}]")
}

/// A customer writes; gives the window.
async fn customer(driver: &Driver, server: &Server, text: &str) -> Client {
    let window = driver.window(390, 844).await;
    window.goto(&format!("{}/chat", server.url())).await.unwrap();
    see(&window, &id("chat-input")).await.send_keys(text).await.unwrap();
    click(&window, &id("chat-send")).await;
    window
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_answered_and_the_desk_shows_why() {
    let Some(driver) = Driver::start().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let desk = driver.window(1440, 900).await;
    desk.goto(&server.url()).await.unwrap();
    see(&desk, "[data-testid=connection][data-state=live]").await;
    let chat = customer(&driver, &server, "minha internet caiu").await;
    see(&chat, "[data-testid=message][data-state=received]").await;
    see(&chat, &id("bot-message")).await;
    reads(&desk, &id("live-card"), "minha internet caiu").await;
    let card = see(&desk, &id("live-card")).await;
    let conversation = card.attr("data-conversation").await.unwrap().expect("its conversation");
    // The page asks the store once, which may have the decision later than the stream has told it.
    let decided = |answer: &Answer| answer.text.contains("turn_decided");
    let path = format!("/v1/conversations/{conversation}");
    server.api().until(&path, PATIENCE, decided).await.unwrap();
    desk.goto(&format!("{}/#/conversa/{conversation}", server.url())).await.unwrap();
    reads(&desk, &id("ngrams"), "caiu").await;
    click(&desk, ".nav a[data-view=numbers]").await;
    for plot in ["chart-throughput", "chart-latency", "chart-rate"] {
        see(&desk, &id(plot)).await;
    }
    // Reloaded, the customer sees the same.
    chat.refresh().await.unwrap();
    reads(&chat, &id("message"), "minha internet caiu").await;
    see(&chat, &id("bot-message")).await;
    chat.close().await.unwrap();
    desk.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_takes_a_conversation_and_answers_on_a_phone() {
    let Some(driver) = Driver::start().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let chat = customer(&driver, &server, "quero falar com um atendente humano").await;
    see(&chat, "[data-testid=notice][data-kind=queued]").await;
    let desk = driver.window(390, 844).await;
    desk.goto(&format!("{}/#/filas", server.url())).await.unwrap();
    desk.execute("localStorage.setItem('correnteza.agent', 'Ana')", vec![]).await.unwrap();
    desk.refresh().await.unwrap();
    click(&desk, &format!("{} a", id("queue-row"))).await;
    click(&desk, &id("claim")).await;
    see(&chat, "[data-testid=notice][data-kind=agent]").await;
    see(&desk, &id("reply-text")).await.send_keys("Oi! Já estou vendo.").await.unwrap();
    click(&desk, &id("reply-send")).await;
    reads(&chat, &id("agent-message"), "já estou vendo").await;
    // Passed on with a note that the customer does not see, and taken back from there.
    click(&desk, &id("handling")).await;
    see(&desk, &id("note-text")).await.send_keys("quer o plano maior").await.unwrap();
    see(&desk, &id("transfer-to")).await.select_by_value("vendas").await.unwrap();
    click(&desk, &id("transfer")).await;
    reads(&desk, ".bubble.note", "quer o plano maior").await;
    assert!(!chat.source().await.unwrap().contains("plano maior"));
    click(&desk, &id("claim")).await;
    // What the machine would say of the next message is put into the box by a click.
    see(&chat, &id("chat-input")).await.send_keys("qual a senha do meu wifi?").await.unwrap();
    click(&chat, &id("chat-send")).await;
    click(&desk, &id("use-suggestion")).await;
    let typed = see(&desk, &id("reply-text")).await.prop("value").await.unwrap();
    assert!(typed.unwrap_or_default().contains("etiqueta do roteador"));
    click(&desk, &id("resolve")).await;
    see(&chat, "[data-testid=notice][data-kind=over]").await;
    // Nothing is wider than the phone.
    for window in [&chat, &desk] {
        let wider = "return document.documentElement.scrollWidth > window.innerWidth";
        assert_eq!(window.execute(wider, vec![]).await.unwrap(), json!(false));
    }
    chat.close().await.unwrap();
    desk.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_checked_the_path_closes_the_numbers_show_it_and_it_is_opened_again() {
    let Some(driver) = Driver::start().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy.toml");
    let built_in = std::fs::read_to_string(root().join("router/policy.toml")).unwrap();
    std::fs::write(&policy, built_in.replace("share = 0.015", "share = 1.0")).unwrap();
    let options = Options::at(&dir.path().join("data"))
        .with("ROUTER__POLICY_FILE", policy.to_str().unwrap())
        .with("MODELS__DIR", &models_with_table(dir.path()));
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    for n in 0..4 {
        let decision = api.decide(&format!("C{n}"), "minha internet caiu").await.unwrap();
        assert_eq!(decision["route"], "auto", "{decision}");
    }
    // The page asks when it opens, and then not for long: what is to be checked is there by then.
    let all = |answer: &Answer| answer.body["checks"].as_array().map(Vec::len) == Some(4);
    api.until("/v1/checks", PATIENCE, all).await.unwrap();
    let desk = driver.window(1440, 900).await;
    desk.goto(&format!("{}/#/conferir", server.url())).await.unwrap();
    desk.execute("localStorage.setItem('correnteza.agent', 'Ana')", vec![]).await.unwrap();
    desk.refresh().await.unwrap();
    // A person finds every one of them wrong.
    for n in (0..4).rev() {
        let card = format!("{}:first-child", id("check"));
        reads(&desk, &card, "minha internet caiu").await;
        click(&desk, &format!("{card} {}", id("verdict-wrong"))).await;
        let choice = see(&desk, &format!("{card} {}", id("verdict-intent"))).await;
        choice.select_by_value("lentidao").await.unwrap();
        click(&desk, &format!("{card} {}", id("verdict-save"))).await;
        are(&desk, &id("check"), n).await;
    }
    // The banner says that the intent is closed, on every page; the numbers say why.
    reads(&desk, &id("closed-sem_conexao"), "sem conexão").await;
    click(&desk, ".nav a[data-view=numbers]").await;
    reads(&desk, &format!("{} .rates li", id("model")), "4 de 4").await;
    for plot in ["chart-unknown", "chart-psi"] {
        see(&desk, &id(plot)).await;
    }
    click(&desk, &id("reopen")).await;
    are(&desk, &id("closed-sem_conexao"), 0).await;

    // What the CRM told of a customer is told in the decision, in words.
    let first = api.decide("C5", "minha internet está lenta").await.unwrap();
    let conversation = first["conversation_id"].as_str().unwrap();
    let answered = |answer: &Answer| answer.text.contains("reply_sent");
    let path = format!("/v1/conversations/{conversation}");
    api.until(&path, PATIENCE, answered).await.unwrap();
    api.decide("C5", "alguma novidade?").await.unwrap();
    // The page does not ask again for what came before it was opened.
    let both = |answer: &Answer| answer.text.matches("turn_decided").count() == 2;
    api.until(&path, PATIENCE, both).await.unwrap();
    desk.goto(&format!("{}/#/conversa/{conversation}", server.url())).await.unwrap();
    reads(&desk, &id("ngrams"), "linha sem sinal").await;
    desk.close().await.unwrap();
}
