#!/bin/sh
# Shows the sessions and what they hold.
# Usage: session-status.sh
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original status "$@"
