//! Signals that ask a process to end.

/// Waits for hang-up, interrupt or termination, in place of what the system would do, and returns its number.
#[cfg(unix)]
pub async fn ending_signal() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind: SignalKind, number: u8| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
                number
            }
            Err(error) => {
                tracing::warn!("signal {number} will end this process at once: {error}");
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        number = wait(SignalKind::hangup(), 1) => number,
        number = wait(SignalKind::interrupt(), 2) => number,
        number = wait(SignalKind::terminate(), 15) => number,
    }
}

/// Waits until this process is to end and returns the number of the signal that says the same elsewhere: its console
/// was closed, the user interrupts it, or the machine shuts down. Windows then waits some seconds for it.
#[cfg(not(unix))]
pub async fn ending_signal() -> u8 {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    async fn wait<S>(listener: std::io::Result<S>, hear: impl AsyncFnOnce(S), number: u8) -> u8 {
        match listener {
            Ok(signal) => {
                hear(signal).await;
                number
            }
            Err(error) => {
                tracing::warn!("signal {number} will end this process at once: {error}");
                std::future::pending().await
            }
        }
    }
    tokio::select! {
        number = wait(ctrl_close(), async |mut close| { close.recv().await; }, 1) => number,
        number = wait(ctrl_c(), async |mut interrupt| { interrupt.recv().await; }, 2) => number,
        number = wait(ctrl_break(), async |mut interrupt| { interrupt.recv().await; }, 2) => number,
        number = wait(ctrl_shutdown(), async |mut shutdown| { shutdown.recv().await; }, 15) => number,
    }
}

/// Waits for Ctrl-Z, in place of what the system would do at it, which [`suspend`] does.
#[cfg(unix)]
pub async fn suspending_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(error) => {
            tracing::warn!("Ctrl-Z will pause this process at once: {error}");
            std::future::pending::<()>().await;
        }
    }
}

/// Pauses this process until its user lets it go on.
#[cfg(unix)]
pub fn suspend() {
    let paused = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    if let Err(error) = paused {
        tracing::warn!("cannot pause: {error}");
    }
}

/// Never happens here.
#[cfg(not(unix))]
pub async fn suspending_signal() {
    std::future::pending::<()>().await;
}

/// Does nothing here.
#[cfg(not(unix))]
pub fn suspend() {}
