#!/bin/sh
# Claims something, unless another session holds it.
# Usage: session-claim.sh TYPE NAME
command -v deconflict >/dev/null 2>&1 || { echo "Install deconflict and put it on the PATH first." >&2; exit 3; }
exec deconflict --original claim "$@"
