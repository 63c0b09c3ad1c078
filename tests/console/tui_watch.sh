#!/bin/sh
# A script in the console: its output and exit code once the terminal is restored.
. ./tmux.sh

cat >"$dir/ok.lua" <<'END'
print("args", #arg, ...)
lab.progress(3, 10, "three of ten")
while not lab.read_file(arg[1]) do lab.sleep(0.02) end
io.write("written past print\n")
print("end of ok")
END
cat >"$dir/bad.lua" <<'END'
print("before")
local function inner() error("it broke") end
inner()
END

shell 100 30
console "$dir/ok.lua" "$dir/go" second
wait_for "running ok.lua"
wait_for "30 % script: three"
wait_for "^args 2"
: >"$dir/go"
wait_code 0
check_terminal
screen | grep -q "^args" || fail "the output was lost"
screen | grep -q "^written past print" || fail "io.write was lost"
screen | grep -q "^end of ok" || fail "the output is not complete"
enter clear
wait_gone "end of ok"

console --watch "$dir/bad.lua"
wait_code 1
check_terminal
for line in "^before" "bad.lua:2: it broke" "stack traceback" "bad.lua:3"; do
    wait_for "$line"
done
enter clear
wait_gone "it broke"

rm "$dir/go"
console "$dir/ok.lua" "$dir/go"
wait_for "running ok.lua"
keys C-c
wait_code 130
check_terminal

console "$dir/none.lua"
wait_code 7
wait_for "none.lua"
check_terminal
