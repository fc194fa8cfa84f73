//! The extension for VS Code and its relatives, packaged as they take it: a `.vsix` file, which is a zip archive.

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

/// The extension without the program in it.
#[derive(Debug, Clone)]
pub(super) struct Package {
    manifest: Value,
    translations: Value,
    pub(super) files: Vec<CarriedFile>,
}

impl Package {
    /// The one that the program carries.
    pub(super) fn new(carried: Carried) -> Self {
        let files = carried("vscode");
        let read = |wanted: &str| {
            let found = files.iter().find(|(name, _)| name == wanted);
            found.and_then(|(_, text)| serde_json::from_slice(text).ok()).unwrap_or_default()
        };
        Self { manifest: read("package.json"), translations: read("package.nls.json"), files }
    }

    /// `publisher.name`, by which editors know it.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.text("publisher"), self.text("name"))
    }

    /// The extension's version.
    pub(super) fn version(&self) -> String {
        self.text("version")
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
        add("[Content_Types].xml", self.content_types().as_bytes(), plain)?;
        for (name, content) in &self.files {
            add(&format!("extension/{name}"), content, plain)?;
        }
        add(&format!("extension/{PROGRAM}"), binary, plain.unix_permissions(0o755))?;
        Ok(archive.finish()?.into_inner())
    }

    /// What the editor reads before it unpacks the rest.
    fn vsix_manifest(&self) -> String {
        let list = |name: &str| {
            let words = self.manifest[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            words.collect::<Vec<_>>().join(",")
        };
        let platform = target_platform().map_or_else(String::new, |name| format!(" TargetPlatform=\"{name}\""));
        let asset = |kind: &str, path: &str| {
            format!("    <Asset Type=\"{kind}\" Path=\"extension/{}\" Addressable=\"true\"/>\n", escaped(path))
        };
        let mut assets = asset("Microsoft.VisualStudio.Code.Manifest", "package.json");
        let has = |name: &str| self.files.iter().any(|(file, _)| file == name);
        if has("README.md") {
            assets += &asset("Microsoft.VisualStudio.Services.Content.Details", "README.md");
        }
        if has("CHANGELOG.md") {
            assets += &asset("Microsoft.VisualStudio.Services.Content.Changelog", "CHANGELOG.md");
        }
        let mut icon = String::new();
        if let Some(path) = self.manifest["icon"].as_str() {
            assets += &asset("Microsoft.VisualStudio.Services.Icons.Default", path);
            icon = format!("    <Icon>extension/{}</Icon>\n", escaped(path));
        }
        let kind = match list("extensionKind") {
            none if none.is_empty() => String::new(),
            kinds => property("Microsoft.VisualStudio.Code.ExtensionKind", &kinds),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <PackageManifest Version=\"2.0.0\" xmlns=\"http://schemas.microsoft.com/developer/vsx-schema/2011\">\n  \
             <Metadata>\n    \
             <Identity Language=\"en-US\" Id=\"{name}\" Version=\"{version}\" Publisher=\"{publisher}\"{platform}/>\n    \
             <DisplayName>{title}</DisplayName>\n    \
             <Description xml:space=\"preserve\">{description}</Description>\n    \
             <Tags>{tags}</Tags>\n    \
             <Categories>{categories}</Categories>\n    \
             <GalleryFlags>Public</GalleryFlags>\n\
             {icon}    \
             <Properties>\n\
             {engine}{kind}    \
             </Properties>\n  \
             </Metadata>\n  \
             <Installation>\n    <InstallationTarget Id=\"Microsoft.VisualStudio.Code\"/>\n  </Installation>\n  \
             <Dependencies/>\n  \
             <Assets>\n{assets}  </Assets>\n\
             </PackageManifest>\n",
            name = escaped(&self.text("name")),
            version = escaped(&self.version()),
            publisher = escaped(&self.text("publisher")),
            title = escaped(&self.text("displayName")),
            description = escaped(&self.text("description")),
            tags = escaped(&list("keywords")),
            categories = escaped(&list("categories")),
            engine = property(
                "Microsoft.VisualStudio.Code.Engine",
                self.manifest["engines"]["vscode"].as_str().unwrap_or("*"),
            ),
        )
    }

    /// The kind of each file in the archive, by the end of its name, as the format has it.
    fn content_types(&self) -> String {
        let mut endings: Vec<&str> = self.files.iter().filter_map(|(name, _)| Some(name.rsplit_once('.')?.1)).collect();
        endings.extend(["vsixmanifest", "xml"]);
        endings.sort_unstable();
        endings.dedup();
        let kind = |ending: &str| match ending {
            "json" => "application/json",
            "js" | "cjs" | "mjs" => "application/javascript",
            "md" => "text/markdown",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "vsixmanifest" | "xml" => "text/xml",
            _ => "application/octet-stream",
        };
        let line = |ending: &&str| {
            format!("  <Default Extension=\".{}\" ContentType=\"{}\"/>\n", escaped(ending), kind(ending))
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\n{}</Types>\n",
            endings.iter().map(line).collect::<String>()
        )
    }

    /// A member of the manifest, with what it says in English where it names a translation.
    fn text(&self, name: &str) -> String {
        let text = self.manifest[name].as_str().unwrap_or_default();
        let key = text.strip_prefix('%').and_then(|text| text.strip_suffix('%'));
        let translated = key.and_then(|key| match &self.translations[key] {
            Value::String(text) => Some(text.clone()),
            told => told["message"].as_str().map(str::to_owned),
        });
        translated.unwrap_or_else(|| text.to_owned())
    }
}

fn property(name: &str, value: &str) -> String {
    format!("      <Property Id=\"{name}\" Value=\"{}\"/>\n", escaped(value))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The name that these editors have for a machine like this one; `None` if they have none, which fits all.
fn target_platform() -> Option<String> {
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

fn is_alpine() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=alpine"))
}
