//! Names of sessions, resources and files, from any text.

use deconflict_protocol::{ClaimKey, Naming, Resource, ResourceType, SessionId};

/// Whatever becomes a part of a path is one plain component, and a resource is known again by its file's name.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for id in [SessionId::new(text), SessionId::foreign(text)].into_iter().flatten() {
        expect_component(id.as_str());
    }
    let (first, rest) = text.split_once('\n').unwrap_or(("file", text));
    if let Ok(resource) = ResourceType::new(first).and_then(|kind| Resource::new(kind, rest)) {
        expect_known_again(&resource);
    }
    if let Ok(kind) = ResourceType::foreign(first) {
        expect_component(kind.as_str());
        if let Ok(resource) = Resource::new(kind, rest) {
            // Others' types may have a hyphen, so that the file's name alone does not say where the type ends.
            expect_component(Naming::default().key(&resource).as_str());
        }
    }
    for resource in [Resource::file(text), Resource::directory(text)].into_iter().flatten() {
        expect_known_again(&resource);
        // A path that nobody resolved may have parts that are no names, which the directories above it have not.
        let is_plain = !resource.relative().split('/').any(|part| matches!(part, "" | "." | ".."))
            && !resource.name().starts_with("///");
        for above in resource.covering_directories().into_iter().filter(|_| is_plain) {
            assert!(above.covers(&resource), "{above:?} and {resource:?}");
            let below = Naming::default().key(&resource);
            let prefixes = Naming::default().beginnings_below(&above);
            assert!(is_cut(&below) || prefixes.iter().any(|prefix| below.as_str().starts_with(prefix)), "{below}");
        }
    }
    if let Some(file) = Naming::default().parse(text) {
        // Another program may have named its file with anything but what would lead elsewhere.
        assert!(!text.contains(['/', '\\']) && !text.starts_with('.'), "{text:?}");
        let resource = file.resource(None);
        resource.display_name();
        file.resource(Some((first, rest)));
    }
}

fn expect_known_again(resource: &Resource) {
    let file = Naming::default().key(resource);
    expect_component(file.as_str());
    let again = Naming::default().parse(file.as_str()).expect("a name of ours is one");
    assert_eq!(again, file);
    let recorded = (resource.resource_type().as_str(), resource.name());
    assert_eq!(again.resource(Some(recorded)), *resource, "{file}");
    if !is_cut(&file) {
        assert_eq!(again.resource(None), *resource, "{file}");
    }
    resource.display_name();
}

/// Too long a name ends with a hash of what was left out.
fn is_cut(file: &ClaimKey) -> bool {
    file.as_str().contains("%~")
}

fn expect_component(name: &str) {
    assert!(!name.is_empty() && name.len() <= 255, "{name:?}");
    assert!(!name.contains(['/', '\\', '\0']) && name != "." && name != "..", "{name:?}");
    assert!(!name.contains(char::is_control), "{name:?}");
}
