//! Signals that ask a process to end.

/// Waits for a signal that asks this process to end and returns its number: hang-up, interrupt or termination.
/// It takes the place of what the system would do.
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

/// Waits until the user interrupts this process and returns the number of an interrupt.
#[cfg(not(unix))]
pub async fn ending_signal() -> u8 {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!("an interrupt will end this process at once: {error}");
        std::future::pending::<()>().await;
    }
    2
}
