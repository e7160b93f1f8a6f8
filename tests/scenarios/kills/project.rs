//! The project that is killed: what a kill can leave half done is all in it.

use fastrand::Rng;

use crate::lab::{Lab, engine};

const MANIFEST: &str = r#"services:
  db:
    image: hob-test/busybox:1
    command: [sh, -c, "trap 'sleep 0.4; exit 0' TERM; sleep 1000 & wait"]
    environment: {MODE: "DBMODE"}
    volumes: [data:/data, /scratch]
  job:
    image: hob-test/busybox:1
    command: sh -c "sleep 0.1"
    environment: {MODE: "WEBMODE"}
    network_mode: none
  api:
    build: {context: .KEY}
    depends_on:
      db: {condition: service_started, restart: true}
      job: {condition: service_completed_successfully}
    command: sleep 1000
    stop_signal: SIGKILL
    networks: [default, back]
    reload: restart
  web:
    image: hob-test/busybox:1
    command: sleep 1000
    stop_signal: SIGKILL
    environment: {MODE: "WEBMODE"}
    depends_on: [api]
    networks: [back]
networks:
  default: {labels: {number: "NETWORK"}}
  back: {}
volumes:
  data: {}
"#;

/// Its services with the state in which each should be.
pub const SERVICES: [(&str, &str); 4] = [("api", "running"), ("db", "running"), ("job", "exited"), ("web", "running")];

pub struct Town {
    pub lab: Lab,
    pub db_mode: usize,
    pub web_mode: usize,
    network: usize,
    pub source: usize,
    key: Option<String>,
    /// Kept in the named volume from the last `write_data` on.
    pub data: usize,
}

impl Town {
    pub fn new() -> Self {
        let mut lab = Lab::new();
        let temporary = lab.outside("tmp");
        std::fs::create_dir(&temporary).unwrap();
        lab.env.insert("TMPDIR".into(), temporary.display().to_string());
        // A key, where there is OpenSSH: each build has an agent of its own then.
        let key = lab.outside("key");
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
        let key = keygen.status().is_ok_and(|status| status.success()).then(|| key.display().to_string());
        let mount = if key.is_some() { "RUN --mount=type=ssh sleep 0.2\n" } else { "" };
        lab.dockerfile("Dockerfile", &format!("VOLUME /cache\n{mount}COPY src /src\n"));
        lab.write("src/file", "0");
        lab.write(".dockerignore", "devenv.yaml\n");
        let town = Self { lab, db_mode: 0, web_mode: 0, network: 0, source: 0, key, data: 0 };
        town.write_manifest();
        town
    }

    fn write_manifest(&self) {
        let key = self.key.as_ref().map(|key| format!(", ssh: [\"default={key}\"]")).unwrap_or_default();
        let text = MANIFEST
            .replace("KEY", &key)
            .replace("DBMODE", &self.db_mode.to_string())
            .replace("WEBMODE", &self.web_mode.to_string())
            .replace("NETWORK", &self.network.to_string());
        self.lab.manifest(&text);
    }

    pub fn edit_manifest(&mut self, random: &mut Rng) {
        let which = 1 + random.usize(..3);
        self.db_mode += which & 1;
        self.web_mode += which >> 1;
        self.write_manifest();
    }

    pub fn edit_network(&mut self) {
        self.network += 1;
        self.write_manifest();
    }

    pub fn edit_sources(&mut self, random: &mut Rng) {
        self.source += 1;
        self.lab.write("src/file", &self.source.to_string());
        if random.u8(..100) < 30 {
            // More than a moment's work.
            self.lab.write("src/large", &self.source.to_string().repeat(3_000_000));
        }
    }

    /// Writes what must not be lost, and returns once it is written.
    pub fn write_data(&mut self) {
        self.data += 1;
        let data = self.data;
        self.lab.exec("db", &format!("echo {data} >/data/token; echo {data} >/scratch/token"));
    }

    /// A variable of a service's container, as the engine has it.
    pub fn variable(&self, service: &str, name: &str) -> Option<String> {
        let container = self.lab.containers().into_iter().find(|one| one.service == service)?;
        let found = engine::get(&format!("/containers/{}/json", container.id));
        let variables = found["Config"]["Env"].as_array()?.clone();
        let prefix = format!("{name}=");
        variables.iter().find_map(|text| Some(text.as_str()?.strip_prefix(&prefix)?.to_owned()))
    }
}
