//! A team over a real etcd: clones of one repository, with somebody at work in each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::etcd::EtcdNode;
use super::terminal::Terminal;
use super::workspace::Workspace;

/// A test machine may be busy with many others.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Two clones of one repository, of Anna and of Berta, and a session in each.
pub(crate) struct Team {
    pub(crate) node: EtcdNode,
    pub(crate) workspace: Workspace,
    pub(crate) second: PathBuf,
    pub(crate) anna: Terminal,
    pub(crate) berta: Terminal,
}

impl Team {
    /// Over the newest etcd that was fetched; `None` where none was.
    pub(crate) fn meet() -> Option<Self> {
        EtcdNode::newest().map(Self::over)
    }

    /// Over this one.
    pub(crate) fn over(node: EtcdNode) -> Self {
        let workspace = Workspace::small();
        let second = workspace.beside("second");
        workspace.git(&["clone", "--quiet", ".", second.to_str().unwrap()]);
        workspace.git(&["config", "user.name", "Anna"]);
        workspace.git_in(&second, &["config", "user.name", "Berta"]);
        let prompts = [workspace.root(), &second].map(|folder| Terminal::on(&workspace).in_folder(folder));
        let [anna, berta] = prompts.map(|prompt| {
            prompt.run(["team", "set", &node.address()]).expect_code(0);
            let started = prompt.run(["start"]).expect_code(0);
            prompt.session(started.stdout.trim())
        });
        Self { node, workspace, second, anna, berta }
    }
}

/// The processes that share a clone with its team.
#[cfg(target_os = "linux")]
pub(crate) fn helpers_of(clone: &Path) -> Vec<u32> {
    let directory = clone.join("COORDINATION");
    let is_helper = |id: &u32| {
        let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        words.contains(&directory.as_os_str().as_encoded_bytes()) && words.contains(&&b"keep"[..])
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_helper).collect()
}
