#!/bin/bash
# bash's completion: the words come from the program's own help.
PATH="$CCALAB_BUILD:$PATH"
[ -x "$CCALAB_BUILD/ccalab" ] || { echo "skipped: ccalab is not built"; exit 77; }
# shellcheck disable=SC1091
. "$CCALAB_SOURCE/console/completion/ccalab.bash"
cd "$CCALAB_SOURCE" || exit 1
failed=0
# offers "WORDS TYPED" EXPECTED...: the last word is being typed; "-" before one: must not be there
offers() {
    local typed=$1 word
    shift
    read -r -a COMP_WORDS <<<"$typed"
    [[ $typed == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _ccalab
    for word in "$@"; do
        if [[ $word == -not:* ]]; then
            [[ " ${COMPREPLY[*]} " != *" ${word#-not:} "* ]] && continue
        else
            [[ " ${COMPREPLY[*]} " == *" $word "* ]] && continue
        fi
        echo "FAILED: '$typed' $word: ${COMPREPLY[*]}"
        failed=1
    done
}
offers "ccalab " testbed ecn runs labs -not:--run
offers "ccalab te" testbed test -not:ecn
offers "ccalab --" --run --log-level --accept-new-hosts
offers "ccalab --log-level " warn -not:testbed
offers "ccalab --log-level warn te" testbed
offers "ccalab testbed " up down status bench
offers "ccalab testbed up --" --rate --rtt --aqm
offers "ccalab qdisc " show set watch
offers "ccalab runs " list show compare export
offers "ccalab ecn --" --json --csv
offers "ccalab packets x.pcap -e ip.dsfield.e" ip.dsfield.ecn
offers "ccalab labs/q" labs/quickstart.lua
offers "ccalab --run labs/q" labs/quickstart.lua
exit $failed
