//! Projects whose files are edited at random, and the law about them: a container that was kept hot has the files of
//! one that was built anew from the final tree.

mod edits;
mod files;
mod judge;

use std::time::{Duration, Instant};

use fastrand::Rng;

use edits::Edits;
use files::Files;

use super::{Lab, PATIENCE, Session, engine};

/// What a service's image is made of.
struct Shape {
    name: &'static str,
    dockerfile: &'static str,
    /// Without these it cannot be built; folders end with a slash.
    needed: &'static [&'static str],
}

const SHAPES: [Shape; 14] = [
    Shape {
        name: "whole",
        dockerfile: "RUN mkdir -p /app/src && echo base >/app/src/a && echo base >/app/based\nCOPY . /app\n",
        needed: &[],
    },
    Shape {
        name: "owned",
        dockerfile: "COPY --chown=1000:1000 src/ /srv/\nCOPY lib /lib2\n",
        needed: &["src/", "lib/"],
    },
    Shape { name: "mode", dockerfile: "COPY --chmod=750 src /m\nCOPY --chown=7 lib /n/\n", needed: &["src/", "lib/"] },
    Shape {
        name: "twice",
        dockerfile: "COPY src /one/\nCOPY src /two/deep/\nCOPY src/sub /one/other\n",
        needed: &["src/", "src/sub/"],
    },
    Shape {
        name: "patterns",
        dockerfile: "COPY src/*.txt /pick/\nCOPY lib/k* lib/a* /q/\n",
        needed: &["src/x.txt", "lib/keep", "lib/a"],
    },
    Shape {
        name: "single",
        dockerfile: "COPY src/a /file-a\nCOPY src/sub/b lib/keep /files/\n",
        needed: &["src/a", "src/sub/b", "lib/keep"],
    },
    Shape {
        name: "overlap",
        dockerfile: "COPY lib /app\nCOPY src /app\nCOPY src/sub /app/sub\n",
        needed: &["src/", "lib/", "src/sub/"],
    },
    Shape { name: "workdir", dockerfile: "WORKDIR /w/x\nCOPY . .\nUSER 1000\nWORKDIR /w/x/src\n", needed: &["src/"] },
    Shape {
        name: "later",
        dockerfile: "COPY lib /lib2\nRUN find /lib2 | sort >/listing\nCOPY src /srv\n",
        needed: &["src/", "lib/"],
    },
    Shape {
        name: "stage",
        dockerfile: "COPY lib /l\nFROM hob-test/busybox:1\nLABEL test=PROJECT\nCOPY --from=0 /l /l\nCOPY src /srv\n",
        needed: &["src/", "lib/"],
    },
    Shape {
        name: "link",
        dockerfile: "RUN mkdir -p /real/in && ln -s /real /via && ln -s in /real/lib\nCOPY src /via/\nCOPY lib /via/lib\n",
        needed: &["src/", "lib/"],
    },
    Shape { name: "add", dockerfile: "ADD src /srv\nADD lib/keep /srv/kept/\n", needed: &["src/", "lib/keep"] },
    Shape {
        name: "known",
        dockerfile: "RUN echo dev:x:700:700::/:/bin/sh >>/etc/passwd && echo dev:x:700: >>/etc/group\nCOPY --chown=dev:dev . /home/dev/app\nCOPY lib /home/dev/app/src/lib\n",
        needed: &["lib/"],
    },
    Shape { name: "top", dockerfile: "COPY . /\nCOPY src/sub/ /tmp/\n", needed: &["src/sub/"] },
];

/// A hob that watches and has said nothing for so long is done.
const SILENCE: Duration = Duration::from_secs(10);

/// A project that is edited.
pub struct Edited {
    pub lab: Lab,
    pub seed: u64,
    pub edits: Edits,
    shapes: Vec<&'static Shape>,
}

impl Edited {
    /// A project with two services.
    pub fn new(seed: u64) -> Self {
        let lab = Lab::new();
        let mut random = Rng::with_seed(seed);
        let first = random.usize(..SHAPES.len());
        let second = (first + 1 + random.usize(..SHAPES.len() - 1)) % SHAPES.len();
        let shapes = vec![&SHAPES[first], &SHAPES[second]];
        let mut manifest = "services:\n".to_owned();
        for shape in &shapes {
            lab.dockerfile(&format!("{}.Dockerfile", shape.name), &shape.dockerfile.replace("PROJECT", &lab.project));
            let reload = random.choice(["none", "none", "restart", "container", "{signal: SIGHUP}"]).unwrap();
            manifest.push_str(&format!(
                "  {}:\n    build: {{context: context, dockerfile: ../{}.Dockerfile}}\n    command: [sh, -c, \"trap : HUP; while :; \
                 do sleep 1000 & wait; done\"]\n    stop_signal: SIGKILL\n    network_mode: none\n    reload: {reload}\n",
                shape.name, shape.name
            ));
        }
        let mut edits = Edits::new(lab.dir.join("context"), random);
        edits.begin();
        edits.mend(&needed(&shapes));
        edits.log.push(format!("seed {seed}: {manifest}"));
        lab.manifest(&manifest);
        Self { lab, seed, edits, shapes }
    }

