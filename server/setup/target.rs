//! What can be set up: the program itself, an editor or a coding agent. Each is a row of a table.

/// Something that is set up, updated and removed as a whole.
#[derive(Debug)]
pub struct SetupTarget {
    /// The word for it on the command line and in the record.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Other words for it on the command line.
    pub aliases: &'static [&'static str],
    /// The programs of which one is on the `PATH` where it is installed.
    pub commands: &'static [&'static str],
    /// How it is wired.
    pub method: Method,
}

/// How something is wired.
#[derive(Debug)]
pub enum Method {
    /// This program gets a place where it stays.
    Program,
    /// Neovim gets the plugin as a package.
    NeovimPackage,
    /// The editor's own command installs the extension.
    Extension(ExtensionHost),
    /// The files are put into a folder of ours, and the user writes what makes the editor use them.
    ByHand(Guide),
    /// An agent gets our hooks.
    Hooks(AgentHooks),
}

/// A folder that a variable may name, else one in the home directory.
#[derive(Debug)]
pub struct UserFolder {
    /// The variable.
    pub variable: Option<&'static str>,
    /// The folder in the home directory.
    pub in_home: &'static str,
    /// The folder below that.
    pub below: &'static str,
}

/// VS Code or one of its relatives.
#[derive(Debug)]
pub struct ExtensionHost {
    /// Where its command is when it is not on the `PATH`.
    pub elsewhere: Option<&'static str>,
    /// The folder of its extensions.
    pub extensions: UserFolder,
    /// The same of its other half on a machine that it is connected to, in the home directory.
    pub remote_extensions: Option<&'static str>,
}

/// An editor whose configuration is a text or a program of the user's own, which nobody else can extend safely.
#[derive(Debug)]
pub struct Guide {
    /// Its folder among the user's configurations.
    pub settings: &'static str,
    /// Its folder in the home directory, which is older.
    pub in_home: Option<&'static str>,
    /// What the user has to do. `{folder}` stands for our folder as people write it, `{path}` for it in full.
    pub text: &'static str,
    /// What the editor itself has to have.
    pub needs: Option<Need>,
}

/// What an editor tells when it is asked for something that not every one of its kind has.
#[derive(Debug)]
pub struct Need {
    /// With these its program ends well if it has it.
    pub arguments: &'static [&'static str],
    /// What the user is told where it has not.
    pub lacking: &'static str,
}

/// A coding agent's hooks.
#[derive(Debug)]
pub struct AgentHooks {
    /// The folder that the agent keeps its settings in.
    pub settings: UserFolder,
    /// Where they go, below the settings.
    pub place: &'static str,
    /// What of `editors/` is put there.
    pub files: HookFiles,
    /// What the user should know after a change.
    pub remark: Option<&'static str>,
    /// The file below the settings in which the agent notes which hooks its user trusts; it runs no others.
    pub trust: Option<&'static str>,
}

/// What is put into an agent's settings, named from `editors/`.
#[derive(Debug, Clone, Copy)]
pub enum HookFiles {
    /// A folder of our own.
    Folder(&'static str),
    /// A file of our own, which is a program.
    Plugin(&'static str),
    /// Hooks in a file that belongs to the user.
    Shared(&'static str),
}

impl UserFolder {
    /// One in the home directory that no variable names.
    pub const fn in_home(folder: &'static str) -> Self {
        Self { variable: None, in_home: folder, below: "" }
    }
}

impl SetupTarget {
    /// True if a word on the command line means this.
    pub fn is_called(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }

    /// True if only the user can finish it.
    pub fn is_by_hand(&self) -> bool {
        matches!(self.method, Method::ByHand(_))
    }
}
