//! The pages in a real browser: a customer writes, the desk shows why, an agent takes over.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// A chromedriver of ours; ends with the test.
struct Driver {
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
    async fn start() -> Option<Self> {
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
    async fn window(&self, width: u32, height: u32) -> Client {
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

async fn see(window: &Client, selector: &str) -> fantoccini::elements::Element {
    let seen = window.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
    seen.unwrap_or_else(|error| panic!("{selector} never appeared: {error}"))
}

/// Waits for an element that is shown, and clicks it.
async fn click(window: &Client, selector: &str) {
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

fn id(name: &str) -> String {
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
