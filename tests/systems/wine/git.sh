# What `git.exe` starts: git of this machine, with the arguments and the input that lie in the folder $1.
export PATH=/usr/local/bin:/usr/bin:/bin

# Wine keeps HOME for itself; the user's settings are where Windows has the user's files.
if [[ ${USERPROFILE:-} == [A-Za-z]:* ]]; then
    drive=${USERPROFILE:0:1} below=${USERPROFILE:2}
    export HOME="${0%/dosdevices/*}/dosdevices/${drive,}:${below//\\//}"
fi
mapfile -d '' -t arguments <"$1/arguments"
git "${arguments[@]}" <"$1/input" >"$1/output" 2>"$1/errors"
echo $? >"$1/ending"
# It answers with paths as git for Windows does.
case " ${arguments[*]} " in
*" rev-parse "* | *" worktree list "*)
    sed -i "s|^\(worktree \)\?${0%/dosdevices/*}/drive_c/|\1C:/|; s|^\(worktree \)\?/|\1Z:/|" "$1/output"
    ;;
esac
# Whoever waits sees it only when it is whole.
mv "$1/ending" "$1/ended"
