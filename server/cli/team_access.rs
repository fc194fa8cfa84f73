//! Which team's registry the user named for a clone. Nothing is contacted before a verb is about the team.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Command, FromArgMatches};
use deconflict_platform::clock::Clock;
use deconflict_registry::Registry;
use deconflict_team::{Address, Etcd, EtcdAccess, User};
use deconflict_workspace::{Location, Repository, RootCommit, TEAM_VARIABLE, TeamSettings};

use super::failure::{Failure, sentence};

/// The variable with the password of the user.
pub(super) const PASSWORD_VARIABLE: &str = "DECONFLICT_TEAM_PASSWORD";

/// No longer password is read, in bytes.
const LONGEST_PASSWORD: usize = 4096;

/// What a user says of a team.
#[derive(Debug, Clone, Args)]
pub(super) struct Named {
    /// Where its etcd is: etcd://HOST:PORT[,HOST:PORT…]/PREFIX, or etcds:// for TLS
    #[arg(value_name = "URL", value_parser = address)]
    address: Address,
    /// The user of the cluster; the password is in `DECONFLICT_TEAM_PASSWORD` or in a file
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file with that user's password
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "user")]
    password_file: Option<PathBuf>,
    /// Who vouches for the cluster's certificate, in PEM, where the system doesn't know them
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    ca: Option<PathBuf>,
    /// Your own certificate, in PEM
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "key")]
    cert: Option<PathBuf>,
    /// The key of your certificate, in PEM
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "cert")]
    key: Option<PathBuf>,
    /// What the team calls this repository, where its first commit is not to say so
    #[arg(long, value_name = "NAME", value_parser = repository_name)]
    repository: Option<String>,
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error: deconflict_team::AddressError| error.to_string())
}

fn repository_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(is_plain) {
        return Err("a name has letters, digits, - _ and . only, and at most 100 of them".to_owned());
    }
    Ok(text.to_owned())
}

impl Named {
    /// As it is kept: paths count from this folder.
    pub(super) fn settings(&self, folder: &Path) -> TeamSettings {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
        TeamSettings {
            address: self.address.to_string(),
            repository: self.repository.clone(),
            user: self.user.clone(),
            password_file: absolute(&self.password_file),
            ca: absolute(&self.ca),
            cert: absolute(&self.cert),
            key: absolute(&self.key),
        }
    }

    /// What the variable says, in the words of a command line.
    fn in_variable(words: &OsString) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::usage(format!("{TEAM_VARIABLE} does not name a team: {why}")).advise(EXAMPLE);
        let Some(words) = words.to_str() else { return Err(wrong("it is not Unicode.")) };
        let command = Self::augment_args(Command::new(TEAM_VARIABLE).no_binary_name(true));
        let named = command.try_get_matches_from(words.split_whitespace()).and_then(|it| Self::from_arg_matches(&it));
        named.map_err(|error| {
            let told = error.to_string();
            wrong(&sentence(told.lines().next().unwrap_or_default().trim_start_matches("error: ")))
        })
    }
}

const EXAMPLE: &str =
    "For example: etcds://etcd.example:2379/our-team --user ada --password-file ~/.config/team-password";

/// What the user says of the team of a clone; `None` without a team. Paths count from this folder.
pub(super) fn settings(location: &Location, folder: &Path) -> Result<Option<TeamSettings>, Failure> {
    if let Some(words) = std::env::var_os(TEAM_VARIABLE).filter(|words| !words.is_empty()) {
        return Ok(Some(Named::in_variable(&words)?.settings(folder)));
    }
    let Some(repository) = &location.repository else { return Ok(None) };
    TeamSettings::read(repository).map_err(|error| Failure::could_not("read which team this clone has", &error))
}

/// The registry of a team.
pub(super) fn open(
    settings: &TeamSettings,
    location: &Location,
    clock: Arc<dyn Clock>,
) -> Result<Registry<Etcd>, Failure> {
    let address = address(&settings.address).map_err(|why| {
        Failure::failed("team-settings", format!("The team's address {} cannot be used: {why}.", settings.address))
            .advise("Name it again: deconflict team set URL")
    })?;
    let user = settings.user.as_ref().map(|name| user(name, settings)).transpose()?;
    if user.is_some() && !address.is_encrypted() && !address.is_on_this_machine() {
        return Err(Failure::failed(
            "team-in-clear",
            "A password is not sent over a connection that everybody can read.",
        )
        .advise("Name the team with etcds:// instead of etcd://, so that it is spoken to by TLS."));
    }
    let repository = match &settings.repository {
        Some(name) => name.clone(),
        None => name_of(location.repository.as_ref())?,
    };
    let access = EtcdAccess {
        address,
        repository,
        user,
        ca: settings.ca.clone(),
        cert: settings.cert.clone(),
        key: settings.key.clone(),
    };
    Ok(Registry::over(Etcd::open(&access, Arc::clone(&clock))?, clock))
}

fn user(name: &str, settings: &TeamSettings) -> Result<User, Failure> {
    let password = match (std::env::var(PASSWORD_VARIABLE), &settings.password_file) {
        (Ok(password), _) if !password.is_empty() => password,
        (_, Some(path)) => std::fs::read_to_string(path)
            .map(|text| {
                text.chars().take(LONGEST_PASSWORD).collect::<String>().trim_end_matches(['\r', '\n']).to_owned()
            })
            .map_err(|error| Failure::could_not(&format!("read the password in {}", path.display()), &error))?,
        _ => {
            let message = format!("There is no password for the team's user {name}.");
            return Err(Failure::failed("team-password", message)
                .advise(format!("Put it into {PASSWORD_VARIABLE}, or name its file: --password-file FILE")));
        }
    };
    Ok(User { name: name.to_owned(), password })
}

/// What the team calls this repository: the commit with which its history began.
pub(super) fn name_of(repository: Option<&Repository>) -> Result<String, Failure> {
    let say_it = |why: &str| {
        Failure::usage(format!("What does the team call this repository? {why}"))
            .reason("team-repository")
            .advise("Say it, with the same word in every clone: deconflict team set URL --repository NAME")
    };
    let Some(repository) = repository else { return Err(say_it("This is no git repository.")) };
    match RootCommit::of(repository.root())? {
        RootCommit::Known(id) => Ok(id),
        RootCommit::Nothing => Err(say_it("It has no commit yet.")),
        RootCommit::Shallow => Err(say_it("This clone is shallow, so its first commit is not here.")),
    }
}
