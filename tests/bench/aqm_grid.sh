#!/bin/sh
# The grid behind docs/bench.md: 50 and 100 Mbit/s, 10 and 20 ms, Prague against CUBIC through
# DualPI2, FIFO, CoDel with ECN and fq_codel; then Prague alone through DualPI2. A measurement, not a
# test: five minutes on a quiet machine, as root.
#   tests/bench/aqm_grid.sh [BUILD_DIRECTORY] [SECONDS A CELL] [ONLY]
# Writes aqm_grid.md and aqm_grid.csv into the working directory. ONLY: cells with this in their
# name ("100 Mbit/s 10 ms").
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
ccalab=${1:-$here/build/release}/ccalab
seconds=${2:-15}
only=${3:-}
[ -x "$ccalab" ] || { echo "not built: $ccalab" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export CCALAB_RUNS="$tmp"
for name in aqm-grid prague-alone; do
    # Status 6: this build cannot do some of the cells. The others count.
    "$ccalab" --run "$here/labs/scenario.lua" $name 1 "$seconds" only="$only" lab=grid || [ $? = 6 ]
done
{
    echo "## Prague against CUBIC"
    echo
    "$ccalab" testbed doctor | sed 's/^/    /'
    cat "$tmp"/*-scenario-aqm-grid*/scenario.md
    echo
    echo "## Prague alone"
    cat "$tmp"/*-scenario-prague-alone*/scenario.md
} >aqm_grid.md
cat "$tmp"/*-scenario-aqm-grid*/scenario.csv >aqm_grid.csv
tail -n +2 "$tmp"/*-scenario-prague-alone*/scenario.csv >>aqm_grid.csv
echo "written: aqm_grid.md aqm_grid.csv"
