#!/bin/sh
# Shows the newest messages.
# Usage: session-check-messages.sh
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original messages "$@"
