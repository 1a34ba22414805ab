//! The commands of people who look after models.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tests::server::{binary, models, root};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary().unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn classify_adds_what_the_model_says_to_each_line() {
    let dir = models().unwrap();
    let dir = dir.to_str().unwrap();
    let input = "{\"text\":\"minha internet caiu\",\"id\":7}\n{\"text\":\"me passa uma receita de bolo de cenoura\"}\n";
    let lines: Vec<Value> = out(&run(&["classify", "--model", dir], input))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["intent"], "sem_conexao");
    assert_eq!(lines[0]["id"], 7, "what else a line holds is kept");
    assert_eq!(lines[0]["would_answer"], true);
    assert_eq!(lines[1]["in_scope"], false);
    for field in [
        "confidence",
        "intents",
        "threshold",
        "sentiment",
        "sentiment_confidence",
        "frustrated",
        "urgent",
    ] {
        assert!(!lines[0][field].is_null(), "{field}: {}", lines[0]);
    }
    let broken = run(&["classify", "--model", dir], "{\"text\":\"oi\"}\nnot json\n");
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("line 2"), "the line is named");
}

#[test]
fn a_model_is_trained_and_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (data, model) = (dir.path().join("rows.jsonl"), dir.path().join("model"));
    let rows = std::fs::read_to_string(root().join("classifier/corpus/fora.jsonl")).unwrap()
        + &std::fs::read_to_string(root().join("classifier/corpus/falhas.jsonl")).unwrap();
    let rows: Vec<Value> = rows
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|row| Some(json!({ "text": row.get("text")?, "label": row.get("intent").or(row.get("label"))? })))
        .collect();
    assert!(rows.len() > 400, "{} rows", rows.len());
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&data, text).unwrap();
    let (data, model) = (data.to_str().unwrap(), model.to_str().unwrap());
    let train = ["train", "--task", "intent", "--data", data, "--out", model, "--force"];
    out(&run(&train, ""));
    let judged = out(&run(&["evaluate", "--model", model, "--data", data, "--json"], ""));
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged["n"], rows.len());
    assert!(judged["accuracy"].as_f64().unwrap() > 0.8, "on its own rows: {judged}");
    for field in
        ["macro_f1", "ece", "brier", "precision_auto", "coverage_auto", "oos_auroc", "oos_auto"]
    {
        assert!(judged[field].is_number(), "{field}: {judged}");
    }
    assert!(judged["coverage_at"]["95"].is_number() && judged["coverage_at"]["97"].is_number());
    let explained = out(&run(&["explain", "minha internet caiu", "--model", model], ""));
    assert!(explained.contains("caiu"), "{explained}");
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    assert_eq!(run(&["nothing"], "").status.code(), Some(2));
    let missing = run(&["evaluate", "--model", "/nowhere", "--data", "/nowhere.jsonl"], "");
    assert_eq!(missing.status.code(), Some(1));
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(said.contains("/nowhere"), "{said}");
}
