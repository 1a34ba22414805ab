//! Several tenants on one server: each sees its own and nothing else, by the API and at the desk.

use std::time::Duration;

use serde_json::{Value, json};
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(60);
const ALL: &str = "all-0123456789abcdef";
const ACME: &str = "acme-0123456789abcdef";
const DEMO: &str = "demo-0123456789abcdef";

/// A client that shows `token`.
struct Shows<'a> {
    http: reqwest::Client,
    url: String,
    token: &'a str,
}

impl Shows<'_> {
    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(reqwest::Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(reqwest::Method::POST, path, Some(body)).await
    }

    /// What a customer with this number writes; the conversation and the message.
    async fn writes(&self, name: &str, text: &str) -> (String, String) {
        let customer = json!({ "phone": "+5511987654322", "name": name });
        let body = json!({ "channel": "whatsapp", "customer": customer, "text": text });
        let (status, decided) = self.post("/v1/messages?wait=decision", &body).await;
        assert_eq!(status, 200, "{decided}");
        let id = |key: &str| decided[key].as_str().unwrap().to_owned();
        (id("conversation_id"), id("message_id"))
    }

    /// What a customer of the API writes without waiting; the message.
    async fn leaves(&self, who: &str, text: &str) -> String {
        let body = json!({ "channel": "api", "customer": { "id": who }, "text": text });
        let (status, told) = self.post("/v1/messages", &body).await;
        assert_eq!(status, 202, "{told}");
        told["message_id"].as_str().unwrap().to_owned()
    }

    async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let (_, body) = self.get(path).await;
            if enough(&body) {
                return body;
            }
            assert!(std::time::Instant::now() < until, "{path}: {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn showing<'a>(server: &Server, token: &'a str) -> Shows<'a> {
    Shows { http: reqwest::Client::new(), url: server.url(), token }
}

fn options(dir: &tempfile::TempDir) -> Options {
    // Tokens come from files, as a cluster mounts them.
    let file = dir.path().join("acme-token");
    std::fs::write(&file, format!("{ACME}\n")).unwrap();
    Options::at(&dir.path().join("data"))
        .with("TENANTS__ACME__UTC_OFFSET_MINUTES", "-240")
        .with("TENANTS__ACME__TOKEN_FILE", file.to_str().unwrap())
        .with("TENANTS__DEMO__TOKEN", DEMO)
}

/// Waits for a minute before a turn ends.
fn slow(dir: &tempfile::TempDir) -> Options {
    options(dir).with("GROUPING__WINDOW_MS", "60000").with("GROUPING__AGE_MS_MAX", "60000")
}

/// Every place where something of a tenant is told.
const PLACES: [&str; 8] = [
    "/v1/conversations",
    "/v1/conversations?state=queued",
    "/v1/queues",
    "/v1/metrics/summary",
    "/v1/metrics/model",
    "/v1/checks",
    "/v1/tenants",
    "/v1/answers",
];

