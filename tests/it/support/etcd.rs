//! etcd on loopback, as `tests/team/fetch` brings it: one node, with its data in a folder of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use deconflict_platform::clock::Clock;
use deconflict_team::{Etcd, EtcdAccess};

use super::wait::wait_within;

/// A node that ends with this value.
pub(crate) struct EtcdNode {
    program: PathBuf,
    port: u16,
    peer_port: u16,
    /// The port by which other members reach it.
    advertised_port: u16,
    process: Option<Child>,
    /// It waits for the disk at each write.
    is_durable: bool,
    folder: tempfile::TempDir,
    certificates: Option<Certificates>,
    /// What it is called among the others, and where each of them is, as its command line has it.
    name: String,
    members: Option<String>,
}

/// Three nodes that are one etcd.
pub(crate) struct EtcdCluster {
    nodes: Vec<EtcdNode>,
}

impl EtcdCluster {
    /// The newest that was fetched, started and with a leader.
    pub(crate) fn newest() -> Option<Self> {
        Self::reached_by(|_, port| port)
    }

    /// The same, whose members reach each other by the ports that this says for a member's name and the port on which it listens.
    pub(crate) fn reached_by(by: impl Fn(&str, u16) -> u16) -> Option<Self> {
        let mut nodes: Vec<EtcdNode> = (0..3).map(|_| EtcdNode::unstarted("newest")).collect::<Option<_>>()?;
        for (number, node) in nodes.iter_mut().enumerate() {
            node.name = format!("member-{number}");
            node.advertised_port = by(&node.name, node.peer_port);
        }
        let member = |node: &EtcdNode| format!("{}=http://127.0.0.1:{}", node.name, node.advertised_port);
        let members = nodes.iter().map(member).collect::<Vec<_>>().join(",");
        for node in &mut nodes {
            node.members = Some(members.clone());
            node.spawn("http", &[]);
        }
        let cluster = Self { nodes };
        cluster.wait_until_it_answers();
        Some(cluster)
    }

    /// Where it is, with each of its members.
    pub(crate) fn address(&self) -> String {
        let members = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("etcd://{}/deconflict", members.collect::<Vec<_>>().join(","))
    }

    /// The registry of a repository.
    pub(crate) fn store(&self, repository: &str, clock: Arc<dyn Clock>) -> Etcd {
        open(&self.address(), repository, clock)
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The member that leads now, if each of those that answer says the same.
    pub(crate) fn leader(&self) -> Option<usize> {
        let told = |node: &EtcdNode| {
            let status = node.try_ask("/v3/maintenance/status", &serde_json::json!({}))?;
            (status["leader"].is_string() && status["leader"] == status["header"]["member_id"]).then_some(())
        };
        self.nodes.iter().position(|node| told(node).is_some())
    }

    /// Ends a member without a word.
    pub(crate) fn kill(&mut self, member: usize) {
        self.nodes[member].kill();
    }

    /// Starts it again, with what it had.
    pub(crate) fn start(&mut self, member: usize) {
        self.nodes[member].spawn("http", &[]);
    }

    /// Lets a member neither hear nor say anything: to the others that is a network which is cut in both directions.
    #[cfg(unix)]
    pub(crate) fn cut_off(&self, member: usize) {
        self.nodes[member].signal(rustix::process::Signal::STOP);
    }

    /// Lets it hear and speak again.
    #[cfg(unix)]
    pub(crate) fn join_again(&self, member: usize) {
        self.nodes[member].signal(rustix::process::Signal::CONT);
    }

    /// Waits until something can be written.
    pub(crate) fn wait_until_it_answers(&self) {
        let store = self.store("trial", Arc::new(deconflict_platform::clock::SystemClock::new()));
        wait_within(Duration::from_mins(1), "the cluster's answer", || store.health(chrono::Utc::now()).ok());
    }
}

/// What a node shows and asks for that speaks TLS only.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// An authority with what it signed: for this machine, for another host, for this machine and expired, and for a client.
    /// `None` where there is no openssl.
    pub(crate) fn make() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"
            key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
            openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=trial -days 2
            sign() {
                openssl req $key -keyout $1.key -out $1.csr -subj /CN=$1
                printf 'subjectAltName=%s\n' "$2" >$1.ext
                openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext -out $1.pem
            }
            sign here DNS:localhost,IP:127.0.0.1 1
            sign elsewhere DNS:elsewhere.example 1
            sign expired DNS:localhost,IP:127.0.0.1 -1
            sign client DNS:client.example 1
        "#;
        let made = Command::new("sh").args(["-euc", script]).current_dir(folder.path()).output().unwrap();
        if !made.status.success() {
            eprintln!("SKIPPED: no certificates could be made: {}", String::from_utf8_lossy(&made.stderr));
            return None;
        }
        Some(Self { folder })
    }

    /// The file of that name, such as `ca.pem` or `client.key`.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

impl EtcdNode {
    /// Every etcd that was fetched, by its name and started. Where one is missing it is said.
    pub(crate) fn all() -> Vec<(&'static str, Self)> {
        ["stable", "newest"].into_iter().filter_map(|which| Some((which, Self::start(which)?))).collect()
    }

    /// The newest that was fetched, started.
    pub(crate) fn newest() -> Option<Self> {
        ["newest", "stable"].into_iter().find_map(Self::start)
    }

    /// The newest that was fetched. It shows one of these certificates, and lets in nobody without another.
    pub(crate) fn with_certificate(certificates: Certificates, shown: &str) -> Option<Self> {
        let mut node = Self::unstarted("newest")?;
        node.certificates = Some(certificates);
        node.show(shown);
        Some(node)
    }

