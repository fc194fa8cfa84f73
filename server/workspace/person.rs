//! What the person is called who works here (protocol page, "Names people see").

use super::Repository;
use super::git_settings;
use deconflict_platform as platform;

/// Git's `user.name` in this repository, else the login's full name, else the login.
pub fn person(repository: Option<&Repository>) -> Option<String> {
    let configuration = match repository {
        Some(repository) => git_settings::of(repository),
        None => git_settings::of_the_user(),
    };
    let given = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let by_git = configuration.value("user", "name").and_then(given);
    by_git.or_else(|| given(&platform::full_name()?)).or_else(platform::user_name)
}
