//! Our hooks in a settings file that belongs to the user: how they get in, and how they get out again.
//!
//! Such files have one shape: an object whose member `hooks` has a list for each event. Whatever else is in the file,
//! its comments and its layout stay as they are.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

/// The file's text with our hooks in it, at the end of each event's list. `text` is `None` if there is no file yet.
pub(super) fn with_hooks(text: Option<&str>, ours: &Value) -> Result<String, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        let pretty = serde_json::to_string_pretty(ours).map_err(|error| error.to_string())?;
        return Ok(pretty + "\n");
    };
    let root = parse(text)?;
    let file = root.object_value().ok_or("it is not a JSON object")?;
    let Value::Object(members) = ours else { return Err("our own hooks are not a JSON object".to_owned()) };
    for (name, value) in members {
        if name != "hooks" {
            if file.get(name).is_none() {
                file.append(name, input(value));
            }
            continue;
        }
        let hooks = file.object_value_or_create("hooks").ok_or("its \"hooks\" is not an object")?;
        for (event, groups) in value.as_object().into_iter().flatten() {
            let list = hooks
                .array_value_or_create(event)
                .ok_or_else(|| format!("its \"hooks\" has something other than a list for {event}"))?;
            for group in groups.as_array().into_iter().flatten() {
                list.append(input(group));
            }
        }
    }
    Ok(root.to_string())
}

/// The file's text without our hooks, which are known by their commands, and without what is empty then.
pub(super) fn without_hooks(text: &str, is_ours: impl Fn(&str) -> bool) -> Result<String, String> {
    let root = parse(text)?;
    let Some(hooks) = root.object_value().and_then(|file| file.object_value("hooks")) else {
        return Ok(text.to_owned());
    };
    if !properties_without(&hooks, &is_ours) {
        return Ok(text.to_owned());
    }
    if hooks.properties().is_empty()
        && let Some(property) = root.object_value().and_then(|file| file.get("hooks"))
    {
        property.remove();
    }
    Ok(root.to_string())
}

pub(super) fn has_hooks(text: &str, is_ours: impl Fn(&str) -> bool) -> bool {
    without_hooks(text, is_ours).is_ok_and(|without| without != text)
}

/// True if the text is an object with no member but the version of its format, and no comment.
pub(super) fn has_no_more_than_a_version(text: &str) -> bool {
    let file = parse(text).ok().and_then(|root| root.object_value());
    let has_comment = text.contains("//") || text.contains("/*");
    !has_comment
        && file.is_some_and(|file| file.properties().iter().all(|it| it.decoded_name().as_deref() == Some("version")))
}

fn parse(text: &str) -> Result<CstRootNode, String> {
    // What the agents themselves take, and no more: a file that they would refuse has to be mended by its owner.
    let options = ParseOptions {
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        ..ParseOptions::default()
    };
    CstRootNode::parse(text, &options).map_err(|error| error.to_string())
}

/// Takes our hooks out of an object's lists. Returns true if there were any.
fn properties_without(object: &CstObject, is_ours: &impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    for property in object.properties() {
        let Some(list) = property.array_value() else { continue };
        if elements_without(&list, is_ours) {
            found = true;
            if list.elements().is_empty() {
                property.remove();
            }
        }
    }
    found
}

fn elements_without(list: &CstArray, is_ours: &impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    for element in list.elements() {
        let Some(object) = element.as_object() else { continue };
        let is_hook =
            object.get("command").and_then(|command| text_of(&command.value()?)).is_some_and(|it| is_ours(&it));
        if is_hook {
            element.remove();
            found = true;
        } else if properties_without(&object, is_ours) {
            found = true;
            // A group of hooks, of which ours were all.
            if object.get("hooks").is_none() {
                element.remove();
            }
        }
    }
    found
}

fn text_of(node: &CstNode) -> Option<String> {
    node.as_string_lit()?.decoded_value().ok()
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(elements) => CstInputValue::Array(elements.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours() -> Value {
        json!({
            "version": 1,
            "hooks": {
                "sessionStart": [{"command": "/x/deconflict hook cursor"}],
                "stop": [{"matcher": "", "hooks": [{"type": "command", "command": "/x/deconflict hook cursor"}]}],
            },
        })
    }

    fn is_ours(command: &str) -> bool {
        command.contains("deconflict hook")
    }

    #[test]
    fn a_person_s_file_keeps_all_that_is_in_it_and_gets_it_back() {
        let files = [
            "{}",
            "{ }\n",
            "{\n  \"version\": 1\n}\n",
            "{\"hooks\": {\"stop\": []}}",
            "{\n\t// mine\n\t\"hooks\": {\n\t\t\"stop\": [\n\t\t\t{ \"command\": \"say done\" } // loud\n\t\t]\n\t},\n\t\"other\": [1, 2]\n}\n",
            "{\n    \"hooks\": {\n        \"afterFileEdit\": [{\"command\": \"./format.sh\"}]\n    }\n}",
        ];
        for before in files {
            let after = with_hooks(Some(before), &ours()).unwrap();
            let parsed: Value = serde_json::from_str(&after.replace("// mine", "").replace("// loud", "")).unwrap();
            assert_eq!(parsed["version"], 1, "{after}");
            assert_eq!(parsed["hooks"]["sessionStart"][0]["command"], "/x/deconflict hook cursor", "{after}");
            assert!(has_hooks(&after, is_ours));
            assert!(!has_hooks(before, is_ours));
            for part in before.split(['{', '}', '[', ']', ',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
                assert!(after.contains(part), "{part:?} is gone from {after}");
            }
            let out = without_hooks(&after, is_ours).unwrap();
            assert!(!out.contains("deconflict"), "{out}");
            assert_eq!(out.contains("say done"), before.contains("say done"), "{out}");
        }
    }

    #[test]
    fn what_is_no_place_for_hooks_is_left_alone() {
        for text in ["[]", "{", "{\"hooks\": 1}", "{\"hooks\": {\"stop\": {}}}", "hello", "{'a': 1}"] {
            assert!(with_hooks(Some(text), &ours()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hook_that_somebody_put_into_our_group_stays() {
        let text = json!({"hooks": {"stop": [{"hooks": [
            {"command": "/x/deconflict hook cursor"}, {"command": "theirs"},
        ]}]}});
        let out = without_hooks(&text.to_string(), is_ours).unwrap();
        let out: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(out, json!({"hooks": {"stop": [{"hooks": [{"command": "theirs"}]}]}}));
    }
}