    /// Starts it, or starts it again, with another certificate.
    pub(crate) fn show(&mut self, shown: &str) {
        self.kill();
        let certificates = self.certificates.as_ref().unwrap();
        let tls = [
            format!("--cert-file={}", certificates.path(&format!("{shown}.pem"))),
            format!("--key-file={}", certificates.path(&format!("{shown}.key"))),
            format!("--trusted-ca-file={}", certificates.path("ca.pem")),
            "--client-cert-auth".to_owned(),
        ];
        self.spawn("https", &tls);
    }

    /// The certificates among which it shows one.
    pub(crate) fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().unwrap()
    }

    fn start(which: &str) -> Option<Self> {
        let mut node = Self::unstarted(which)?;
        node.run();
        Some(node)
    }

    fn unstarted(which: &str) -> Option<Self> {
        let program = program(which)?;
        let folder = tempfile::tempdir().unwrap();
        let [port, peer_port] = free_ports();
        Some(Self {
            program,
            port,
            peer_port,
            advertised_port: peer_port,
            process: None,
            is_durable: which != "newest",
            folder,
            certificates: None,
            name: "default".to_owned(),
            members: None,
        })
    }

    /// Starts it, or starts it again.
    pub(crate) fn run(&mut self) {
        self.spawn("http", &[]);
        let store = self.store("trial", Arc::new(deconflict_platform::clock::SystemClock::new()));
        wait_within(Duration::from_secs(30), "etcd's first answer", || store.health(chrono::Utc::now()).ok());
    }

    fn spawn(&mut self, scheme: &str, more: &[String]) {
        let client = format!("{scheme}://127.0.0.1:{}", self.port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let advertised = format!("http://127.0.0.1:{}", self.advertised_port);
        let child = Command::new(&self.program)
            .arg("--data-dir")
            .arg(self.folder.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &advertised])
            .args(["--name", &self.name, "--initial-cluster"])
            .arg(self.members.clone().unwrap_or_else(|| format!("{}={peer}", self.name)))
            // Half a second is little where many tests share a disk and two cores.
            .args(["--bcrypt-cost", "4"])
            .args(self.members.iter().flat_map(|_| ["--heartbeat-interval", "50", "--election-timeout", "400"]))
            .args((!self.is_durable).then_some("--unsafe-no-fsync"))
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    /// Asks it something itself, by its JSON gateway.
    pub(crate) fn ask(&self, path: &str, question: &serde_json::Value) -> serde_json::Value {
        self.try_ask(path, question).unwrap_or_else(|| panic!("no answer to {path} {question}"))
    }

    /// The same; `None` without an answer within a second.
    fn try_ask(&self, path: &str, question: &serde_json::Value) -> Option<serde_json::Value> {
        let url = format!("{}{path}", self.url());
        let words = ["--silent", "--fail", "--max-time", "1", "--data", &question.to_string(), &url];
        let asked = Command::new("curl").args(words).output().unwrap();
        asked.status.success().then(|| serde_json::from_slice(&asked.stdout).unwrap_or_default())
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(process) = &self.process {
            let id = rustix::process::Pid::from_child(process);
            rustix::process::kill_process(id, signal).unwrap();
        }
    }

    /// Lets in nobody but a user `ada` with the password `secret`, who may touch the prefix of [`Self::address`] alone.
    pub(crate) fn let_in_only_ada(&self) {
        use serde_json::json;
        for (user, password) in [("root", "root"), ("ada", "secret")] {
            self.ask("/v3/auth/user/add", &json!({ "name": user, "password": password }));
        }
        for role in ["root", "team"] {
            self.ask("/v3/auth/role/add", &json!({ "name": role }));
        }
        // From `deconflict/` to what comes after it.
        let perm = json!({ "permType": "READWRITE", "key": "ZGVjb25mbGljdC8=", "range_end": "ZGVjb25mbGljdDA=" });
        self.ask("/v3/auth/role/grant", &json!({ "name": "team", "perm": perm }));
        for (user, role) in [("root", "root"), ("ada", "team")] {
            self.ask("/v3/auth/user/grant", &json!({ "user": user, "role": role }));
        }
        self.ask("/v3/auth/enable", &json!({}));
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.certificates.is_some() { "etcds" } else { "etcd" };
        format!("{scheme}://127.0.0.1:{}/deconflict", self.port)
    }

    /// Where it answers without TLS.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The registry of a repository.
    pub(crate) fn store(&self, repository: &str, clock: Arc<dyn Clock>) -> Etcd {
        open(&self.address(), repository, clock)
    }
}

/// The etcd that was fetched as this one.
pub(crate) fn program(which: &str) -> Option<PathBuf> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!(".editors/etcd/{which}/usr/bin/etcd"));
    if !program.is_file() {
        eprintln!("SKIPPED: the {which} etcd was not fetched; tests/team/fetch does it");
        return None;
    }
    Some(program)
}

/// The registry of a repository in what is at this address.
pub(crate) fn open(address: &str, repository: &str, clock: Arc<dyn Clock>) -> Etcd {
    let access = EtcdAccess {
        address: address.parse().unwrap(),
        repository: repository.to_owned(),
        user: None,
        ca: None,
        cert: None,
        key: None,
    };
    Etcd::open(&access, clock).unwrap()
}

impl Drop for EtcdNode {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Two ports on which nothing listens.
pub(crate) fn free_ports() -> [u16; 2] {
    let bound = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    bound.map(|listener| listener.local_addr().unwrap().port())
}
