# Packages of Debian's newer suites for private folders, by this machine's own mirror and settings. The system's apt and
# packages stay as they are, and no special rights are needed.
#
# A script that sources this has made the folder `$scratch`, and tells tools that are missing before it does.

# apt with the machine's own settings (proxies, certificates), without its folders, hooks and
# extra indexes, and with nothing installed, so that it lists every package that is needed.
mkdir -p "$scratch/lists/partial" "$scratch/archives/partial" "$scratch/sources" "$scratch/empty"
: >"$scratch/status"
: >"$scratch/sources.list"
{
    apt-config dump | grep -v -E '^(Dir|APT::Update|DPkg|Acquire::IndexTargets|APT::Sandbox)'
    cat <<SETTINGS
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$scratch/empty";
Dir::Etc::sourcelist "$scratch/sources.list";
Dir::Etc::sourceparts "$scratch/empty";
Dir::State "$scratch";
Dir::State::lists "$scratch/lists";
Dir::State::status "$scratch/status";
Dir::Cache "$scratch";
Dir::Cache::archives "$scratch/archives";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
SETTINGS
} >"$scratch/apt.conf"
private() { APT_CONFIG="$scratch/apt.conf" "$@" </dev/null; }

# Every mirror that the machine's apt knows, security mirrors aside: they have no suites of ours.
mirrors=$(apt-get indextargets --no-release-info --format '$(SITE)' 2>/dev/null |
    grep -v security | sort -u || true)

# Reads the lists of one suite from the first mirror that has it.
read_suite() {
    keyring=""
    for ring in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
        [ ! -r "$ring" ] || keyring="[signed-by=$ring]"
    done
    for mirror in $mirrors; do
        echo "deb $keyring $mirror $1 main" >"$scratch/sources.list"
        if private apt-get -q update >"$scratch/log" 2>&1 && private apt-cache show libc6 >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

# Unpacks packages with everything that they need: unpack_packages FOLDER PACKAGE…
unpack_packages() {
    unpacked="$1"
    shift
    rm -f "$scratch"/archives/*.deb
    private apt-get -q -y --download-only install "$@" >"$scratch/log" 2>&1 || return 1
    for deb in "$scratch"/archives/*.deb; do
        dpkg-deb -x "$deb" "$unpacked" || return 1
    done
    rm -f "$scratch"/archives/*.deb
    # Nobody reads these here, and nothing is compiled with that compiler.
    rm -rf "$unpacked/usr/share/doc" "$unpacked/usr/share/man" "$unpacked/usr/share/locale"
    rm -rf "$unpacked/usr/libexec/gcc" "$unpacked/usr/lib/gcc"
}

# Writes what starts an unpacked program, in a folder beside `root`, with the libraries that were unpacked with it and not
# the system's: write_wrapper FILE PROGRAM SETTINGS
#
# Settings are lines of the wrapper, in which `$root` is the folder with what was unpacked.
write_wrapper() {
    cat >"$1" <<WRAPPER
#!/bin/sh
root=\$(cd "\$(dirname "\$(readlink -f "\$0")")/../root" && pwd)
for loader in "\$root"/lib*/ld-linux* "\$root"/usr/lib*/ld-linux* "\$root"/usr/lib/*/ld-linux*; do
    [ ! -e "\$loader" ] || break
done
libraries=""
for folder in "\$root"/usr/lib/*-linux-gnu* "\$root"/lib/*-linux-gnu*; do
    [ ! -d "\$folder" ] || libraries="\$libraries:\$folder"
done
$3
exec "\$loader" --library-path "\${libraries#:}" "$2" "\$@"
WRAPPER
    chmod +x "$1"
}
