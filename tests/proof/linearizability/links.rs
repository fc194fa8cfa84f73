//! A network of which each way can be cut by itself: from one member of a cluster to another, or from a client to a member.
//!
//! What is under way while it is cut arrives when it is whole again, as TCP would bring it, however late that is.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// From whom, and to whom.
type Way = (String, String);

/// All ways, of which some are cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    cut: Arc<Mutex<HashSet<Way>>>,
}

impl Links {
    /// A port that stands for another one, on which `to` listens. Who connects is `from`, or, where nobody is named, the
    /// member of a cluster whose process it is.
    pub(crate) fn before(&self, target: u16, to: &str, from: Option<&str>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (links, to, from) = (self.clone(), to.to_owned(), from.map(str::to_owned));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let who = from.clone().or_else(|| member_behind(near.peer_addr().ok()?)).unwrap_or_default();
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for stream in [&near, &far] {
                    let _ = stream.set_nodelay(true);
                }
                links.carry(&near, &far, (who.clone(), to.clone()));
                links.carry(&far, &near, (to.clone(), who));
            }
        });
        port
    }

    /// Nothing gets through on these ways any more.
    pub(crate) fn cut(&self, ways: impl IntoIterator<Item = (String, String)>) {
        self.cut.lock().unwrap().extend(ways);
    }

    /// Everything does again.
    pub(crate) fn join(&self) {
        self.cut.lock().unwrap().clear();
    }

    fn carry(&self, from: &TcpStream, to: &TcpStream, way: Way) {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let cut = Arc::clone(&self.cut);
        thread::spawn(move || {
            let mut bytes = [0; 16 << 10];
            loop {
                let read = from.read(&mut bytes).unwrap_or(0);
                while cut.lock().unwrap().contains(&way) {
                    thread::sleep(Duration::from_millis(2));
                }
                if read == 0 || to.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// What the member is called whose process has this end of a connection.
fn member_behind(end: SocketAddr) -> Option<String> {
    let port = format!(":{:04X} ", end.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let is_its = |line: &&str| line.split_whitespace().nth(1).is_some_and(|own| format!("{own} ").ends_with(&port));
    let inode = table.lines().find(is_its)?.split_whitespace().nth(9)?.to_owned();
    let socket = format!("socket:[{inode}]");
    let has_it = |process: &fs::DirEntry| {
        let mut open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        open.any(|open| fs::read_link(open.path()).is_ok_and(|what| what.to_string_lossy() == socket))
    };
    let mut processes = fs::read_dir("/proc").ok()?.flatten();
    let words = processes.find_map(|process| {
        let words = fs::read_to_string(process.path().join("cmdline")).ok()?;
        (words.contains("--initial-cluster") && has_it(&process)).then_some(words)
    })?;
    let mut words = words.split('\0');
    words.by_ref().find(|word| *word == "--name")?;
    words.next().map(str::to_owned)
}
