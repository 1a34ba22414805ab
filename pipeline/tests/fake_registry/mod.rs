//! A schema registry as far as a client sees it: Confluent's routes over real HTTP, on a port of
//! 127.0.0.1 that stays the same while it is down.
//!
//! Faithful in what clients trip over: an id belongs to a schema, not to a subject; registering again
//! gives the same id; texts come back laid out anew; what is incompatible is a 409; errors have a code
//! and words.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// How it feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Connections end before an answer.
    Down,
    /// Answers come after so long.
    Slow(Duration),
    /// Every answer is this.
    Says(u16),
}

struct State {
    mood: Mood,
    /// Schemas by id, from 1.
    schemas: Vec<Value>,
    subjects: HashMap<String, Vec<u32>>,
    levels: HashMap<String, String>,
    /// `Basic ...`, when asked for.
    authorization: Option<String>,
    /// Method and path of what was asked.
    asked: Vec<String>,
}

pub struct FakeRegistry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl FakeRegistry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Well,
            schemas: Vec::new(),
            subjects: HashMap::new(),
            levels: HashMap::new(),
            authorization: None,
            asked: Vec::new(),
        }));
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn feels(&self, mood: Mood) {
        self.state.lock().mood = mood;
    }

    pub fn asks_for(&self, authorization: &str) {
        self.state.lock().authorization = Some(authorization.to_owned());
    }

    /// Registers without being asked.
    pub fn has(&self, subject: &str, schema: &Value) -> u32 {
        self.state.lock().add(subject, schema)
    }

    pub fn loses_everything(&self) {
        let mut state = self.state.lock();
        state.schemas.clear();
        state.subjects.clear();
        state.levels.clear();
    }

    pub fn asked(&self) -> Vec<String> {
        self.state.lock().asked.clone()
    }

    pub fn level(&self, subject: &str) -> Option<String> {
        self.state.lock().levels.get(subject).cloned()
    }

    pub fn subjects(&self) -> Vec<String> {
        let mut subjects: Vec<String> = self.state.lock().subjects.keys().cloned().collect();
        subjects.sort();
        subjects
    }
}

impl State {
    fn add(&mut self, subject: &str, schema: &Value) -> u32 {
        let at = self.schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
            self.schemas.push(schema.clone());
            self.schemas.len() - 1
        });
        let id = u32::try_from(at + 1).unwrap();
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        id
    }

    /// Whether readers of `schema` can read what was written with the versions there are.
    fn takes(&self, subject: &str, schema: &Value) -> bool {
        let level = self.levels.get(subject).map_or("BACKWARD", String::as_str);
        let versions = self.subjects.get(subject).cloned().unwrap_or_default();
        let before = match level {
            "NONE" => &[],
            level if level.ends_with("_TRANSITIVE") => &versions[..],
            _ => &versions[versions.len().saturating_sub(1)..],
        };
        before.iter().all(|id| reads(schema, &self.schemas[*id as usize - 1]))
    }
}

/// As far as the top fields tell: what was not there before needs a default, types stay.
fn reads(reader: &Value, writer: &Value) -> bool {
    let fields = |schema: &Value| schema["fields"].as_array().cloned().unwrap_or_default();
    let written = fields(writer);
    reader["name"] == writer["name"]
        && fields(reader).iter().all(|field| {
            match written.iter().find(|other| other["name"] == field["name"]) {
                Some(other) => other["type"] == field["type"],
                None => field.get("default").is_some(),
            }
        })
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    // One connection is kept for many requests, as a real server does.
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or_default() == 0 {
            return;
        }
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mood = state.lock().mood;
        let (status, answer) = match mood {
            Mood::Down => return,
            Mood::Says(status) => (status, json!({"error_code": 50_001, "message": "not today"})),
            mood => {
                if let Mood::Slow(pause) = mood {
                    std::thread::sleep(pause);
                }
                answered(&first, authorization.as_deref(), &body, &mut state.lock())
            }
        };
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} .\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n\
             Content-Length: {}\r\n\r\n",
            answer.len()
        );
        let mut stream = stream;
        if stream.write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

fn answered(
    first: &str,
    authorization: Option<&str>,
    body: &[u8],
    state: &mut State,
) -> (u16, Value) {
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    state.asked.push(format!("{method} {path}"));
    if state.authorization.is_some() && state.authorization.as_deref() != authorization {
        return (401, json!({"error_code": 401, "message": "Unauthorized"}));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let schema = || serde_json::from_str::<Value>(body["schema"].as_str()?).ok();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method, &parts[..]) {
        ("POST", ["subjects", subject, "versions"]) => match schema() {
            None => (422, json!({"error_code": 42_201, "message": "Invalid schema"})),
            Some(schema) => {
                let known = state.subjects.get(*subject).is_some_and(|versions| {
                    versions.iter().any(|id| state.schemas[*id as usize - 1] == schema)
                });
                if !known && !state.takes(subject, &schema) {
                    let message = "Schema being registered is incompatible with an earlier schema";
                    return (409, json!({"error_code": 409, "message": message}));
                }
                (200, json!({"id": state.add(subject, &schema)}))
            }
        },
        ("POST", ["compatibility", "subjects", subject, "versions", "latest"]) => {
            let takes = schema().is_some_and(|schema| state.takes(subject, &schema));
            (200, json!({"is_compatible": takes}))
        }
        ("GET", ["schemas", "ids", id]) => {
            let at = id.parse::<usize>().unwrap_or(0).wrapping_sub(1);
            match state.schemas.get(at) {
                // Laid out anew, not as it was given.
                Some(schema) => {
                    (200, json!({"schema": serde_json::to_string_pretty(schema).unwrap()}))
                }
                None => (404, json!({"error_code": 40_403, "message": "Schema not found"})),
            }
        }
        ("GET", ["config", subject]) => match state.levels.get(*subject) {
            Some(level) => (200, json!({"compatibilityLevel": level})),
            None => (404, json!({"error_code": 40_408, "message": "No level of its own"})),
        },
        ("PUT", ["config", subject]) => {
            let level = body["compatibility"].as_str().unwrap().to_owned();
            state.levels.insert((*subject).to_owned(), level.clone());
            (200, json!({"compatibility": level}))
        }
        _ => (404, json!({"error_code": 404, "message": "HTTP 404 Not Found"})),
    }
}
