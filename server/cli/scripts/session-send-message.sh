#!/bin/sh
# Sends a message to a session, or to all.
# Usage: session-send-message.sh SESSION|broadcast SUBJECT MESSAGE
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original send "$@"
