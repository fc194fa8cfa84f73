#!/bin/sh
# Registers a session and names it in .current_session.
# Usage: session-start.sh
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original start "$@"
