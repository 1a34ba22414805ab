//! The widget on somebody else's site, in a real browser: its script tag, its shadow, its keyboard; and
//! the same where no WebSocket gets through.

use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use fantoccini::Client;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::{Value, json};
use tests::api::Answer;
use tests::histories::of;
use tests::server::{Options, Server};
use tokio::net::TcpListener;

use crate::browser::Driver;

const PATIENCE: Duration = Duration::from_secs(30);

/// A site with rules of its own about everything, and the widget's script tag.
struct Site {
    url: String,
    listener: TcpListener,
}

impl Site {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), listener }
    }

    /// Serves it; `script` runs before the widget does.
    fn serve(self, server: &Server, script: &'static str) {
        let page = format!(
            "<!doctype html><html lang=pt-BR><title>Provedor</title><style>\
             * {{ font-family: serif; color: rgb(255, 0, 0) !important; letter-spacing: 9px }}\
             div, button, correnteza-chat {{ display: none !important; transform: scale(0.1) }}</style>\
             <p id=theirs>Planos</p><script>{script}</script>\
             <script src='{}/widget.js' data-account=loja async></script></html>",
            server.url()
        );
        let router = Router::new().route("/", get(move || async move { Html(page) }));
        tokio::spawn(async move { axum::serve(self.listener, router).await });
    }
}

fn options(dir: &std::path::Path, site: &Site) -> Options {
    Options::at(dir)
        .with("CHANNELS__WEB_CHAT__LOJA__TENANT", "demo")
        .with("CHANNELS__WEB_CHAT__LOJA__ORIGINS", &site.url)
}

/// What a script says of the widget; `q(selector)` finds one inside its shadow, `all(selector)` all.
async fn ask(window: &Client, script: &str) -> Value {
    let whole = format!(
        "const root = document.querySelector('correnteza-chat')?.shadowRoot;\
         const q = (selector) => root?.querySelector(selector);\
         const all = (selector) => [...(root?.querySelectorAll(selector) ?? [])];\
         return {script};"
    );
    window.execute(&whole, vec![]).await.unwrap()
}

