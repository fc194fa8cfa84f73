//! The extension for VS Code and its relatives, packaged as they take it: a `.vsix` file, which is a zip archive. Editors
//! read all that they show from the extension's own `package.json`; the two files about the package are what its format
//! asks for.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;

use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::carried::{Carried, CarriedFile};
use crate::error::Error;

/// Where the extension looks for the program in its own folder.
pub(super) const PROGRAM: &str = if cfg!(windows) { "bin/deconflict.exe" } else { "bin/deconflict" };

/// The extension's page, on which editors show pictures by whole addresses alone.
const PAGE: &str = "README.md";

/// The kinds of the files in the package, by the ends of their names: nobody needs to know them.
const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"#;

/// The extension without the program in it.
#[derive(Debug, Clone)]
pub(super) struct Package {
    manifest: Value,
    pub(super) files: Vec<CarriedFile>,
}

impl Package {
    /// The one that the program carries.
    pub(super) fn new(carried: Carried) -> Self {
        let files = carried("vscode");
        let manifest = files.iter().find(|(name, _)| name == "package.json");
        let manifest = manifest.and_then(|(_, text)| serde_json::from_slice(text).ok()).unwrap_or_default();
        let mut package = Self { manifest, files };
        if let Some(index) = package.files.iter().position(|(name, _)| name == PAGE) {
            package.files[index].1 = package.page(&package.files[index].1).into();
        }
        package
    }

    /// `publisher.name`, by which editors know it.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.text("/publisher"), self.text("/name"))
    }

    /// A member of the extension's manifest.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The package around this program. Nothing is compressed: it is read once, on this machine.
    pub(super) fn around(&self, program: &Path) -> Result<Vec<u8>, Error> {
        let binary = fs::read(program).map_err(Error::io("read", program))?;
        self.zipped(&binary).map_err(Error::io("package the extension around", program))
    }

    fn zipped(&self, binary: &[u8]) -> io::Result<Vec<u8>> {
        let plain = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(binary.len() + 1024 * 1024)));
        let mut add = |name: &str, content: &[u8], options| -> io::Result<()> {
            archive.start_file(name, options)?;
            archive.write_all(content)
        };
        add("extension.vsixmanifest", self.vsix_manifest().as_bytes(), plain)?;
        add("[Content_Types].xml", CONTENT_TYPES.as_bytes(), plain)?;
        for (name, content) in &self.files {
            add(&format!("extension/{name}"), content, plain)?;
        }
        add(&format!("extension/{PROGRAM}"), binary, plain.unix_permissions(0o755))?;
        Ok(archive.finish()?.into_inner())
    }

    /// The page with whole addresses.
    fn page(&self, page: &[u8]) -> Vec<u8> {
        let [repository, version, folder] =
            ["/repository/url", "/version", "/repository/directory"].map(|pointer| self.text(pointer));
        let mut page = String::from_utf8_lossy(page).into_owned();
        for (name, _) in &self.files {
            page = page.replace(&format!("]({name})"), &format!("]({repository}/raw/v{version}/{folder}/{name})"));
        }
        page.into_bytes()
    }

    fn vsix_manifest(&self) -> String {
        let platform = target_platform().map_or_else(String::new, |name| format!(" TargetPlatform=\"{name}\""));
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="{name}" Version="{version}" Publisher="{publisher}"{platform}/>
    <DisplayName>{name}</DisplayName>
    <Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value="{engine}"/></Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
  </Assets>
</PackageManifest>
"#,
            name = self.text("/name"),
            version = self.text("/version"),
            publisher = self.text("/publisher"),
            engine = self.text("/engines/vscode"),
        )
    }
}

/// The name that these editors have for a machine like this one; `None` if they have none, which fits all.
fn target_platform() -> Option<String> {
    let is_alpine =
        || fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=alpine"));
    let system = match std::env::consts::OS {
        "linux" if is_alpine() => "alpine",
        "linux" => "linux",
        "macos" => "darwin",
        "windows" => "win32",
        _ => return None,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "arm" if system == "linux" => "armhf",
        _ => return None,
    };
    Some(format!("{system}-{machine}"))
}
