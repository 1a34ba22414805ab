//! A real `correnteza serve` as a child process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use parking_lot::Mutex;

use crate::api::Api;

/// How long a start may take; a debug build on a busy machine trains nothing, it only opens files.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// The binary under test: `CORRENTEZA_BIN`, or the one cargo builds beside these tests.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(|error| anyhow::anyhow!(error))
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("CORRENTEZA_BIN") {
        return Ok(PathBuf::from(given));
    }
    // …/target/<profile>/deps/<this test>
    let mine = std::env::current_exe()?;
    let profile = mine
        .ancestors()
        .find(|dir| dir.join("deps").is_dir())
        .context("these tests are not in a target directory; set CORRENTEZA_BIN")?;
    let release = profile.file_name().is_some_and(|name| name == "release");
    let target = profile.parent().context("no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "app", "--bin", "correnteza"]);
    build.args(["--features", "failpoints"]);
    build.arg("--manifest-path").arg(root().join("Cargo.toml"));
    build.arg("--target-dir").arg(target);
    if release {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "the binary under test does not build");
    Ok(profile.join("correnteza"))
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The models of the bundled corpus, trained once for all tests and again when the binary changes.
///
/// # Errors
/// When training fails.
pub fn models() -> anyhow::Result<PathBuf> {
    static TRAINED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| train().map_err(|error| format!("{error:#}")));
    trained.clone().map_err(|error| anyhow::anyhow!(error))
}

fn train() -> anyhow::Result<PathBuf> {
    let binary = binary()?;
    let beside = binary.parent().context("the binary has no directory")?;
    let changed = binary.metadata()?.modified()?;
    let stamp = changed.duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let dir = beside.join("test-models").join(stamp.to_string());
    if dir.join("complete").exists() {
        return Ok(dir);
    }
    let unfinished = beside.join("test-models").join(format!("{stamp}.{}", std::process::id()));
    let trained = Command::new(&binary)
        .args(["fit", "--bundled", "--out"])
        .arg(&unfinished)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(trained.success(), "the bundled models could not be trained");
    std::fs::write(unfinished.join("complete"), "")?;
    // Another test process may have been faster: its models are the same.
    if std::fs::rename(&unfinished, &dir).is_err() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    Ok(dir)
}

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// Its port; 0 lets it choose.
    pub port: u16,
    /// Settings, by the name they have in the environment without `CORRENTEZA__`.
    pub settings: Vec<(String, String)>,
    /// The rest of its environment that is not ours.
    pub environment: Vec<(String, String)>,
    /// What it is asked to do.
    pub command: Vec<&'static str>,
}

impl Options {
    /// A server with its data in `data_dir`, grouping messages for 300 ms.
    #[must_use]
    pub fn at(data_dir: &Path) -> Self {
        let command = vec!["serve"];
        let (settings, environment) = (Vec::new(), Vec::new());
        Self { data_dir: data_dir.to_owned(), port: 0, settings, environment, command }
            .with("GROUPING__WINDOW_MS", "300")
            .with("GROUPING__AGE_MS_MAX", "1000")
            .with("CRM__LATENCY_MS_P50", "10")
            .with("CRM__ERRORS_PER_MILLE", "0")
    }

    /// Everything in one process, on Kafka and CQL.
    #[must_use]
    pub fn on_cluster(self) -> Self {
        Self { command: vec!["run", "all"], ..self }
    }

    /// With another setting.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Runs another command of the binary to its end, with these settings; gives what it printed.
    ///
    /// # Errors
    /// When it fails; with what it complained of.
    pub fn run(&self, command: &[&str]) -> anyhow::Result<String> {
        let ended = self.with_settings(command)?.output()?;
        let complaint = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "{} failed: {complaint}", command.join(" "));
        Ok(String::from_utf8(ended.stdout)?)
    }

    fn with_settings(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .args(arguments)
            .env("CORRENTEZA__SERVER__DATA_DIR", &self.data_dir)
            .env("CORRENTEZA__MODELS__DIR", models()?)
            .envs(self.settings.iter().map(|(key, value)| (format!("CORRENTEZA__{key}"), value)))
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        Ok(command)
    }
}