    pub fn services(&self) -> Vec<&'static str> {
        self.shapes.iter().map(|shape| shape.name).collect()
    }

    /// `up` or `watch`, watching.
    pub fn keep_hot(&mut self) -> Session {
        let command = if self.edits.random().u8(..100) < 50 { "up" } else { "watch" };
        self.edits.log.push(format!("hob {command}"));
        let mut args = vec!["--progress", "json", command];
        // Everything may have been killed for a moment.
        args.extend((command == "up").then_some("--watch"));
        let session = self.lab.start(&args);
        session.event(0, "watching", |_| true);
        session
    }

    /// `hob up -d`, which fails only where the judge's build does too, and the law after it. False where it failed.
    #[track_caller]
    pub fn up(&mut self) -> bool {
        self.edits.log.push("hob up -d".to_owned());
        let done = self.lab.hob(&["up", "-d"]);
        match done.code {
            0 => self.check(None),
            17 if !self.is_buildable() => return false,
            _ => panic!("HOB_SEED={}: {done}\nsteps:\n  {}", self.seed, self.edits.log.join("\n  ")),
        }
        true
    }

    /// A burst, and what the builds need after it.
    pub fn burst(&mut self) {
        let number = self.edits.random().choice([1, 2, 3, 5, 8, 13, 21]).unwrap();
        self.edits.steps(number);
        self.mend();
    }

    pub fn mend(&mut self) {
        self.edits.mend(&needed(&self.shapes));
    }

    /// The law. Waits until it holds, and as long as hob is at work.
    #[track_caller]
    pub fn check(&mut self, session: Option<&Session>) {
        if let Err(why) = self.holds(session) {
            panic!("{why}");
        }
    }

    /// Whether every service can be built: of several, one that cannot be keeps the others from their first start.
    pub fn is_buildable(&self) -> bool {
        self.shapes.iter().all(|shape| self.rebuilt(shape).is_some())
    }

    /// The same, with what is wrong.
    pub fn holds(&mut self, session: Option<&Session>) -> Result<(), String> {
        self.edits.log.push("compare".to_owned());
        for shape in self.shapes.clone() {
            let Some(rebuilt) = self.rebuilt(shape) else {
                self.edits.log.push(format!("{} cannot be built", shape.name));
                continue;
            };
            let began = Instant::now();
            let mut said = session.map_or(0, Session::mark);
            let mut moved = began;
            loop {
                let found = self.differences(shape, &rebuilt);
                if found.is_empty() {
                    break;
                }
                let now_said = session.map_or(0, Session::mark);
                if now_said != said {
                    (said, moved) = (now_said, Instant::now());
                }
                let patience = if session.is_some() { SILENCE } else { Duration::ZERO };
                if moved.elapsed() > patience || began.elapsed() > 2 * PATIENCE {
                    return Err(self.story(shape.name, &found, session));
                }
                std::thread::sleep(Duration::from_millis(250));
            }
        }
        Ok(())
    }

    fn differences(&self, shape: &Shape, rebuilt: &Files) -> Vec<String> {
        let all = self.lab.containers();
        let own: Vec<_> = all.iter().filter(|c| c.service == shape.name).collect();
        match own[..] {
            [one] if one.state == "running" => match files::read(&one.id) {
                Some(hot) => files::differences(&hot, rebuilt),
                None => vec!["its container went away".to_owned()],
            },
            _ => vec![format!("not one running container: {own:?}")],
        }
    }

    fn story(&self, service: &str, found: &[String], session: Option<&Session>) -> String {
        let told = |event: &serde_json::Value| {
            !matches!(
                event["type"].as_str(),
                Some("build-step" | "build-transfer" | "build-output" | "build-step-done")
            )
        };
        let said: Vec<String> = session
            .map(|session| session.events().iter().filter(|event| told(event)).map(ToString::to_string).collect())
            .unwrap_or_default();
        let count = found.len();
        let found = found[..count.min(40)].join("\n  ");
        format!(
            "HOB_SEED={} {service} is not as a rebuild ({count} differences):\n  {found}\nsteps:\n  {}\nhob said:\n  {}",
            self.seed,
            self.edits.log.join("\n  "),
            said.join("\n  ")
        )
    }

    /// The files of a container of an image that was built from nothing; `None` where it cannot be built.
    fn rebuilt(&self, shape: &Shape) -> Option<Files> {
        let image = judge::build(&self.lab, &format!("{}.Dockerfile", shape.name))?;
        let body = serde_json::json!({ "Image": image, "Cmd": ["true"] }).to_string();
        let (_, made) = engine::request("POST", "/containers/create", &body).unwrap();
        let made: serde_json::Value = serde_json::from_slice(&made).unwrap();
        let id = made["Id"].as_str().unwrap_or_default();
        let found = files::read(id);
        engine::delete(&format!("/containers/{id}?force=1"));
        engine::delete(&format!("/images/{image}?force=1"));
        Some(found.expect("it is there"))
    }
}

fn needed(shapes: &[&'static Shape]) -> Vec<&'static str> {
    shapes.iter().flat_map(|shape| shape.needed).copied().collect()
}
