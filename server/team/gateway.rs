//! One question to etcd, one answer: over the JSON gateway on its client port, within half a second.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deconflict_registry::Error;
use serde_json::{Value, json};
use ureq::Agent;

use super::access::{EtcdAccess, User};

/// Without an answer in this time it counts as cut off (protocol page, "Scopes").
pub(super) const ANSWER: Duration = Duration::from_millis(500);

/// No longer answer is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// The codes of gRPC that mean that nobody could answer for the cluster now.
const DEADLINE: i64 = 4;
const OUT_OF_RANGE: i64 = 11;
const UNAVAILABLE: i64 = 14;
const UNAUTHENTICATED: i64 = 16;

/// Why there is no answer to work with.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody answered. What was asked for may have been done.
    CutOff(String),
    /// The cluster would not do it.
    Declined(String),
    /// The revision that was asked for is no longer kept.
    Compacted,
    /// There is such a lease already.
    LeaseExists,
    /// A lease that was there a moment ago has ended.
    LeaseEnded,
    /// The token of the user counts no longer.
    Token,
}

/// Whether asking twice does what asking once does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// It only reads, or does the same again.
    Idempotent,
    /// It writes.
    Once,
}

/// A cluster, whose members are asked one after another.
pub(super) struct Gateway {
    agent: Agent,
    place: String,
    urls: Vec<String>,
    /// Which member answered last.
    current: AtomicUsize,
    /// It is spoken to by TLS, and shown no certificate.
    is_shown_none: bool,
    user: Option<User>,
    token: Mutex<Option<String>>,
    told_time: Mutex<Option<DateTime<Utc>>>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a member gave no answer.
enum Silence {
    /// It did not hear the question.
    Unheard(String),
    /// It may have heard it.
    Unknown(String),
    Known(Trouble),
}

impl Gateway {
    /// Nothing is contacted yet.
    pub(super) fn new(access: &EtcdAccess) -> Result<Self, Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .https_only(access.address.is_encrypted())
            .tls_config(access.tls()?)
            .build();
        Ok(Self {
            agent: config.into(),
            place: access.address.to_string(),
            urls: access.address.urls(),
            current: AtomicUsize::new(0),
            is_shown_none: access.address.is_encrypted() && access.cert.is_none(),
            user: access.user.clone(),
            token: Mutex::default(),
            told_time: Mutex::default(),
        })
    }

    /// Asks any member.
    pub(super) fn ask(&self, path: &str, question: &Value, asked: Idempotency) -> Result<Value, Trouble> {
        let ask = |at: usize, limit| self.answer(at, path, question, limit);
        self.ask_members(asked, ask)
    }

    /// Which etcd it is. Whoever may sign in may ask that, other than for a member's whole state.
    pub(super) fn version(&self) -> Result<String, Trouble> {
        let ask = |at: usize, limit| {
            let request = self.agent.get(format!("{}/version", self.urls[at])).config().timeout_global(Some(limit));
            let told = request.build().call().map_err(|error| self.silence(&error))?.body_mut().read_to_string();
            let told = told.map_err(|error| self.silence(&error))?;
            serde_json::from_str::<Value>(&told)
                .ok()
                .and_then(|told| Some(told["etcdserver"].as_str()?.to_owned()))
                .ok_or_else(|| {
                    Silence::Known(Trouble::Declined("what is there does not answer as etcd does".to_owned()))
                })
        };
        self.ask_members(Idempotency::Idempotent, ask)
    }

    /// Begins to hear, for at most so long, what is told line by line.
    pub(super) fn hear(&self, path: &str, question: &Value, limit: Duration) -> Result<Box<dyn Read + Send>, Trouble> {
        let begin = |at: usize, answer_within| {
            let response = self.post(at, path, question, answer_within, Some(limit))?;
            let status = response.status();
            let mut body = response.into_body();
            if status.is_success() {
                return Ok(Box::new(body.into_reader()) as Box<dyn Read + Send>);
            }
            let told = body.read_to_string().unwrap_or_default();
            Err(Silence::Known(complaint(&serde_json::from_str(&told).unwrap_or_default())))
        };
        self.ask_members(Idempotency::Idempotent, begin)
    }

