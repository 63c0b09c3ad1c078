#!/bin/sh
# The watchdog of a pod, or of a job on any machine: sh watchdog.sh DIR
# DIR/conf holds lines NAME=VALUE of whole numbers: stop_after_s, idle_s (0: never), every_s, grace_s;
# DIR/job the name of a detached job, or nothing; and for a pod DIR/url its address in the provider's
# API and DIR/key the key (mode 0600), which no command line shows. Says what it does as events.
set -u
umask 077
dir=$1
stop_after_s=0 idle_s=0 every_s=15 grace_s=60
while IFS='=' read -r name value; do
    case $value in '' | *[!0-9]*) continue ;; esac
    case $name in
    stop_after_s) stop_after_s=$value ;;
    idle_s) idle_s=$value ;;
    every_s) every_s=$value ;;
    grace_s) grace_s=$value ;;
    esac
done <"$dir/conf"
job= url=
[ -s "$dir/job" ] && read -r job <"$dir/job"
[ -s "$dir/url" ] && read -r url <"$dir/url"
jobs=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/jobs

# Seconds that no change of the clock moves.
uptime_s() {
    read -r u _ </proc/uptime
    echo "${u%.*}"
}
say() { # LEVEL TEXT
    printf '{"t":%s,"type":"log","level":"%s","text":"%s"}\n' "$(date +%s)" "$1" "$2"
}
# The busiest GPU in percent, or nothing where that cannot be asked.
busy() {
    command -v nvidia-smi >/dev/null 2>&1 || return 0
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits 2>/dev/null |
        awk '/^[0-9]+ *$/ { if ($1 + 0 > m) m = $1 + 0; n++ } END { if (n) print m + 0 }'
}
# The leader of the job, if it is alive and no other process of the same number (remote/detached.c).
leader() {
    { read -r p s <"$jobs/$job/pid" && read -r l <"/proc/$p/stat" && l=${l##*) } && set -- $l &&
        [ "${20}" = "$s" ] && echo "$p"; } 2>/dev/null
}
end_job() {
    p=$(leader) || return 0
    [ -n "$p" ] || return 0
    say warn "ending the job $job"
    kill -s TERM -- "-$p" 2>/dev/null
    end=$(($(uptime_s) + grace_s))
    while [ -n "$(leader)" ] && [ "$(uptime_s)" -lt $end ]; do sleep 1; done
    p=$(leader)
    [ -z "$p" ] || kill -s KILL -- "-$p" 2>/dev/null
}
# The key goes in by standard input: printf is the shell's own. No redirect is followed: unlike curl,
# wget would hand the key on.
stop_pod() {
    if command -v curl >/dev/null 2>&1; then
        printf 'oauth2-bearer = "%s"\n' "$(cat "$dir/key")" |
            curl -K - -sS -m 60 -o /dev/null -w '%{http_code}' -X POST \
                -H 'Content-Type: application/json' -d '{"action":"stop"}' "$url/action" 2>/dev/null
    else
        printf 'header = Authorization: Bearer %s\n' "$(cat "$dir/key")" >"$dir/wgetrc"
        if wget --config="$dir/wgetrc" -q --max-redirect=0 -T 60 -O /dev/null --header 'Content-Type: application/json' \
            --post-data '{"action":"stop"}' "$url/action" 2>/dev/null; then echo 200; else echo 000; fi
        rm -f "$dir/wgetrc"
    fi
}
stop() { # WHY
    say warn "$1"
    [ -z "$job" ] || end_job
    if [ -n "$url" ]; then
        # What a training has not written yet may still be in memory.
        sync
        wait_s=2
        while :; do
            code=$(stop_pod)
            case $code in
            2??) break ;;
            401 | 403 | 404 | 409) say error "the provider answers $code to the request to stop" ;;
            *) say warn "the provider cannot be reached ($code), trying again" ;;
            esac
            sleep $wait_s
            [ $wait_s -ge 60 ] || wait_s=$((wait_s * 2))
        done
        say warn "the pod is being stopped"
    fi
    printf '{"t":%s,"type":"result","data":{"state":"down","why":"%s"}}\n' "$(date +%s)" "$1"
    rm -f "$dir/key"
    exit 0
}

began=$(uptime_s)
idle_since=$began
printf '{"t":%s,"type":"result","data":{"state":"up","stop_after_s":%d,"idle_s":%d,"has_gpu":%s}}\n' \
    "$(date +%s)" "$stop_after_s" "$idle_s" "$([ -n "$(busy)" ] && echo true || echo false)"
while :; do
    now=$(uptime_s)
    left=$((began + stop_after_s - now))
    load=$(busy)
    [ "${load:-100}" -lt 5 ] || idle_since=$now
    printf '{"t":%s,"type":"sample","src":"watchdog","values":{"left_s":%d,"gpu_percent":%s,"idle_s":%d}}\n' \
        "$(date +%s)" $left "${load:-null}" $((now - idle_since))
    [ $left -gt 0 ] || stop "the time or the money that was set is over"
    [ "$idle_s" -eq 0 ] || [ $((now - idle_since)) -lt "$idle_s" ] || stop "the GPU idles"
    if [ -n "$job" ] && [ -z "$url" ] && { [ -e "$jobs/$job/exit" ] || ! [ -d "$jobs/$job" ]; }; then
        printf '{"t":%s,"type":"result","data":{"state":"down","why":"the job has ended"}}\n' "$(date +%s)"
        exit 0
    fi
    [ "$left" -gt "$every_s" ] || every_s=$left
    sleep "$every_s"
done
