//! What editors send that is not quite as the protocol has it, though it is clear what is meant.

use serde_json::{Map, Value, json};

/// Puts right in a message what would make it unreadable.
pub(super) fn mend(message: &mut Value) {
    let Some(fields) = message.as_object_mut() else { return };
    let method = fields.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    if method == "shutdown" {
        // It has none.
        fields.remove("params");
    }
    let Some(parameters) = fields.get_mut("params").and_then(Value::as_object_mut) else { return };
    match method.as_str() {
        "textDocument/didOpen" => in_document(parameters, |document| {
            mend_version(document);
            // What language it is in matters to nobody here.
            if !document.get("languageId").is_some_and(Value::is_string) {
                document.insert("languageId".to_owned(), json!(""));
            }
        }),
        "textDocument/didChange" => in_document(parameters, mend_version),
        "workspace/executeCommand" if parameters.get("arguments").is_some_and(Value::is_null) => {
            parameters.remove("arguments");
        }
        _ => {}
    }
}

fn in_document(parameters: &mut Map<String, Value>, mend: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(document) = parameters.get_mut("textDocument").and_then(Value::as_object_mut) {
        mend(document);
    }
}

/// Messages come in their order, so that no number is needed to tell it.
fn mend_version(document: &mut Map<String, Value>) {
    let is_whole = document.get("version").and_then(Value::as_i64).is_some_and(|number| i32::try_from(number).is_ok());
    if !is_whole {
        document.insert("version".to_owned(), json!(0));
    }
}
