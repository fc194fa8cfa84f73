//! A model whose every answer stands in a script, for real coding agents: a server on the loopback address that speaks what
//! their providers speak. What it was told can be looked at, so that a test sees what a model would have seen.

mod anthropic;
mod chat;
mod gemini;
mod http;
mod responses;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use http::Request;

/// What a model does in one answer.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Read {
        path: String,
    },
    Edit {
        path: String,
        old: String,
        new: String,
    },
    Write {
        path: String,
        text: String,
    },
    Patch {
        text: String,
    },
    Shell {
        command: String,
    },
    /// Gives a task to a sub-agent.
    Task {
        prompt: String,
    },
    /// Any tool of the agent, by the end of its name.
    Tool {
        name: String,
        arguments: Value,
    },
}

/// Stands in a tool's arguments for the number of the newest shell that the agent told of.
pub(crate) const LAST_SESSION: &str = "the last session";

impl Action {
    fn in_last_session(&self, said: &str) -> Self {
        let mut action = self.clone();
        if let Self::Tool { arguments, .. } = &mut action
            && arguments["session_id"] == LAST_SESSION
        {
            // In code mode it is told as JSON, which may be quoted.
            let told = ["session ID ", "\"session_id\":", "\\\"session_id\\\":"];
            let number = told.iter().find_map(|before| said.rsplit_once(before)).map_or("", |(_, number)| number);
            let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
            arguments["session_id"] = digits.parse::<u64>().unwrap_or_default().into();
        }
        action
    }
}

/// One answer of the model, and what happens in the world before it gives it.
pub(crate) struct Step {
    action: Action,
    before: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Step {
    /// Does something else when the agent asks for this answer; meanwhile the agent waits.
    pub(crate) fn after(self, before: impl Fn() + Send + Sync + 'static) -> Self {
        Self { before: Some(Box::new(before)), ..self }
    }
}

impl From<Action> for Step {
    fn from(action: Action) -> Self {
        Self { action, before: None }
    }
}

pub(crate) fn read(path: impl AsRef<Path>) -> Step {
    Action::Read { path: text_of_path(path) }.into()
}

pub(crate) fn edit(path: impl AsRef<Path>, old: &str, new: &str) -> Step {
    Action::Edit { path: text_of_path(path), old: old.to_owned(), new: new.to_owned() }.into()
}

pub(crate) fn write(path: impl AsRef<Path>, text: &str) -> Step {
    Action::Write { path: text_of_path(path), text: text.to_owned() }.into()
}

pub(crate) fn patch(text: &str) -> Step {
    Action::Patch { text: text.to_owned() }.into()
}

pub(crate) fn shell(command: &str) -> Step {
    Action::Shell { command: command.to_owned() }.into()
}

pub(crate) fn task(prompt: &str) -> Step {
    Action::Task { prompt: prompt.to_owned() }.into()
}

pub(crate) fn tool(name: &str, arguments: Value) -> Step {
    Action::Tool { name: name.to_owned(), arguments }.into()
}

/// The server. It ends with the value.
pub(crate) struct ScriptedModel {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Arc<Vec<Step>>>>,
    told: Mutex<Vec<(String, String)>>,
    is_over: AtomicBool,
}

impl ScriptedModel {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if server.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let server = Arc::clone(&server);
                // An agent may be killed in the middle of a request.
                thread::spawn(move || server.serve(connection));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Teaches it a script. A prompt that contains `script:NAME` is answered from it, step by step; after the last the model
    /// says that it is done.
    pub(crate) fn teach(&self, name: &str, steps: impl IntoIterator<Item = Step>) {
        self.shared.scripts.lock().unwrap().insert(name.to_owned(), Arc::new(steps.into_iter().collect()));
    }