/// Asked by acme: ids and names of demo are as if there were none, whatever is done with them.
async fn others_do_not_exist(acme: &Shows<'_>, of_demo: &str, message_of_demo: &str) {
    let path = format!("/v1/conversations/{of_demo}");
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    let by_ana =
        json!({ "agent": "Ana", "text": "oi", "turn": 1, "queue": "vendas", "until_ms": 1 });
    for (method, path) in [
        (&get, path.clone()),
        (&get, format!("{path}/events")),
        (&get, format!("{path}/suggestion")),
        (&get, format!("/v1/messages/{message_of_demo}")),
        (&post, format!("{path}/claim")),
        (&post, format!("{path}/reply")),
        (&post, format!("{path}/note")),
        (&post, format!("{path}/transfer")),
        (&post, format!("{path}/label")),
        (&get, "/v1/conversations?tenant=demo".to_owned()),
        (&get, "/v1/queues?tenant=demo".to_owned()),
        (&get, "/v1/metrics/summary?tenant=demo".to_owned()),
        (&get, "/v1/metrics/model?tenant=demo".to_owned()),
        (&get, "/v1/checks?tenant=demo".to_owned()),
        (&get, "/v1/stream?tenant=demo".to_owned()),
        (&get, "/v1/answers?tenant=demo".to_owned()),
        (&get, "/v1/policy?tenant=demo".to_owned()),
        (&get, "/v1/tenants/demo".to_owned()),
        (&get, "/v1/tenants/demo/grouping".to_owned()),
    ] {
        let body = (method == post).then_some(&by_ana);
        let (status, told) = acme.ask(method.clone(), &path, body).await;
        assert_eq!((status, &told["code"]), (404, &json!("not_found")), "{method} {path}: {told}");
    }
    let written =
        json!({ "tenant": "demo", "channel": "api", "customer": { "id": "x" }, "text": "oi" });
    assert_eq!(
        acme.post("/v1/messages", &written).await.0,
        422,
        "there is no such tenant for acme"
    );
    let flush = acme.post("/v1/tenants/demo/grouping/flush", &json!({})).await;
    assert_eq!((flush.0, &flush.1["code"]), (404, &json!("not_found")));
    assert_eq!(acme.get("/v1/models").await.0, 403, "models are everybody's");
    assert_eq!(acme.get("/v1/conversations?tenant=acme").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_30_the_same_number_at_two_tenants_shares_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(&dir).with("SERVER__TOKEN", ALL)).await.unwrap();
    let (all, acme, demo) = (showing(&server, ALL), showing(&server, ACME), showing(&server, DEMO));
    let mut stream =
        reqwest::get(format!("{}/v1/stream?token={ACME}", server.url())).await.unwrap();
    assert_eq!(stream.status(), 200);

    let text = "quero falar com um atendente";
    let (of_acme, _) = acme.writes("Canária Acme", text).await;
    let (of_demo, message_of_demo) = demo.writes("Canária Demo", text).await;
    assert_ne!(of_acme, of_demo);
    let path = |id: &str| format!("/v1/conversations/{id}");
    acme.until(&path(&of_acme), |it| it["state"] == "queued").await;
    demo.until(&path(&of_demo), |it| it["state"] == "queued").await;

    // Nothing of one in what the other is told; each sees its own.
    for (mine, own, other) in [(&acme, &of_acme, "Canária Demo"), (&demo, &of_demo, "Canária Acme")]
    {
        for place in PLACES {
            let (status, body) = mine.get(place).await;
            assert_eq!(status, 200, "{place}: {body}");
            let theirs = if other == "Canária Demo" { &of_demo } else { &of_acme };
            let told = body.to_string();
            assert!(!told.contains(other) && !told.contains(theirs.as_str()), "{place}: {told}");
        }
        let listed =
            mine.until("/v1/conversations", |it| it.to_string().contains(own.as_str())).await;
        assert_eq!(listed["conversations"].as_array().unwrap().len(), 1);
        let waiting = mine.get("/v1/queues").await.1;
        let waiting = waiting["queues"].as_array().unwrap().iter();
        assert_eq!(waiting.map(|queue| queue["waiting"].as_i64().unwrap()).sum::<i64>(), 1);
        let tenants = mine.get("/v1/tenants").await.1;
        assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1);
    }
    others_do_not_exist(&acme, &of_demo, &message_of_demo).await;
    assert_eq!(showing(&server, "nobody-s-token-at-all").get("/v1/queues").await.0, 401);
    // Who has the installation's token sees both.
    for id in [&of_acme, &of_demo] {
        assert_eq!(all.get(&path(id)).await.0, 200);
    }
    assert_eq!(all.get("/v1/tenants").await.1["tenants"].as_array().unwrap().len(), 2);
    // What was streamed to acme was acme's.
    let mut told = String::new();
    while !told.contains("\"queued\"") {
        let piece = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap();
        told += &String::from_utf8_lossy(&piece.unwrap().unwrap());
    }
    assert!(told.contains(&of_acme) && !told.contains(&of_demo), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inactive_tenant_takes_nothing_in_and_its_people_finish_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let telegram = |options: Options| {
        options
            .with("CHANNELS__TELEGRAM__BOT__TENANT", "acme")
            .with("CHANNELS__TELEGRAM__BOT__SECRET_TOKEN", "a-telegram-secret")
    };
    let active = telegram(options(&dir));
    let server = Server::start(active.clone()).await.unwrap();
    let (open, _) = showing(&server, ACME).writes("Maria", "quero falar com um atendente").await;
    let (_, again) = server.stop().await.unwrap();
    let server = Server::start(again.with("TENANTS__ACME__ACTIVE", "false")).await.unwrap();
    let (acme, demo) = (showing(&server, ACME), showing(&server, DEMO));
    let body = json!({ "channel": "api", "customer": { "id": "x" }, "text": "oi" });
    let (status, told) = acme.post("/v1/messages", &body).await;
    assert_eq!((status, &told["code"]), (403, &json!("tenant_inactive")), "{told}");
    assert_eq!(demo.post("/v1/messages", &body).await.0, 202, "the other one goes on");
    let update = json!({ "update_id": 1, "message": { "message_id": 1, "date": 1_795_262_400,
        "chat": { "id": 5, "type": "private" }, "from": { "id": 5, "is_bot": false, "first_name": "M" },
        "text": "oi" } });
    let headers = [("x-telegram-bot-api-secret-token", "a-telegram-secret")];
    let hook = server.api();
    let update = serde_json::to_vec(&update).unwrap();
    let refused = hook.post_raw("/v1/channels/telegram/bot", &headers, update).await.unwrap();
    assert_eq!((refused.status, refused.str("/code")), (403, "tenant_inactive"));
    // What is open is finished. The store may take up its last lines after the start only.
    let path = format!("/v1/conversations/{open}");
    acme.until(&path, |it| it["state"] == "queued").await;
    for (what, agent) in
        [("claim", json!({ "agent": "Ana" })), ("resolve", json!({ "agent": "Ana" }))]
    {
        let (status, told) = acme.post(&format!("{path}/{what}"), &agent).await;
        assert_eq!(status, 200, "{told}");
    }
    // Resolved, the customer is asked how it was.
    acme.until(&path, |it| it["state"] == "resolved" || it["state"] == "csat").await;
    assert_eq!(acme.get("/v1/tenants/acme").await.1["active"], json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_23_open_groups_are_seen_and_ended_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(slow(&dir)).await.unwrap();
    let acme = showing(&server, ACME);
    let mut last = String::new();
    for text in ["oi", "minha internet", "caiu"] {
        last = acme.leaves("a", text).await;
    }
    acme.leaves("b", "quero o boleto").await;
    let grouping = "/v1/tenants/acme/grouping";
    let status = acme.until(grouping, |it| it["open_messages"] == 4).await;
    assert_eq!((&status["open_count"], &status["enabled"]), (&json!(2), &json!(true)), "{status}");
    assert!(
        status["open"][0]["age_ms"].as_i64().unwrap() >= 0
            && status["open"][0]["closes_in_ms"].as_i64().unwrap() > 1_000
    );
    // One of them is ended: its three texts get one answer, long before the window.
    let contact =
        status["open"].as_array().unwrap().iter().find(|group| group["messages"] == 3).unwrap();
    let flush = format!("{grouping}/flush");
    let one = json!({ "contact": contact["contact"] });
    assert_eq!(acme.post(&flush, &one).await, (202, json!({ "asked": 1 })));
    let decided = acme.until(&format!("/v1/messages/{last}"), |it| it["route"].is_string()).await;
    let events =
        format!("/v1/conversations/{}/events", decided["conversation_id"].as_str().unwrap());
    let answered = |it: &Value| {
        it["events"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["event"] == "reply_sent"))
    };
    let events = acme.until(&events, answered).await;
    let of = |name: &str| {
        events["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["event"] == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    let turns = of("turn_decided");
    assert_eq!((turns.len(), of("reply_sent").len(), of("message_received").len()), (1, 1, 3));
    assert_eq!(turns[0]["detail"]["closed_by"], "flush");
    acme.until(grouping, |it| it["open_count"] == 1).await;
    // The rest of them all.
    assert_eq!(acme.post(&flush, &json!({})).await, (202, json!({ "asked": 1 })));
    acme.until(grouping, |it| it["open_count"] == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grouping_is_switched_for_one_tenant_while_the_line_runs() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(slow(&dir)).await.unwrap();
    let (acme, grouping) = (showing(&server, ACME), "/v1/tenants/acme/grouping");
    // Every message is a turn then.
    let put = reqwest::Method::PUT;
    let off = json!({ "enabled": false });
    let (code, told) = acme.ask(put.clone(), grouping, Some(&off)).await;
    assert_eq!((code, &told["enabled"], &told["window_ms"]), (200, &json!(false), &json!(60_000)));
    // Stages take it up at a commit: who wrote before is still waited for.
    let until = std::time::Instant::now() + PATIENCE;
    let (mut written, mut decided) = (Vec::new(), false);
    while !decided {
        let id = acme.leaves(&format!("c{}", written.len()), "minha internet caiu").await;
        written.push(format!("/v1/messages/{id}"));
        for path in &written {
            decided |= acme.get(path).await.1["route"].is_string();
        }
        assert!(std::time::Instant::now() < until, "it is never taken up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        showing(&server, DEMO).get("/v1/tenants/demo/grouping").await.1["enabled"],
        json!(true)
    );
    let wrong = acme.ask(put, grouping, Some(&json!({ "window_ms": 99_999 }))).await;
    assert_eq!((wrong.0, &wrong.1["code"]), (422, &json!("wrong")));
    let (code, told) = acme.ask(reqwest::Method::DELETE, grouping, None).await;
    assert_eq!((code, &told["enabled"], &told["inherited"]), (200, &json!(true), &json!(true)));
}
