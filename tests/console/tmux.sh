# Helpers of the tui tests: a shell in a tmux of our own, keys, and waiting for what must come.
# Nothing here sleeps for a fixed time: what does not come within 60 s ($patience_ms) has failed; that
# only ends what hangs, however busy the machine is. A frame may be seen half drawn: also what comes
# together on the screen is waited for.

skip() { echo "skipped: $*"; exit 77; }
command -v tmux >/dev/null || skip "no tmux here (package tmux)"
ccalab=$CCALAB_BUILD/ccalab
[ -x "$ccalab" ] || skip "$ccalab is not built"

dir=$(mktemp -d /tmp/ccalab-tui-XXXXXX) # a short name: a socket lies in it
# The server outlives its sessions: one that is going with its last session refuses the next.
echo "set -g exit-empty off" >"$dir/tmux.conf"
t() { tmux -S "$dir/tmux" -f "$dir/tmux.conf" -u "$@"; }
tidy() {
    t kill-server 2>/dev/null
    # A console that is still ending would write into what is removed.
    for _ in $(seq 500); do
        [ -s "$dir/pid" ] && grep -qs '^State:.[^Z]' "/proc/$(cat "$dir/pid")/status" || break
        sleep 0.02
    done
    rm -rf "$dir"
}
trap tidy EXIT
trap 'exit 1' INT TERM HUP
# Where no trap runs: kill -9, as CTest's own time limit does.
(setsid sh -c 'tail --pid="$0" -f /dev/null; tmux -S "$1/tmux" kill-server; rm -rf "$1"' $$ "$dir" \
    </dev/null >/dev/null 2>&1 &)

unset TMUX NO_COLOR
export LC_ALL=C.UTF-8 XDG_STATE_HOME="$dir/state" HOME="$dir"

# For tests with a virtual lab.
needs_lab() {
    PATH="$PATH:/usr/sbin:/sbin"
    [ "$(id -u)" = 0 ] || skip "needs root for namespaces"
    [ -e /dev/net/tun ] || skip "needs /dev/net/tun"
    for command in ip nft iperf3; do
        command -v $command >/dev/null || skip "needs $command"
    done
}

screen() { t capture-pane -p -t lab; }
fail() { echo "FAILED: $*"; echo "--- the screen:"; screen; exit 1; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# wait_until WHAT COMMAND...: until the command succeeds.
wait_until() {
    what=$1
    shift
    deadline=$(($(now_ms) + ${patience_ms:-60000}))
    until "$@"; do
        [ "$(now_ms)" -lt $deadline ] || fail "$what did not come"
        sleep 0.02
    done
}
has() { screen | grep -q -e "$1"; }
has_not() { ! has "$1"; }
wait_for() { wait_until "\"$1\"" has "$1"; }
wait_gone() { wait_until "the end of \"$1\"" has_not "$1"; }
# What the terminal is sent from now on goes to a file, $raw: a new one each time, as the one before may
# still be written to.
records=0
record() {
    records=$((records + 1))
    raw=$dir/raw.$records
    : >"$raw"
    t pipe-pane -t lab
    t pipe-pane -t lab "cat >>'$raw'"
}

keys() { t send-keys -t lab "$@"; }
# A line for the shell, or after ':' for the console.
enter() { t send-keys -t lab -l "$1"; t send-keys -t lab Enter; }

# The terminal's modes; its size may change.
modes="stty -a | sed 's/rows [0-9]*; columns [0-9]*;//'"

# shell COLUMNS LINES [NAME=value...]: a shell on a screen of that size, its terminal modes in
# $dir/before.
shell() {
    columns=$1 lines=$2
    shift 2
    t new-session -d -s lab -x "$columns" -y "$lines" "env $* sh" || fail "tmux does not start"
    enter "$modes >'$dir/before'; echo is_rea''dy"
    wait_for "is_ready"
}

# console [ARGS]: start it in that shell; its process id goes to $dir/pid, its exit code to
# $dir/code.
console() {
    rm -f "$dir/code" "$dir/pid"
    cat >"$dir/start" <<END
sh -c 'echo \$\$ >"$dir/pid"; exec "$ccalab" $*'
echo \$? >"$dir/code.new"; mv "$dir/code.new" "$dir/code"
END
    enter ". '$dir/start'"
}
wait_code() {
    wait_until "the exit of ccalab" test -e "$dir/code"
    [ "$(cat "$dir/code")" = "$1" ] || fail "exit code $(cat "$dir/code"), not $1"
}

# Leave while something runs: asked, and answered.
quit_running() { # EXIT CODE
    keys q
    wait_for "(y/n)"
    keys y
    wait_code "$1"
}

is_main_screen() { [ "$(t display -p -t lab '#{alternate_on}#{cursor_flag}')" = 01 ]; }
# The terminal is as it was before: modes, main screen, a shell that reads lines.
check_terminal() {
    wait_until "the main screen with its cursor" is_main_screen
    rm -f "$dir/after" # the screen may still show an earlier is_back
    enter "$modes >'$dir/after.new'; mv '$dir/after.new' '$dir/after'; echo is_ba''ck"
    wait_until "the shell's answer" test -e "$dir/after"
    wait_for "is_back"
    cmp -s "$dir/before" "$dir/after" || {
        diff "$dir/before" "$dir/after"
        fail "the terminal's modes have changed"
    }
}
