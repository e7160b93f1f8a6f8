//! The demo stack as a person works on it: PostgreSQL, Redis, RabbitMQ, Flask, Celery and nginx, brought up by hob from
//! what `hob init shop` writes. An order is placed and worked on; edits of the api, the page and the worker are live.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Long enough for the first build on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(8);

struct Shop {
    folder: tempfile::TempDir,
    project: String,
    web: u16,
    api: u16,
}

impl Shop {
    /// Writes the shop into a folder of its own, with ports of its own.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        let shop = Self { folder, project: format!("hobshop{}", std::process::id()), web: ports[0], api: ports[1] };
        shop.ok(&["init", "shop"]);
        shop.edit("devenv.yaml", "127.0.0.1:8080:8080", &format!("127.0.0.1:{}:8080", shop.web));
        shop.edit("devenv.yaml", "127.0.0.1:8081:8081", &format!("127.0.0.1:{}:8081", shop.api));
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hob(&self, arguments: &[&str]) -> Command {
        let mut hob = Command::new(env!("CARGO_BIN_EXE_hob"));
        hob.current_dir(self.folder.path()).args(["-p", &self.project, "--progress", "plain"]).args(arguments);
        hob.env("HOB_RUNTIME_DIR", self.folder.path().join(".run")).stdin(Stdio::null());
        hob
    }

    fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.hob(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hob {arguments:?}: {}\n{text}", output.status);
        output
    }

    /// Saves a file with one text in place of another, as an editor does: beside it, and then renamed.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        assert!(before.contains(from), "{name} has no {from:?}");
        let beside = self.path(&format!("{name}.save"));
        fs::write(&beside, before.replace(from, to)).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    /// What a service is and has said, for whoever reads of a failure.
    fn state(&self, service: &str) -> String {
        let logs: &[&str] = &["logs", "--timestamps", "-n", "300", service];
        let queue: &[&str] = &[
            "exec",
            "-T",
            "broker",
            "rabbitmqctl",
            "list_queues",
            "name",
            "messages_ready",
            "messages_unacknowledged",
        ];
        let commands: [&[&str]; 4] = [&["ps", "-a"], &["top", service], queue, logs];
        let of = |arguments: &&[&str]| {
            let output = self.hob(arguments).output().unwrap();
            format!("hob {arguments:?}\n{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()))
        };
        commands.iter().map(of).collect()
    }

    /// Places orders and waits until all are done; runs a command while they are in flight.
    fn orders(&self, count: usize, then: Option<&str>) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/shop-check");
        let mut check = Command::new(script);
        check.args(["-n", &count.to_string(), "--within", "120"]).current_dir(self.folder.path());
        check.env("SHOP_WEB", format!("http://127.0.0.1:{}", self.web));
        check.env("SHOP_API", format!("http://127.0.0.1:{}", self.api));
        if let Some(then) = then {
            check.args(["--then", then]);
        }
        check
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.hob(&["down", "-v", "--rmi", "local"]).output();
    }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks until the answer contains a text.
fn until(port: u16, path: &str, text: &str) {
    let began = Instant::now();
    loop {
        let answer = get(port, path);
        if answer.as_ref().is_ok_and(|answer| answer.contains(text)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{path} never said {text:?}: {answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A watch, and the lines that it says.
struct Watch(Child, std::sync::mpsc::Receiver<String>);

impl Watch {
    fn start(shop: &Shop) -> Self {
        let mut child =
            shop.hob(&["watch", "--no-up", "--timings"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let said = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self(child, lines)
    }

    /// The lines that nobody has read yet.
    fn said(&self) -> Vec<String> {
        self.1.try_iter().collect()
    }

    /// The next line that contains a text.
    fn says(&self, text: &str) -> String {
        let began = Instant::now();
        let mut all = Vec::new();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.1.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => all.push(line),
                Err(error) => panic!("the watch never said {text:?} ({error}): {all:#?}"),
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs an engine: run it with --include-ignored"]
fn an_order_is_placed_and_worked_on_and_every_edit_is_live() {
    let shop = Shop::new();
    shop.ok(&["up", "-d", "--wait"]);
    let first = shop.orders(2, None).output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    until(shop.api, "/", "Welcome to the shop");

    let watch = Watch::start(&shop);
    watch.says("watching");

    shop.edit("api/app.py", "Welcome to the shop", "Hello from the test");
    until(shop.api, "/", "Hello from the test");
    let line = watch.says("api/app.py");
    assert!(line.contains("synced + restarted"), "{line}");

    shop.edit("web/static/index.html", "<title>The shop", "<title>The edited shop");
    until(shop.web, "/", "<title>The edited shop");
    assert!(watch.says("web/static/index.html").contains("synced"));

    // The worker is edited while orders are in flight: all are done in the end, some by the new code.
    let edit = "sed -i 's/} packed\"/} packed by the new worker\"/' worker/tasks.py";
    let orders = shop.orders(40, Some(edit)).output().unwrap();
    let said = String::from_utf8_lossy(&orders.stdout).into_owned() + &String::from_utf8_lossy(&orders.stderr);
    assert!(orders.status.success(), "an order was lost: {said}\n{}\n{:#?}", shop.state("worker"), watch.said());
    assert!(!said.starts_with("0 of"), "orders were in flight: {said}");
    assert!(watch.says("worker/tasks.py").contains("synced + restarted"));
    until(shop.web, "/api/orders", "packed by the new worker");
    drop(watch);

    // What was synced is caught up with, and then there is nothing to do.
    shop.ok(&["up", "-d", "--wait"]);
    let again = shop.ok(&["up", "-d"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("nothing to do"), "{said}");
    until(shop.api, "/", "Hello from the test");
}
