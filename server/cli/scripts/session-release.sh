#!/bin/sh
# Releases what this session holds.
# Usage: session-release.sh TYPE NAME
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original release "$@"
