//! What editors declare that they can do, and whether a server keeps to it.

use serde_json::{Value, json};

/// What a complete editor of today declares.
pub(crate) fn full_capabilities() -> Value {
    json!({
        "workspace": {
            "applyEdit": true,
            "configuration": true,
            "workspaceFolders": true,
            "didChangeConfiguration": { "dynamicRegistration": true },
            "didChangeWatchedFiles": { "dynamicRegistration": true, "relativePatternSupport": true },
            "executeCommand": { "dynamicRegistration": true },
            "inlayHint": { "refreshSupport": true },
            "fileOperations": {
                "dynamicRegistration": true,
                "didCreate": true, "willCreate": true,
                "didRename": true, "willRename": true,
                "didDelete": true, "willDelete": true,
            },
        },
        "textDocument": {
            "synchronization": { "dynamicRegistration": true, "didSave": true, "willSave": true },
            "publishDiagnostics": {
                "relatedInformation": true,
                "versionSupport": true,
                "codeDescriptionSupport": true,
                "dataSupport": true,
                "tagSupport": { "valueSet": [1, 2] },
            },
            "hover": { "contentFormat": ["markdown", "plaintext"] },
            "inlayHint": {
                "dynamicRegistration": true,
                "resolveSupport": { "properties": ["tooltip", "label.tooltip", "label.command"] },
            },
            "codeAction": {
                "dynamicRegistration": true,
                "isPreferredSupport": true,
                "disabledSupport": true,
                "dataSupport": true,
                "resolveSupport": { "properties": ["edit", "command"] },
                "codeActionLiteralSupport": {
                    "codeActionKind": { "valueSet": ["", "quickfix", "refactor", "source"] },
                },
            },
        },
        "notebookDocument": { "synchronization": { "dynamicRegistration": true } },
        "window": {
            "workDoneProgress": true,
            "showMessage": { "messageActionItem": { "additionalPropertiesSupport": true } },
            "showDocument": { "support": true },
        },
        "general": { "positionEncodings": ["utf-16"] },
    })
}

/// What an editor declares that can do nothing but send documents and show messages.
pub(crate) fn bare_capabilities() -> Value {
    json!({})
}

/// The capability without which a server may not send this request, or nothing where it always may.
/// An error where no server of ours has any business sending it.
pub(crate) fn needed_for_request(method: &str) -> Result<Option<&'static str>, ()> {
    Ok(match method {
        "workspace/applyEdit" => Some("/workspace/applyEdit"),
        "workspace/configuration" => Some("/workspace/configuration"),
        "workspace/workspaceFolders" => Some("/workspace/workspaceFolders"),
        "workspace/inlayHint/refresh" => Some("/workspace/inlayHint/refreshSupport"),
        "window/showDocument" => Some("/window/showDocument/support"),
        "window/workDoneProgress/create" => Some("/window/workDoneProgress"),
        "window/showMessageRequest" | "client/registerCapability" | "client/unregisterCapability" => None,
        _ => return Err(()),
    })
}

/// What in this notification, or in the parameters of this registration, the client never declared.
pub(crate) fn undeclared_use(method: &str, parameters: &Value, declared: &Value) -> Vec<String> {
    match method {
        "textDocument/publishDiagnostics" => undeclared_in_diagnostics(parameters, declared),
        "client/registerCapability" => undeclared_registrations(parameters, declared),
        _ => Vec::new(),
    }
}

fn undeclared_in_diagnostics(parameters: &Value, declared: &Value) -> Vec<String> {
    let client = |name: &str| {
        let value = &declared["textDocument"]["publishDiagnostics"][name];
        value.is_object() || *value == true
    };
    let mut found = Vec::new();
    if !parameters["version"].is_null() && !client("versionSupport") {
        found.push("a version in publishDiagnostics".to_owned());
    }
    for diagnostic in parameters["diagnostics"].as_array().into_iter().flatten() {
        for (field, capability) in [
            ("relatedInformation", "relatedInformation"),
            ("data", "dataSupport"),
            ("tags", "tagSupport"),
            ("codeDescription", "codeDescriptionSupport"),
        ] {
            if !diagnostic[field].is_null() && !client(capability) {
                found.push(format!("`{field}` in a diagnostic"));
            }
        }
    }
    found
}

fn undeclared_registrations(parameters: &Value, declared: &Value) -> Vec<String> {
    let registrations = parameters["registrations"].as_array().into_iter().flatten();
    registrations
        .filter_map(|registration| registration["method"].as_str())
        .filter(|method| {
            let (area, feature) = method.split_once('/').unwrap_or((method, ""));
            let declared = &declared[area];
            let dynamic = |feature: &str| declared[feature]["dynamicRegistration"] == true;
            match feature {
                "didRenameFiles" | "didCreateFiles" | "didDeleteFiles" => !dynamic("fileOperations"),
                "didOpen" | "didChange" | "didClose" | "didSave" => !dynamic("synchronization"),
                _ => !dynamic(feature),
            }
        })
        .map(|method| format!("registration of {method}"))
        .collect()
}
