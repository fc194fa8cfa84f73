//! The program itself.

use super::report::Report;

impl Report {
    /// Editors, agents, hooks and scripts call the program by its name.
    pub(super) fn check_program(&mut self) {
        let name = format!("deconflict{}", std::env::consts::EXE_SUFFIX);
        let folders = std::env::var_os("PATH").unwrap_or_default();
        match std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|program| program.is_file()) {
            Some(program) => self.fact("program", "Program", program.display().to_string()),
            None => self.note(
                "not-on-path",
                "No folder of the PATH has the program deconflict, so editors and scripts don't find it by its name.",
                if cfg!(windows) {
                    "Setup puts it into a folder of its own, and says which to add to the PATH: deconflict setup"
                } else {
                    "Setup puts it into ~/.local/bin, which has to be on the PATH: deconflict setup"
                },
            ),
        }
    }
}