    /// All that was new to the model in the conversations of a script: prompts, results of tools, and what hooks added.
    pub(crate) fn told(&self, name: &str) -> String {
        let told = self.shared.told.lock().unwrap();
        told.iter().filter(|(script, _)| script == name).map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // It sees this when the next one comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// What stands in a conversation, whatever the provider's form.
enum Said {
    ByUser(String),
    ByModel,
    Called,
    Result(String),
}

/// A tool call as a provider writes it.
struct Call {
    id: String,
    name: String,
    arguments: Value,
}

/// One answer of the model, in no provider's form: a call, or else the end of its turn.
struct Reply {
    call: Option<Call>,
}

/// What the model says at the end of its turn.
const LAST_WORD: &str = "done";

/// A provider's form of requests and answers.
struct Dialect {
    conversation: fn(&Value) -> Vec<Said>,
    /// The names of the tools that the agent offers.
    tools: fn(&Value) -> Vec<String>,
    /// The tool, and what it is given, by which this agent does it.
    call: fn(&Action, &Value) -> (String, Value),
    /// The events of an answer; the last is the whole where it is not streamed.
    write: fn(&Reply, &Value) -> Vec<Value>,
    /// Every event is named by its type.
    names_events: bool,
}

fn dialect_of(path: &str) -> Option<&'static Dialect> {
    if path.ends_with("/messages") {
        Some(&anthropic::DIALECT)
    } else if path.ends_with("/responses") {
        Some(&responses::DIALECT)
    } else if path.ends_with("/chat/completions") {
        Some(&chat::DIALECT)
    } else if path.contains("enerateContent") {
        Some(&gemini::DIALECT)
    } else {
        None
    }
}

impl Shared {
    fn serve(&self, connection: TcpStream) {
        let Some(request) = Request::read(&connection) else { return };
        let path = request.path.split('?').next().unwrap_or_default();
        if path.ends_with("count_tokens") || path.ends_with(":countTokens") {
            return http::write_json(&connection, 200, &json!({"input_tokens": 10, "totalTokens": 10}));
        }
        let Some(dialect) = dialect_of(path) else {
            return http::write_json(&connection, 200, &json!({"data": [], "models": [], "object": "list"}));
        };
        let Some(body) = request.json() else {
            return http::write_json(&connection, 415, &json!({"error": "only JSON that is not compressed, please"}));
        };
        let events = (dialect.write)(&self.reply(dialect, &body), &body);
        if body["stream"] == true || path.contains("stream") {
            http::write_events(&connection, &events, dialect.names_events);
        } else {
            http::write_json(&connection, 200, events.last().unwrap_or(&Value::Null));
        }
    }

    fn reply(&self, dialect: &Dialect, body: &Value) -> Reply {
        let (mut script, mut step, mut news, mut results) = (String::new(), 0, Vec::new(), String::new());
        for said in (dialect.conversation)(body) {
            match said {
                Said::ByUser(text) => {
                    if let Some(name) = script_named_in(&text) {
                        (script, step) = (name, 0);
                    }
                    news.push(text);
                }
                Said::Result(text) => {
                    results.push_str(&text);
                    news.push(text);
                }
                Said::ByModel => news.clear(),
                Said::Called => {
                    news.clear();
                    step += 1;
                }
            }
        }
        let done = || Reply { call: None };
        // Without tools an agent asks for a title or a summary.
        if (dialect.tools)(body).is_empty() {
            return done();
        }
        self.told.lock().unwrap().extend(news.into_iter().map(|text| (script.clone(), text)));
        let steps = self.scripts.lock().unwrap().get(&script).cloned();
        let Some(next) = steps.as_ref().and_then(|steps| steps.get(step)) else { return done() };
        if let Some(before) = &next.before {
            before();
        }
        let (mut name, arguments) = (dialect.call)(&next.action.in_last_session(&results), body);
        // Tools of MCP servers have names that each agent makes in its own manner.
        if let Some(offered) = (dialect.tools)(body).into_iter().find(|tool| tool.ends_with(&format!("_{name}"))) {
            name = offered;
        }
        Reply { call: Some(Call { id: format!("call_{script}_{step}"), name, arguments }) }
    }
}

fn script_named_in(text: &str) -> Option<String> {
    let (_, after) = text.rsplit_once("script:")?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = after.chars().take_while(|c| is_part(*c)).collect();
    (!name.is_empty()).then_some(name)
}

/// The texts in a content, which may be a text, a part or a list of them.
fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(texts).collect::<Vec<_>>().join("\n"),
        Value::Object(part) => ["text", "output", "content", "encrypted_content"]
            .iter()
            .find_map(|key| part.get(*key))
            .map(texts)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn text_of_path(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}
