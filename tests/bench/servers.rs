//! Real servers over their pipes: how fast an edit here becomes a diagnostic there, and what a server costs at rest.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::figures::{Figure, Goal, in_milliseconds, quantile};
use crate::populate::{Size, populate};
use crate::support::{Editor, Workspace};

const ROUNDS: usize = 300;

/// How long an idle server is watched.
const REST: Duration = Duration::from_secs(30);

pub(crate) fn measure_propagation(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), size);
    for round in 0..ROUNDS {
        workspace.write(format!("notes/{round}.txt"), "one line\n");
    }
    let (anna, berta) = (Editor::start(&workspace, "anna"), Editor::start(&workspace, "berta"));
    anna.settle(&workspace);
    berta.settle(&workspace);
    let mut samples = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("notes/{round}.txt");
        let (edited, seen) = (anna.open(&name), berta.open(&name));
        // An answer shows that both servers have taken the opening in.
        seen.hover(0, 0);
        edited.hover(0, 0);
        let start = Instant::now();
        edited.type_text("x");
        seen.wait_for_diagnostic("claimed");
        samples.push(in_milliseconds(start.elapsed()));
        edited.undo_to_saved();
        seen.wait_until_clear();
        edited.close();
        seen.close();
    }
    let floor = quantile(&mut floor::samples(ROUNDS), 0.5);
    let row =
        |name, value, most| Figure { name, size, unit: "ms", value, floor: Some(floor), goal: Goal::AtMost(most) };
    let figures = vec![
        row("edit to the other's diagnostic, p50", quantile(&mut samples, 0.5), 5.0),
        row("edit to the other's diagnostic, p99", quantile(&mut samples, 0.99), 20.0),
    ];
    anna.quit();
    berta.quit();
    figures
}

pub(crate) fn measure_idle(size: Size) -> Vec<Figure> {
    let workspace = Workspace::small();
    populate(&workspace.path("COORDINATION"), size);
    let editor = Editor::start(&workspace, "anna");
    let document = editor.open("README.md");
    editor.settle(&workspace);
    let process = editor.server_id();
    let before = processor_time(process);
    // What is measured here is what a server does while nothing happens, so nothing is waited for.
    let start = Instant::now();
    std::thread::sleep(REST);
    let rested = start.elapsed();
    let (Some(before), Some(after), Some(resident)) = (before, processor_time(process), resident_memory(process))
    else {
        println!("the idle server's cost cannot be read on this system");
        return Vec::new();
    };
    document.close();
    editor.quit();
    let share = after.saturating_sub(before).as_secs_f64() / rested.as_secs_f64() * 100.0;
    let row = |name, unit, value, most| Figure { name, size, unit, value, floor: None, goal: Goal::AtMost(most) };
    vec![row("idle server, share of a core", "%", share, 0.1), row("idle server, resident", "MB", resident, 30.0)]
}

/// The time that all threads of a process spent on a processor.
fn processor_time(process: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let nanoseconds = |folder: &Path| -> Option<u64> {
        std::fs::read_to_string(folder.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    Some(Duration::from_nanos(threads.filter_map(|thread| nanoseconds(&thread.ok()?.path())).sum()))
}

fn resident_memory(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// The least that propagation can be: write a file and name it, hear of it through inotify, and say so in a pipe.
#[cfg(target_os = "linux")]
mod floor {
    use std::fs;
    use std::io::{Read, Write};
    use std::time::Instant;

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    use crate::figures::in_milliseconds;

    pub(super) fn samples(rounds: usize) -> Vec<f64> {
        let folder = tempfile::tempdir().unwrap();
        let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, folder.path(), WatchFlags::CREATE).unwrap();
        let (mut heard, mut say) = std::io::pipe().unwrap();
        // The writer and the listener are two threads, as they are two processes in earnest.
        let listener = std::thread::spawn(move || {
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(&watch, &mut buffer);
            let mut heard = 0;
            // Each round makes two names: the unfinished file's and the finished one's.
            while heard < rounds * 2 {
                events.next().unwrap();
                heard += 1;
                if heard % 2 == 0 {
                    say.write_all(b"x").unwrap();
                }
            }
        });
        let samples = (0..rounds).map(|round| {
            let start = Instant::now();
            let unfinished = folder.path().join(".unfinished");
            fs::write(&unfinished, [b'x'; 480]).unwrap();
            fs::hard_link(&unfinished, folder.path().join(round.to_string())).unwrap();
            heard.read_exact(&mut [0]).unwrap();
            let sample = in_milliseconds(start.elapsed());
            fs::remove_file(&unfinished).unwrap();
            sample
        });
        let samples = samples.collect();
        listener.join().unwrap();
        samples
    }
}

#[cfg(not(target_os = "linux"))]
mod floor {
    pub(super) fn samples(_: usize) -> Vec<f64> {
        vec![f64::NAN]
    }
}
