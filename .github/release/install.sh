#!/bin/sh
# Installs deconflict @VERSION@ for you alone: fetches the program for this machine, looks whether it arrived whole, and lets
# it set itself up. What follows goes to `deconflict setup`: --dry-run shows what would change, names of editors mean only those.
#
#   DECONFLICT_INSTALL_DIR   put the program into this folder and change nothing else
#   DECONFLICT_DOWNLOAD      fetch from here, a URL or a folder, instead of the release's own address
set -eu

download=${DECONFLICT_DOWNLOAD:-@REPOSITORY@/releases/download/v@VERSION@}

say() { printf 'deconflict: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Everything is in functions, so that a script that arrives by halves does nothing.
main() {
    target=$(target_of_this_machine)
    archive=deconflict-$target.tar.gz
    for tool in tar uname mktemp; do
        has "$tool" || fail "$tool is needed and was not found."
    done

    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 1' HUP INT TERM
    fetch "$archive"
    fetch "$archive.sha256"
    (cd "$scratch" && checksum "$archive.sha256" >/dev/null 2>&1) ||
        fail "$archive did not arrive whole, or somebody changed it. Nothing was installed; please try again."
    tar -C "$scratch" -xzf "$scratch/$archive"
    program=$scratch/deconflict-$target/deconflict
    "$program" --version >/dev/null 2>&1 || fail "the program for $target does not run on this machine."

    if [ -n "${DECONFLICT_INSTALL_DIR:-}" ]; then
        mkdir -p "$DECONFLICT_INSTALL_DIR"
        # A program that runs is replaced, not written into.
        cp "$program" "$DECONFLICT_INSTALL_DIR/.deconflict.new"
        mv -f "$DECONFLICT_INSTALL_DIR/.deconflict.new" "$DECONFLICT_INSTALL_DIR/deconflict"
        say "$("$program" --version) is in $DECONFLICT_INSTALL_DIR. Next: deconflict setup"
    else
        "$program" setup "$@"
    fi
}

target_of_this_machine() {
    case "$(uname -m)" in
    x86_64 | amd64) cpu=x86_64 ;;
    arm64 | aarch64) cpu=aarch64 ;;
    *) fail "there is no program for $(uname -m) yet. With Rust: cargo install deconflict" ;;
    esac
    case "$(uname -s)" in
    Linux) echo "$cpu-unknown-linux-$(c_library)" ;;
    Darwin)
        # A shell that is translated says that this is an Intel machine.
        [ "$(sysctl -n hw.optional.arm64 2>/dev/null || echo 0)" != 1 ] || cpu=aarch64
        echo "$cpu-apple-darwin"
        ;;
    *) fail "there is no program for $(uname -s) yet. On Windows use install.ps1; with Rust: cargo install deconflict" ;;
    esac
}

# Both programs bring their C library along and run on every Linux. The one with glibc is faster; it comes where glibc is, which
# it asks for users that no file lists.
c_library() {
    if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then echo gnu; else echo musl; fi
}

fetch() {
    case "$download" in
    http://* | https://*)
        if has curl; then
            curl --proto '=https,http' -fsSL --retry 3 -o "$scratch/$1" "$download/$1"
        elif has wget; then
            wget -q -O "$scratch/$1" "$download/$1"
        else
            fail "curl or wget is needed and was not found."
        fi
        ;;
    *) cp "$download/$1" "$scratch/$1" ;;
    esac || fail "cannot fetch $download/$1."
}

checksum() {
    if has sha256sum; then sha256sum -c "$1"; else shasum -a 256 -c "$1"; fi
}

main "$@"
