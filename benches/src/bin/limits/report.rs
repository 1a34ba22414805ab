//! What a measurement says: cases with figures, some held to a bar; as JSON lines and as a table.
//!
//! Invariant: a case that is not valid holds no bar.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::plot;

/// A number that was found.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it is, its unit last.
    pub name: &'static str,
    /// How much.
    pub found: f64,
    /// The most it may be, where something is asked.
    pub most: Option<f64>,
}

/// One thing that was measured.
#[derive(Debug, Clone)]
pub struct Case {
    /// What.
    pub name: String,
    /// Of which size, in a curve.
    pub size: Option<f64>,
    /// What was found, the most telling first.
    pub figures: Vec<Figure>,
    /// Why it does not count; empty when it does.
    pub invalid_because: Vec<String>,
    /// How it was done, and whatever else is worth keeping.
    pub about: Map<String, Value>,
}

impl Case {
    /// Nothing found yet.
    pub fn of(name: impl Into<String>) -> Self {
        let (size, figures, about) = (None, Vec::new(), Map::new());
        Self { name: name.into(), size, figures, invalid_because: Vec::new(), about }
    }

    /// The same at one place of a curve.
    #[allow(clippy::cast_precision_loss)] // sizes of runs
    pub fn at(self, size: u64) -> Self {
        Self { size: Some(size as f64), ..self }
    }

    /// And this figure.
    pub fn with(mut self, name: &'static str, found: f64) -> Self {
        self.figures.push(Figure { name, found, most: None });
        self
    }

    /// And this figure, which may be `most` at most.
    pub fn held(mut self, name: &'static str, found: f64, most: f64) -> Self {
        self.figures.push(Figure { name, found, most: Some(most) });
        self
    }

    /// And this about it.
    pub fn about(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.about.insert(name.to_owned(), value.into());
        self
    }

    /// Whether it counts.
    pub fn is_valid(&self) -> bool {
        self.invalid_because.is_empty()
    }

    /// Whether everything asked of it holds; `None` where nothing is.
    pub fn holds(&self) -> Option<bool> {
        let mut asked = self.figures.iter().filter_map(|f| Some(f.found <= f.most?)).peekable();
        asked.peek()?;
        Some(asked.all(|holds| holds) && self.is_valid())
    }

    fn json(&self, program: &str, load: [f64; 2]) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|f| (f.name.to_owned(), json!(f.found))).collect();
        let bars: Map<String, Value> = self
            .figures
            .iter()
            .filter_map(|figure| Some((figure.name.to_owned(), json!(figure.most?))))
            .collect();
        json!({
            "program": program, "case": self.name, "size": self.size, "figures": figures,
            "bars": bars, "holds": self.holds(), "valid": self.is_valid(),
            "invalid_because": self.invalid_because, "about": self.about, "load_average": load,
        })
    }
}

/// A number with as many digits as people read.
pub fn number(found: f64) -> String {
    match found.abs() {
        size if size >= 1_000.0 || found.fract() == 0.0 => format!("{found:.0}"),
        size if size >= 10.0 => format!("{found:.1}"),
        size if size >= 0.1 => format!("{found:.2}"),
        _ => format!("{found:.4}"),
    }
}

/// All cases as a table in Markdown.
pub fn table(cases: &[Case]) -> String {
    let mut text = "| case | figures | bar | holds |\n|---|---|---|---|\n".to_owned();
    for case in cases {
        let told = |f: &Figure| format!("{} {}", f.name, number(f.found));
        let figures: Vec<String> = case.figures.iter().map(told).collect();
        let bar = |f: &Figure| Some(format!("{} ≤ {}", f.name, number(f.most?)));
        let bars: Vec<String> = case.figures.iter().filter_map(bar).collect();
        let holds = match (case.is_valid(), case.holds()) {
            (false, _) => format!("INVALID: {}", case.invalid_because.join("; ")),
            (true, Some(true)) => "yes".to_owned(),
            (true, Some(false)) => "**no**".to_owned(),
            (true, None) => "–".to_owned(),
        };
        let size = case.size.map(|size| format!(" {}", number(size))).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {}{size} | {} | {} | {holds} |",
            case.name,
            figures.join(", "),
            bars.join(", ")
        );
    }
    text
}

/// Says and writes everything: `limits_<program>.jsonl`, `.md` and `.svg` in `out`.
pub fn write(
    out: &Path,
    program: &str,
    load: [f64; 2],
    cases: &[Case],
    panels: &[plot::Panel],
) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let path = |ending: &str| out.join(format!("limits_{program}.{ending}"));
    let mut lines = std::fs::File::create(path("jsonl"))?;
    for case in cases {
        writeln!(lines, "{}", case.json(program, load))?;
    }
    let table = table(cases);
    std::fs::write(path("md"), &table)?;
    std::fs::write(path("svg"), plot::svg(panels))?;
    println!("load average {} before, {} after\n{table}", number(load[0]), number(load[1]));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_valid_holds_nothing() {
        let case = Case::of("append").held("cpu_us_a_record", 4.0, 5.0);
        assert_eq!(case.holds(), Some(true));
        assert_eq!(case.clone().held("p95_ms", 3.0, 2.0).holds(), Some(false));
        let late = Case { invalid_because: vec!["late".to_owned()], ..case.clone() };
        assert_eq!(late.holds(), Some(false));
        assert!(table(&[late]).contains("INVALID: late"));
        assert_eq!(Case::of("x").with("y", 1.0).holds(), None);
        let told = table(&[case]);
        assert!(
            told.contains("| append | cpu_us_a_record 4 | cpu_us_a_record ≤ 5 | yes |"),
            "{told}"
        );
    }
}
