//! Hearing of what is written in etcd: one stream of changes, begun again where it ended.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use deconflict_registry::{Changed, Hear, Range, Watching};
use serde_json::{Value, json};

use super::gateway::{Gateway, Trouble};
use super::keys;
use super::kv::{self, key_value, number, text};

/// A stream is begun again after so long, so that one whose other end is gone without a word is noticed.
const STREAM: Duration = Duration::from_secs(20);

/// So long after something failed it is tried again, and each further time after twice as long as before.
const AGAIN: Duration = Duration::from_millis(250);

/// Up to this where nobody answers: whoever is back is right again within two seconds.
const LONGEST_SILENT: Duration = Duration::from_secs(1);

/// And up to this where the answer is no.
const LONGEST_DECLINED: Duration = Duration::from_secs(10);

/// Watching a registry in etcd. The stream that it hears ends by itself soon after this is dropped.
pub(super) struct EtcdWatching {
    gateway: Arc<Gateway>,
    interval: (Vec<u8>, Vec<u8>),
    /// Begins the stream, once it is known from which revision on.
    begin: Option<Box<dyn FnOnce(Option<i64>) + Send>>,
    is_over: Arc<AtomicBool>,
}

impl EtcdWatching {
    /// The stream begins with the first look.
    pub(super) fn start(gateway: Arc<Gateway>, prefix: String, ranges: &[Range], hear: Hear) -> Self {
        let bounds = ranges.iter().map(|range| keys::bounds(&prefix, range));
        // One stream for all of them, with what lies between.
        let interval = bounds.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))).unwrap_or_default();
        let is_over = Arc::new(AtomicBool::new(false));
        let stream = Stream {
            gateway: Arc::clone(&gateway),
            prefix,
            ranges: ranges.to_vec(),
            interval: interval.clone(),
            hear,
            is_over: Arc::clone(&is_over),
        };
        let begin = move |revision| {
            // Where there is no thread, whoever watches still looks from time to time.
            drop(thread::Builder::new().name("team".to_owned()).spawn(move || stream.follow(revision)));
        };
        Self { gateway, interval, begin: Some(Box::new(begin)), is_over }
    }
}

impl Watching for EtcdWatching {
    fn look(&mut self, _: Duration) -> Vec<Changed> {
        if let Some(begin) = self.begin.take() {
            let (start, _) = &self.interval;
            let now = kv::read_now(&self.gateway, [start, start]);
            begin(now.ok().map(|(revision, _)| revision + 1));
        }
        Vec::new()
    }
}

impl Drop for EtcdWatching {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

struct Stream {
    gateway: Arc<Gateway>,
    prefix: String,
    ranges: Vec<Range>,
    interval: (Vec<u8>, Vec<u8>),
    hear: Hear,
    is_over: Arc<AtomicBool>,
}

impl Stream {
    /// Tells everything that is written from this revision on; without one, first that anything may have been.
    fn follow(&self, from: Option<i64>) {
        let mut next = from;
        let mut is_in_trouble = from.is_none();
        let mut pause = AGAIN;
        while !self.is_over.load(Ordering::Relaxed) {
            let followed = self.begin_anew(&mut next).and_then(|from| {
                if std::mem::take(&mut is_in_trouble) {
                    (self.hear)(Changed::Everything);
                }
                self.hear_from(from, &mut next)
            });
            match followed {
                Ok(()) => pause = AGAIN,
                Err(Trouble::Compacted) => {
                    next = None;
                    is_in_trouble = true;
                }
                Err(trouble) => {
                    let longest = if matches!(trouble, Trouble::CutOff(_)) { LONGEST_SILENT } else { LONGEST_DECLINED };
                    if !is_in_trouble {
                        (self.hear)(Changed::Trouble(self.gateway.error(trouble).to_string()));
                    }
                    is_in_trouble = true;
                    // Everything is told when it answers again, and not sooner.
                    next = None;
                    pause = pause.min(longest);
                    // Of many who were cut off together not all come again in the same moment.
                    thread::sleep(pause * (750 + getrandom::u32().unwrap_or_default() % 250) / 1000);
                    pause *= 2;
                }
            }
        }
    }

    /// From which revision on the stream is to tell.
    fn begin_anew(&self, next: &mut Option<i64>) -> Result<i64, Trouble> {
        if let Some(known) = *next {
            return Ok(known);
        }
        let (start, _) = &self.interval;
        let (revision, _) = kv::read_now(&self.gateway, [start, start])?;
        *next = Some(revision + 1);
        Ok(revision + 1)
    }

    /// Hears one stream to its end.
    fn hear_from(&self, from: i64, next: &mut Option<i64>) -> Result<(), Trouble> {
        let (start, end) = &self.interval;
        let question = json!({
            "create_request": { "key": text(start), "range_end": text(end), "start_revision": from.to_string() },
        });
        let mut lines = BufReader::new(self.gateway.hear("/v3/watch", &question, STREAM)?).lines();
        while let Some(Ok(line)) = lines.next() {
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let Ok(told) = serde_json::from_str::<Value>(&line) else { return Ok(()) };
            let result = &told["result"];
            if number(&result["compact_revision"]) > 0 {
                return Err(Trouble::Compacted);
            }
            if told["error"].is_object() || result["canceled"] == true {
                let reason = result["cancel_reason"].as_str().or(told["error"]["message"].as_str());
                return Err(Trouble::Declined(reason.unwrap_or("it would not tell what changes").to_owned()));
            }
            let events = result["events"].as_array().into_iter().flatten();
            for event in events {
                let changed = key_value(&event["kv"]);
                if let Some(key) = keys::parse(&self.prefix, &changed.key)
                    && self.ranges.iter().any(|range| range.contains(&key))
                {
                    (self.hear)(Changed::Record(key));
                }
                *next = Some((*next).unwrap_or_default().max(changed.mod_revision + 1));
            }
        }
        Ok(())
    }
}