    /// The time by its clock, in whole seconds, as the last answer told it.
    pub(super) fn told_time(&self) -> Option<DateTime<Utc>> {
        *self.told_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trouble as the registry's verbs tell it.
    pub(super) fn error(&self, trouble: Trouble) -> Error {
        let place = self.place.clone();
        match trouble {
            Trouble::CutOff(reason) => Error::CutOff { place, reason },
            Trouble::Declined(reason) => Error::Declined { place, reason },
            Trouble::Compacted | Trouble::LeaseExists | Trouble::LeaseEnded => Error::Contended,
            Trouble::Token => Error::Declined { place, reason: "it no longer knows who asks".to_owned() },
        }
    }

    fn ask_members<T>(
        &self,
        asked: Idempotency,
        mut ask: impl FnMut(usize, Duration) -> Result<T, Silence>,
    ) -> Result<T, Trouble> {
        let start = Instant::now();
        let first = self.current.load(Ordering::Relaxed);
        let mut why = "nobody answered".to_owned();
        let mut is_token_new = false;
        let mut attempt = 0;
        while attempt < self.urls.len() {
            let left = ANSWER.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            let member = (first + attempt) % self.urls.len();
            // One that is silent leaves time to ask the others.
            let others = u32::try_from(self.urls.len() - attempt).unwrap_or(1);
            let limit = if asked == Idempotency::Idempotent { left / others } else { left };
            match self.sign_in(member, limit).and_then(|()| ask(member, limit)) {
                Ok(answer) => {
                    self.current.store(member, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Silence::Known(Trouble::Token)) if self.user.is_some() && !is_token_new => {
                    is_token_new = true;
                    *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Err(Silence::Known(trouble)) => return Err(trouble),
                Err(Silence::Unknown(reason)) if asked == Idempotency::Once => return Err(Trouble::CutOff(reason)),
                Err(Silence::Unheard(reason) | Silence::Unknown(reason)) => {
                    why = reason;
                    attempt += 1;
                }
            }
        }
        Err(Trouble::CutOff(why))
    }

    /// Gets a token for the user, where there is one and it has none.
    fn sign_in(&self, member: usize, limit: Duration) -> Result<(), Silence> {
        let Some(user) = &self.user else { return Ok(()) };
        if self.token.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let question = json!({ "name": user.name, "password": user.password });
        let answer =
            self.answer(member, "/v3/auth/authenticate", &question, limit).map_err(|silence| match silence {
                Silence::Unknown(reason) => Silence::Unheard(reason),
                known => known,
            })?;
        let token = answer["token"].as_str().map(str::to_owned);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        Ok(())
    }

    fn answer(&self, member: usize, path: &str, question: &Value, limit: Duration) -> Result<Value, Silence> {
        let mut response = self.post(member, path, question, limit, None)?;
        let is_good = response.status().is_success();
        let date =
            response.headers().get("date").and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        *self.told_time.lock().unwrap_or_else(PoisonError::into_inner) = date.map(|date| date.to_utc());
        let bytes = response.body_mut().with_config().limit(LONGEST).read_to_vec();
        let bytes = bytes.map_err(|error| Silence::Unknown(error.to_string()))?;
        match serde_json::from_slice(&bytes) {
            Ok(answer) if is_good => Ok(answer),
            Ok(complained) => Err(match complaint(&complained) {
                Trouble::CutOff(reason) => Silence::Unknown(reason),
                trouble => Silence::Known(trouble),
            }),
            Err(_) => Err(Silence::Known(not_etcd())),
        }
    }

    /// `heard_for` is how long an answer may go on that never ends by itself.
    fn post(
        &self,
        member: usize,
        path: &str,
        question: &Value,
        limit: Duration,
        heard_for: Option<Duration>,
    ) -> Result<ureq::http::Response<ureq::Body>, Silence> {
        let url = format!("{}{path}", self.urls[member]);
        let mut request = self.agent.post(url);
        if let Some(token) = self.token.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && !path.starts_with("/v3/auth/")
        {
            request = request.header("Authorization", token);
        }
        let config = request.config().timeout_resolve(Some(limit)).timeout_connect(Some(limit));
        let config = match heard_for {
            None => config.timeout_global(Some(limit)),
            Some(heard_for) => config.timeout_recv_response(Some(limit)).timeout_recv_body(Some(heard_for)),
        };
        config.build().send(question.to_string()).map_err(|error| self.silence(&error))
    }

    /// What an error of the connection says of the question.
    fn silence(&self, error: &ureq::Error) -> Silence {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let is_broken_off = |error: &std::io::Error| {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        };
        match error {
            // Why it did so may come too late to be heard.
            ureq::Error::Io(io) if self.is_shown_none && is_broken_off(io) => Silence::Unknown(
                "it broke off the connection; if it wants a certificate of yours, name it with --cert and --key"
                    .to_owned(),
            ),
            _ => silence(error),
        }
    }
}

fn not_etcd() -> Trouble {
    Trouble::Declined("what is there does not answer as etcd does".to_owned())
}

/// What an error of the connection says of the question.
fn silence(error: &ureq::Error) -> Silence {
    use ureq::Timeout;
    let text = error.to_string();
    match error {
        ureq::Error::HostNotFound => Silence::Unheard("there is no such host".to_owned()),
        ureq::Error::ConnectionFailed | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            Silence::Unheard("no connection in time".to_owned())
        }
        ureq::Error::Timeout(_) => Silence::Unknown("not within half a second".to_owned()),
        _ if text.contains("certificate") => {
            Silence::Known(Trouble::Declined(format!("its certificate does not do ({})", certificate_in_words(&text))))
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            Silence::Known(Trouble::Declined(format!("no TLS came about ({text})")))
        }
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Silence::Unheard("the connection was refused".to_owned())
        }
        ureq::Error::Io(io) if text.contains("InvalidContentType") || io.to_string().contains("corrupt message") => {
            Silence::Known(Trouble::Declined("it does not speak TLS; with etcd:// it is asked without".to_owned()))
        }
        _ => Silence::Unknown(text),
    }
}

fn certificate_in_words(text: &str) -> String {
    let known = [
        ("UnknownIssuer", "nobody vouches for it; name who does with --ca"),
        ("xpired", "it has expired"),
        ("NotValidYet", "it does not count yet"),
        ("not valid for name", "it is another host's"),
        ("NotValidForName", "it is another host's"),
        ("CertificateRequired", "it wants one of yours: --cert and --key"),
    ];
    known.iter().find(|(word, _)| text.contains(word)).map_or_else(|| text.to_owned(), |(_, words)| (*words).to_owned())
}

/// What the cluster complains of.
pub(super) fn complaint(answer: &Value) -> Trouble {
    let message = ["message", "error"].iter().find_map(|field| answer[field].as_str()).unwrap_or("no reason given");
    let code = answer["code"].as_i64().or_else(|| answer["grpc_code"].as_i64()).unwrap_or_default();
    let says = |words: &str| message.contains(words);
    let declined = |words: &str| Trouble::Declined(words.to_owned());
    match code {
        _ if says("has been compacted") => Trouble::Compacted,
        _ if says("lease already exists") => Trouble::LeaseExists,
        _ if says("requested lease not found") => Trouble::LeaseEnded,
        _ if says("invalid auth token") => Trouble::Token,
        _ if says("permission denied") => declined("this user may not do that here"),
        _ if says("authentication failed") => declined("the name or the password is wrong"),
        _ if says("user name is empty") => declined("it wants a user and a password: --user"),
        _ if says("database space exceeded") => declined("its storage is used up"),
        UNAUTHENTICATED => Trouble::Token,
        DEADLINE | UNAVAILABLE | OUT_OF_RANGE => Trouble::CutOff(message.replace("etcdserver: ", "")),
        _ => Trouble::Declined(message.replace("etcdserver: ", "")),
    }
}