/// A file with the routing policy that is built in, but for a shorter patience: a conversation that
/// waits for people is late after a minute.
///
/// # Errors
/// When there is no such policy, or no room for the file.
pub fn impatient_policy(dir: &Path) -> anyhow::Result<PathBuf> {
    let policy = std::fs::read_to_string(root().join("router/policy.toml"))?;
    let mut section = "";
    let mut changed = String::new();
    for line in policy.lines() {
        section = if line.starts_with('[') { line } else { section };
        match line.split_once(" = ").filter(|_| section == "[first_response_minutes]") {
            Some((queue, _)) => changed.push_str(&format!("{queue} = 1\n")),
            None => changed.push_str(&format!("{line}\n")),
        }
    }
    std::fs::create_dir_all(dir)?;
    let file = dir.join("policy.toml");
    std::fs::write(&file, changed)?;
    Ok(file)
}

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    /// Its port.
    pub port: u16,
    options: Options,
    said: Arc<Mutex<String>>,
    /// They end when it has said everything.
    listening: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up; with what it said.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let mut server = Self::spawn(options)?;
        server.port = server.announced().await?;
        server.ready().await?;
        Ok(server)
    }

    /// Starts one and does not wait for anything.
    ///
    /// # Errors
    /// When there is no binary to start.
    pub fn spawn(options: Options) -> anyhow::Result<Self> {
        let mut command = options.with_settings(&options.command)?;
        command
            .args(["--listen", &format!("127.0.0.1:{}", options.port)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let said = Arc::new(Mutex::new(String::new()));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let listening = vec![
            listen(err.context("no standard error")?, &said),
            listen(out.context("no standard output")?, &said),
        ];
        Ok(Self { child, port: options.port, options, said, listening })
    }

    /// Waits until it tells its address.
    async fn announced(&mut self) -> anyhow::Result<u16> {
        let until = Instant::now() + START_WITHIN;
        loop {
            let said = self.said();
            let port = said
                .split_once("http://127.0.0.1:")
                .and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
            if let Some(port) = port {
                return Ok(port);
            }
            self.look(until).await?;
        }
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START_WITHIN;
        let api = self.api();
        while api.get("/readyz").await.map_or(0, |answer| answer.status) != 200 {
            self.look(until).await?;
        }
        Ok(())
    }

    async fn look(&mut self, until: Instant) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended with {status}; it said:\n{}", self.said());
        }
        ensure!(Instant::now() < until, "the server did not come up; it said:\n{}", self.said());
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// What it has written on its outputs.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().clone()
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of it.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(&self.url())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself; gives how. Nothing: it does not.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub async fn ends(&mut self, within: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let until = Instant::now() + within;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() > until {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends it as a crash does; gives how to start it again on the same port.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> anyhow::Result<Options> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(Options { port: self.port, ..self.options.clone() })
    }

    /// Asks it to stop (SIGTERM) and waits; gives what it said and how to start it again.
    ///
    /// # Errors
    /// When it does not stop in time or fails.
    pub async fn stop(mut self) -> anyhow::Result<(String, Options)> {
        let told = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status()?;
        ensure!(told.success(), "SIGTERM could not be sent");
        let until = Instant::now() + STOP_WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < until, "it did not stop; it said:\n{}", self.said());
            tokio::time::sleep(LOOK).await;
        };
        for listener in self.listening.drain(..) {
            ensure!(listener.join().is_ok(), "what it said could not be read to the end");
        }
        ensure!(status.success(), "it ended with {status}; it said:\n{}", self.said());
        Ok((self.said(), Options { port: self.port, ..self.options.clone() }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(pipe: impl std::io::Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock();
            said.push_str(&line);
            said.push('\n');
        }
    })
}