/// Waits until a script says yes.
async fn until(window: &Client, script: &str) {
    let until = Instant::now() + PATIENCE;
    while ask(window, &format!("Boolean({script})")).await != json!(true) {
        let inside = "root?.querySelector('.log')?.innerText";
        let seen = ask(window, inside).await;
        assert!(Instant::now() < until, "never: {script}; the log says {seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Presses keys, one after the other.
async fn press(window: &Client, keys: impl IntoIterator<Item = char>) {
    let pressed = keys.into_iter().fold(KeyActions::new("keys".to_owned()), |actions, value| {
        actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
    });
    window.perform_actions(pressed).await.unwrap();
}

const LAUNCH: &str = "q('[data-testid=widget-open]')";
const SHOWN: &str = "q('[data-testid=widget-open]')?.getClientRects().length";
const ANSWERED: &str = "q('[data-testid=bot-message]')";

/// Opens the chat with the keyboard and writes.
async fn write(window: &Client, text: &str) {
    until(window, SHOWN).await;
    ask(window, &format!("{LAUNCH}.focus()")).await;
    press(window, [Key::Enter.into()]).await;
    until(window, "root.activeElement === q('#text')").await;
    press(window, text.chars().chain([Key::Enter.into()])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_script_tag_opens_the_chat_on_any_site() {
    let Some(driver) = Driver::start().await else { return };
    let (dir, site) = (tempfile::tempdir().unwrap(), Site::open().await);
    let url = site.url.clone();
    let server = Server::start(options(dir.path(), &site)).await.unwrap();
    site.serve(&server, "");
    let window = driver.window(1200, 900).await;
    window.goto(&url).await.unwrap();
    write(&window, "minha internet caiu").await;
    until(&window, ANSWERED).await;
    until(&window, "q('[data-testid=message]')?.dataset.state === 'received'").await;

    // Their rules do not reach inside, and ours do not reach out.
    let style = "(() => { const s = getComputedStyle(q('.bubble')); return [s.letterSpacing, s.color, s.display]; })()";
    let style = ask(&window, style).await;
    assert_eq!((&style[0], &style[2]), (&json!("normal"), &json!("block")), "{style}");
    assert_ne!(style[1], "rgb(255, 0, 0)");
    let theirs = "getComputedStyle(document.getElementById('theirs')).letterSpacing";
    assert_eq!(ask(&window, theirs).await, "9px");
    assert_eq!(ask(&window, "document.title").await, "Provedor");

    // A dialog with a name, whose log is read out; every control has a name too.
    let panel = "(({ role, ariaModal, ariaLabel }) => [role, ariaModal, ariaLabel])(q('.panel'))";
    assert_eq!(ask(&window, panel).await, json!(["dialog", "true", "Atendimento"]));
    assert_eq!(ask(&window, "q('#log').getAttribute('aria-live')").await, "polite");
    let nameless =
        "all('button').filter((one) => !(one.ariaLabel || one.textContent.trim())).length";
    assert_eq!(ask(&window, nameless).await, 0);
    // The keyboard goes round inside, and Escape leads back to the button.
    for _ in 0..12 {
        press(&window, [Key::Tab.into()]).await;
        assert_eq!(ask(&window, "q('.panel').contains(root.activeElement)").await, true);
    }
    press(&window, [Key::Escape.into()]).await;
    assert_eq!(ask(&window, &format!("root.activeElement === {LAUNCH}")).await, true);
    assert_eq!(ask(&window, "q('.panel').getClientRects().length").await, 0);

    // Reloaded, the conversation is still there.
    window.refresh().await.unwrap();
    until(&window, SHOWN).await;
    ask(&window, &format!("{LAUNCH}.click()")).await;
    until(&window, "q('[data-testid=message]')?.textContent.includes('minha internet caiu')").await;
    until(&window, ANSWERED).await;
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_socket_gets_through_nothing_is_missing() {
    let Some(driver) = Driver::start().await else { return };
    let (dir, site) = (tempfile::tempdir().unwrap(), Site::open().await);
    let url = site.url.clone();
    let server = Server::start(options(dir.path(), &site)).await.unwrap();
    // Every socket meets a port where nobody is, and answers to what is posted are held back.
    site.serve(
        &server,
        "window.tried = 0; window.WebSocket = class extends WebSocket { \
         constructor() { super('ws://127.0.0.1:9/'); window.tried += 1; } }; \
         window.answered = 0; const held = new Promise((go) => (window.letGo = go)); \
         const ask = window.fetch; window.fetch = async (url, asked) => { \
         const answer = await ask(url, asked); \
         if (!String(url).endsWith('/messages')) return answer; \
         const read = answer.json.bind(answer); answer.json = async () => { \
         await held; const told = await read(); \
         setTimeout(() => (window.answered += 1)); return told; }; \
         return answer; };",
    );
    let window = driver.window(390, 844).await;
    window.goto(&url).await.unwrap();
    write(&window, "minha internet caiu").await;
    until(&window, ANSWERED).await;
    assert_eq!(ask(&window, "window.tried").await, 2, "a socket was tried, and given up");
    let received = "q('[data-testid=message]')?.dataset.state === 'received'";
    until(&window, received).await;
    // The answer comes when the message has been seen in the history already; it is counted once the
    // page has acted on it.
    ask(&window, "window.letGo()").await;
    until(&window, "window.answered === 1").await;
    assert_eq!(ask(&window, received).await, true, "what was received is not sent again");

    // What is written while the server is away is kept, and is one message.
    let options = server.kill().unwrap();
    press(&window, "quero a segunda via".chars().chain([Key::Enter.into()])).await;
    until(&window, "all('[data-testid=message]').at(-1)?.dataset.state === 'waiting'").await;
    let server = Server::start(options).await.unwrap();
    until(&window, "all('[data-testid=message]').at(-1)?.dataset.state === 'received'").await;
    // Received by the door: the history has it a moment later.
    let heard = |lines: &[Value]| of(lines, "message_received").len() >= 2;
    let lines = server.api().until_lines(PATIENCE, heard).await.unwrap();
    assert_eq!(of(&lines, "message_received").len(), 2);
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_the_agent_and_the_form_are_seen_without_a_socket_too() {
    let Some(driver) = Driver::start().await else { return };
    let (dir, site) = (tempfile::tempdir().unwrap(), Site::open().await);
    let url = site.url.clone();
    let server = Server::start(options(dir.path(), &site)).await.unwrap();
    site.serve(&server, "delete window.WebSocket;");
    let window = driver.window(390, 844).await;
    window.goto(&url).await.unwrap();
    write(&window, "quero falar com um atendente humano").await;
    until(&window, "q('.notice.queued')?.textContent.includes('1ª')").await;
    assert_eq!(
        ask(&window, "q('.notice.queued').textContent.includes('Sem estimativa')").await,
        true
    );

    let api = server.api();
    let list = api.get("/v1/conversations").await.unwrap();
    let path = format!("/v1/conversations/{}", list.str("/conversations/0/conversation_id"));
    let ana = json!({ "agent": "Ana", "on": true });
    assert_eq!(api.post(&format!("{path}/claim"), &ana).await.unwrap().status, 200);
    until(&window, "q('.notice.agent')?.textContent.includes('Ana')").await;
    let owned = |answer: &Answer| answer.str("/owner") == "Ana";
    api.until(&path, PATIENCE, owned).await.unwrap();
    assert_eq!(api.post(&format!("{path}/typing"), &ana).await.unwrap().status, 204);
    until(&window, "q('#cue-text')?.textContent === 'Ana está digitando…'").await;
    assert_eq!(api.post(&format!("{path}/resolve"), &ana).await.unwrap().status, 200);
    until(&window, "q('[data-testid=csat]')").await;
    ask(&window, "q('[data-testid=csat] input[value=\"4\"]').click()").await;
    ask(&window, "q('[data-testid=csat] textarea').focus()").await;
    press(&window, "muito bom".chars()).await;
    ask(&window, "q('[data-testid=csat-send]').click()").await;
    until(&window, "all('.notice.over').at(-1)?.textContent.includes('Sua nota: 4 de 5')").await;
    assert_eq!(ask(&window, "all('[data-testid=csat]').length").await, 0);
    // The page was told before the history is written.
    let rated = |answer: &Answer| {
        answer.text.contains("muito bom") && answer.text.contains("csat_answered")
    };
    api.until(&path, PATIENCE, rated).await.unwrap();
    window.close().await.unwrap();
}
