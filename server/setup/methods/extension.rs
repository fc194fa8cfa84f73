//! VS Code and its relatives: the extension, by the editor's own command.

use std::path::{Path, PathBuf};

use crate::carried::Carried;
use crate::desired::Desired;
use crate::error::Error;
use crate::extension::{self, Extension};
use crate::package::Package;
use crate::places::Places;
use crate::record::{self, ExtensionRecord};
use crate::target::{ExtensionHost, SetupTarget};

pub(super) fn is_found(host: &ExtensionHost, places: &Places) -> bool {
    elsewhere(host).is_some() || extensions(host, places).is_dir()
}

pub(super) fn desired(
    target: &SetupTarget,
    host: &ExtensionHost,
    places: &Places,
    program: &Path,
    carried: Carried,
) -> Result<Desired, Error> {
    let Some(command) = places.program(target.commands).or_else(|| elsewhere(host)) else {
        return Err(Error::NoCommand { editor: target.title, command: target.commands[0] });
    };
    let package = Package::new(carried);
    let extension = Extension {
        record: ExtensionRecord { command, folder: extensions(host, places), id: package.id() },
        program: program.to_owned(),
        package,
        package_place: record::package_place(places.state()),
    };
    Ok(Desired { extension: Some(extension), ..Desired::default() })
}

pub(super) fn installed(host: &ExtensionHost, places: &Places, carried: Carried) -> Option<PathBuf> {
    extension::installed_in(&extensions(host, places), &Package::new(carried).id())
}

fn elsewhere(host: &ExtensionHost) -> Option<PathBuf> {
    host.elsewhere.map(PathBuf::from).filter(|path| path.is_file())
}

/// Where the editor keeps its extensions. Inside a terminal of a remote window its command serves that window.
fn extensions(host: &ExtensionHost, places: &Places) -> PathBuf {
    let is_remote = std::env::var_os("VSCODE_IPC_HOOK_CLI").is_some();
    let remote = host.remote_extensions.filter(|_| is_remote).map(|folder| places.home().join(folder));
    remote.filter(|folder| folder.is_dir()).unwrap_or_else(|| places.folder(&host.extensions))
}
