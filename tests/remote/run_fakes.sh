#!/bin/sh
# lab.run with iperf3 of other kinds, through a fake one in front of the real one in PATH.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin" "$tmp/bare"
ln -s "$(pwd)/fake_iperf3" "$tmp/bin/iperf3"
for command in sh cat uname date sleep tr; do
    ln -s "$(command -v $command)" "$tmp/bare/$command"
done
run() { # KIND PATH
    echo "== $1"
    CCALAB_RUNS=$tmp FAKE_IPERF3=$1 PATH=$2 "$CCALAB_BUILD/ccalab" --run test_run_fakes.lua "$1" || exit 1
}
for kind in old two stream stream_killed text clock garbage server_refuses; do
    run $kind "$tmp/bin:$PATH"
done
run missing "$tmp/bare"
echo ok
