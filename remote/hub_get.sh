#!/bin/sh
# Download files of a model repository: sh hub_get.sh WORK DIR BASE_URL
# WORK/list has lines "KIND HASH SIZE PATH" (KIND: sha256, or git_sha1 of git's own hash), WORK/key the
# token, if there is one (mode 0600); it goes to curl by standard input. Interrupted, the parts stay, and
# the next time goes on with them; what is there and right is not downloaded. Speaks events.
set -u
umask 022
work=$1 dir=$2 base=$3
trap 'rm -f "$work/key"' EXIT
trap 'exit 130' INT TERM HUP
event() { # TYPE FIELDS
    printf '{"t":%s,"type":"%s",%s}\n' "$(date +%s)" "$1" "$2"
}
fail() { # STATUS MESSAGE HINT
    event error "\"status\":\"$1\",\"subsystem\":\"hub\",\"message\":\"$2\",\"hint\":\"$3\""
    exit 1
}
size_of() {
    if [ -f "$1" ]; then stat -Lc %s "$1"; else echo 0; fi
}
hash_of() { # KIND FILE
    if [ "$1" = sha256 ]; then
        sha256sum <"$2"
    else
        { printf 'blob %d\0' "$(size_of "$2")"; cat "$2"; } | sha1sum
    fi | cut -c 1-64 | sed 's/ .*//'
}
curl_config() {
    printf 'silent\nlocation\nmax-redirs = 5\nconnect-timeout = 20\nspeed-limit = 1000\nspeed-time = 60\n'
    case $base in https:*) printf 'proto-redir = "=https"\n' ;; esac # from the hub no redirect into the clear
    [ ! -s "$work/key" ] || printf 'oauth2-bearer = "%s"\n' "$(cat "$work/key")"
}
command -v curl >/dev/null 2>&1 || fail unavailable "there is no curl on the host" "install curl there"
mkdir -p "$dir" || fail host "cannot make the directory on the host" "look at the path and its rights"

# What is needed, before anything is begun.
total=0 have=0
while read -r kind hash size path; do
    total=$((total + size))
    if [ -f "$dir/$path" ]; then have=$((have + $(size_of "$dir/$path"))); fi
    have=$((have + $(size_of "$dir/$path.ccalab-part")))
done <"$work/list"
free=$(($(df -Pk "$dir" | awk 'NR == 2 { print $4 }') * 1024))
[ $((total - have)) -le $free ] || fail host \
    "no space: the model needs $(((total - have) / 1048576)) MiB more, the disk has $((free / 1048576))" \
    "a larger volume, or another --to"

done_bytes=0 sent=0 files=0
get() { # KIND HASH SIZE PATH
    target=$dir/$4 part=$dir/$4.ccalab-part tries=0
    case $4 in */*) mkdir -p "${target%/*}" ;; esac
    if [ "$(size_of "$target")" = "$3" ] && [ -f "$target" ] &&
        [ "$(hash_of "$1" "$target")" = "$2" ]; then return 0; fi
    while :; do
        from=$(size_of "$part")
        [ "$from" -le "$3" ] || { rm -f "$part"; from=0; }
        if [ "$from" -lt "$3" ]; then
            curl_config | curl -K - -C "$from" -f -o "$part" -w '%{http_code}' "$base/$4" >"$work/code" \
                2>/dev/null &
            curl=$!
            while kill -0 $curl 2>/dev/null; do
                event progress "\"done\":$((done_bytes + $(size_of "$part"))),\"total\":$total,\"text\":\"$4\""
                sleep 0.5
            done
            wait $curl
            rc=$?
            code=$(tail -c 3 "$work/code")
            sent=$((sent + $(size_of "$part") - from))
        else
            rc=0 code=200
            [ "$3" -gt 0 ] || : >"$part"
        fi
        if [ $rc -eq 0 ] && [ "$(size_of "$part")" = "$3" ]; then
            if [ "$(hash_of "$1" "$part")" = "$2" ]; then
                mv "$part" "$target" || fail host "cannot put $4 in place" ""
                return 0
            fi
            # The part may be of another version; a whole file that is wrong is the server's fault.
            rm -f "$part"
            [ "$from" -gt 0 ] || fail input "the hash of $4 is not the one that the hub tells" \
                "nothing of it was kept; a proxy on the way may have changed it"
            continue
        fi
        case $rc:$code in
        *:401 | *:403) fail host "the model is gated: its owner must let you in ($code)" \
            "accept its terms on its page, and set HF_TOKEN to a token that may read gated repositories" ;;
        *:404) fail host "the hub has no $4 (404)" "look at the revision" ;;
        *:416 | 33:*) rm -f "$part" ;; # not in ranges, then
        23:*) fail host "the disk of the host is full: cannot write $4" "look at df there; what has come stays" ;;
        esac
        tries=$((tries + 1))
        [ $tries -lt 6 ] || fail host "cannot download $4 (curl $rc, HTTP $code)" \
            "what has come stays: the same again goes on with it"
        sleep $tries
    done
}
while read -r kind hash size path <&3; do
    get "$kind" "$hash" "$size" "$path" || exit 1
    done_bytes=$((done_bytes + size)) files=$((files + 1))
    event progress "\"done\":$done_bytes,\"total\":$total,\"text\":\"$path\""
done 3<"$work/list"
event result "\"data\":{\"files\":$files,\"bytes\":$total,\"sent\":$sent}"
