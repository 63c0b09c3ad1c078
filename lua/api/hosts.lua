-- The manual's chapter on hosts and jobs. lua/prelude/help.lua says what an entry holds.

local COMMAND = {
    {"[n]", "string|number", "the program and its arguments, at most 255; no shell reads them"},
    {"label?", "string", "what the console and the run record call it", "the program"},
    {"timeout_s?", "number",
        "after so many seconds it is ended, an error of status `timeout`; 0: never", "0"},
    {"cwd?", "string", "working directory on the host"},
    {"events?", "boolean",
        "standard output is an event stream (events.md): samples go to the plots and the run "
        .. "record", "false"},
    {"reader?", "{kind: string, label: string, peer: string?, dport: integer?, sport: integer?}",
     "`kind` \"ss\" or \"iperf3\": makes events of what those programs print; needs `events`"},
    {"sudo?", "boolean", "as root: by `sudo -n` where the login is not root's (hosts.md)", "false"},
    {"input?", "boolean", "its standard input is what `job:write` says; not over SSH", "false"},
    {"grace_s?", "number", "seconds between SIGTERM and SIGKILL", "2"},
    {"ready?", "string", "text in the output that means \"it is up\", for `job:wait_up()`"},
    {"service?", "boolean", "stopped last, when the task ends", "false"},
    {"detached?", "boolean|string",
        "it outlives the console, under this name; `true` makes one up (hosts.md)", "false"},
}
local RESULT = "{exit_code: integer, out: string, err: string, data: table?}"
local RESULT_TEXT = "`out` is standard output, up to 64 MiB, empty with `events`; `err` the end of "
    .. "standard error; `data` that "
    .. "of the last `result` event"
local TRANSFER = {{"resume?", "boolean", "go on with what an interrupted transfer left", "true"},
                  {"delta?", "boolean", "leave out files that are there already, by SHA-256",
                      "true"}}
local MOVED = "{data: {files: integer, sent: integer, bytes: integer, resumed: integer, omitted: "
    .. "integer, seconds: number, "
    .. "is_verified: boolean}?}"

return {
    title = "Hosts and jobs",
    text = "A host is something that commands run on: this machine, a namespace of it, or a "
        .. "machine over SSH (hosts.md). A "
        .. "job is a command that runs there. It belongs to the task that started it.",
    classes = {
        {name = "Host", text = "Made by `lab.localhost`, `lab.ssh`, `lab.testbed` and "
            .. "`lab.open_lab`.", fields = {
            {"name", "string", "what the lab calls it"},
            {"address", "string", "its IP address in the lab"},
            {"kind", "string", "`local`, `netns` or `ssh`"},
            {"is_up", "boolean", "can commands be started now?"},
            {"netns", "string?", "path of the network namespace, of kind `netns`"},
            {"userns", "string?", "path of the user namespace that owns it"},
            {"bin", "string?", "directory of programs of its own, found before those of `$PATH`"}}},
        {name = "Job", text = "A command on a host. With `local job <close> =` the end of the "
            .. "block stops it, or leaves it "
            .. "if it is detached."},
    },
    entries = {
        {name = "lab.localhost", type = "Host", text = "The machine that the console runs on."},
        {name = "lab.ssh", args = {{"o", "table",
            "how to reach it; what is not given comes from `~/.ssh/config`", fields = {
            {"name?", "string", "what the lab calls it", "host"},
            {"host?", "string", "name, address or alias of `~/.ssh/config`", "name"},
            {"port?", "integer", "of sshd"}, {"user?", "string", "to log in as"},
            {"identity?", "string", "the only private key to offer"},
            {"known_hosts?", "string", "the only file asked for the host's key"},
            {"accept_new?", "boolean", "write down the key of a host that is not known yet",
                "--accept-new-hosts"},
            {"address?", "string", "its IP address in the lab, where that is not the connection's"},
            {"config?", "string", "a file instead of the usual ssh configuration"},
            {"connect_s?", "number", "limit of logging in, in seconds", "10"},
            {"idle_s?", "number", "lost after so many seconds without a sign of life", "15"},
            {"ask?", "fun(prompt: string): string?",
                "gives passphrases and passwords; must not wait"}}}},
         returns = {{"Host", "connected"}},
             errors = "`host`, with what would help; `unavailable` in a build without libssh",
         raises = "an unknown option", needs = "ssh", tested = "tests/remote/test_ssh.lua",
         text = "A machine over SSH. The same name gives the same host, connected anew if need be "
             .. "(hosts.md).",
         example = [[
local server = assert(lab.ssh{name = "server", host = "10.0.2.100", user = "student"})
print(assert(server:run{"uname", "-r"}).out)]]},
        {name = "Host:run", args = {{"command", "table", "the command and its options",
            fields = COMMAND}},
         returns = {{RESULT, RESULT_TEXT}},
         errors = "the command could not be started or failed; the third value is then the result, "
             .. "if it ran at all",
         raises = "misuse of an option", text = "Run a command on the host and wait for its end.",
         example = [[
local r = assert(lab.localhost:run{"echo", "hello"})
assert(r.out == "hello\n" and r.exit_code == 0)
local none, err, left = lab.localhost:run{"sh", "-c", "echo why >&2; exit 3"}
assert(none == nil and left.exit_code == 3 and left.err:find("why"), err)]]},
        {name = "Host:start", args = {{"command", "table", "the command and its options",
            fields = COMMAND}},
         returns = {{"Job"}}, errors = "it could not be started", raises = "misuse of an option",
         text = "Start a command on the host and go on.",
         example = [[
local job = assert(lab.localhost:start{"sleep", "60", label = "a nap"})
job:cancel()]]},
        {name = "Host:upload", args = {{"from", "string", "a file or directory here"},
            {"to", "string", "what it will be called there; its parent must exist"},
            {"options?", "table", "over SSH only", fields = TRANSFER}},
         returns = {{MOVED, "`data` over SSH only"}},
             errors = "nothing is in place then (hosts.md)",
         text = "Copy a file or a tree to the host, verified. Hosts that see this machine's files "
             .. "copy by cp(1).",
         example = [[
assert(lab.write_file("here.txt", "a file"))
assert(lab.localhost:upload("here.txt", "there.txt"))
assert(lab.read_file("there.txt") == "a file")]]},
        {name = "Host:download", args = {{"from", "string", "a file or directory there"},
            {"to", "string", "what it will be called here; its parent must exist"},
            {"options?", "table", "over SSH only", fields = TRANSFER}},
         returns = {{MOVED, "`data` over SSH only"}},
             errors = "nothing is in place then (hosts.md)",
         text = "Copy a file or a tree from the host, as `host:upload` does the other way.",
         example = [[
assert(lab.write_file("there.txt", "a file"))
assert(lab.localhost:download("there.txt", "here.txt"))
assert(lab.read_file("here.txt") == "a file")]]},
        {name = "Host:jobs",
         returns = {{"{id: string, label: string, state: string, began: number, exit_code: "
             .. "integer?, out_bytes: integer, err_bytes: integer}[]",
            "`state` is `runs`, `ended` (not collected) or `gone` (with the host's last start); "
            .. "`began` in seconds since 1970"}},
         errors = "the host could not be asked",
             text = "The detached jobs that are on the host (hosts.md).",
         example = [[
for _, job in ipairs(assert(lab.localhost:jobs())) do
    print(job.id, job.state, job.out_bytes)
end]]},
        {name = "Host:attach", args = {{"id", "string", "name of a detached job"},
            {"options?", "table", "", fields = {
            {"label?", "string", "what the console calls it", "its id"},
                {"events?", "boolean", "as of `host:start`", "false"},
            {"ready?", "string", "as of `host:start`"}, {"timeout_s?", "number", "as of `host:run`",
                "0"},
            {"out_from?", "integer", "begin behind so many bytes of standard output", "0"},
            {"err_from?", "integer", "and of standard error", "0"}}}},
         returns = {{"Job"}}, errors = "it could not be started; that there is no such job, its "
             .. "end tells",
         text = "Follow a detached job.",
         example = [[
local id = "manual-" .. lab.pid .. "-attach"
local job = assert(lab.localhost:start{"sh", "-c", "echo up; sleep 0.2; echo late",
    detached = id, ready = "up"})
assert(job:wait_up())
job:leave()
local again = assert(lab.localhost:attach(id))
assert(assert(again:wait()).out == "up\nlate\n")]]},
        {name = "Host:capture",
            args = {{"o", "table", "the options of `lab.capture`, without `host`"}},
         returns = {{"Job", "once packets are being captured"}}, errors = "as of `lab.capture`",
         raises = "an unknown option", text = "`lab.capture` on this host.", needs = "lab",
         example = [[
local job = assert(bed.router:capture{interface = bed.egress, count = 2})
assert(bed.client_x:run{"ping", "-c", "2", "-i", "0.2", bed.server.address})
assert(job:wait())]]},
        {name = "Job:wait", args = {{"seconds?", "number",
            "how long to wait; 0 or nothing: without a limit"}},
         returns = {{RESULT, RESULT_TEXT}},
             errors = "as of `host:run`; `timeout` after `seconds`, the job going on",
         text = "Wait for the end of a job.",
         example = [[
local job = assert(lab.localhost:start{"echo", "hello"})
assert(assert(job:wait()).out == "hello\n")]]},
        {name = "Job:wait_up", args = {{"seconds?", "number",
            "how long to wait; 0: without a limit", "30"}},
         returns = {{"table|true", "`data` of the event; `true` for the text of `ready`"}},
         errors = "it ended before, with its error; `timeout`",
         text = "Wait until its `ready` text was printed, or a `result` event with `state = "
             .. "\"up\"` came.",
         example = [[
local job = assert(lab.localhost:start{"sh", "-c", "echo listening; sleep 60", ready = "listening"})
assert(job:wait_up(10))
job:cancel()]]},
        {name = "Job:finish", returns = {{RESULT, RESULT_TEXT}}, errors = "as of `host:run`",
         text = "Send SIGTERM and wait. A command that then ends well has ended well.",
         example = [[
local job = assert(lab.localhost:start{"sh", "-c",
    "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", ready = "up"})
assert(job:wait_up())
assert(assert(job:finish()).exit_code == 0)]]},
        {name = "Job:write", args = {{"text", "string", "at most 64 KiB, with its newline"}},
         returns = {{"true"}},
             errors = "`host`: it has ended, or does not read; `unavailable`: it was started "
                 .. "without `input`",
         text = "Write to its standard input.",
         example = [[
local job = assert(lab.localhost:start{"head", "-n", "1", input = true})
assert(job:write("a line\n"))
assert(assert(job:wait()).out == "a line\n")]]},
        {name = "Job:cancel",
            text = "Stop it: SIGTERM, and SIGKILL after its `grace_s`. Returns at once.",
         example = [[
local job = assert(lab.localhost:start{"sleep", "60"})
job:cancel()
local r, err = job:wait()
assert(r == nil, err)]]},
        {name = "Job:leave", text = "Stop following it. A detached job goes on, any other is "
            .. "cancelled.",
         example = [[
local job = assert(lab.localhost:start{"sh", "-c", "echo up; sleep 0.2",
    detached = "manual-" .. lab.pid, ready = "up"})
assert(job:wait_up())
job:leave()
local r, err = job:wait()
assert(r == nil and err.status == "interrupted")
assert(assert(lab.localhost:attach(job:id())):wait())]]},
        {name = "Job:id", returns = {{"string?", "nil of a job that is not detached"}},
            text = "The name of a detached job.",
         example = [[
local job = assert(lab.localhost:start{"true"})
assert(job:id() == nil)]]},
        {name = "Job:is_running", returns = {{"boolean"}}, text = "Tell whether it still runs.",
         example = [[
local job = assert(lab.localhost:start{"true"})
job:wait()
assert(not job:is_running())]]},
        {name = "Job:next_sample", returns = {{"table?", "values by name; nil at the job's end"},
            {"number?", "its time, seconds since 1970"},
            {"string?", "its `src`"}},
         text = "Wait for the next `sample` event of a job with `events`. Samples are kept from "
             .. "the first call on, at most 64.",
         example = [[
local script = [=[sleep 0.3; echo '{"t":1,"type":"sample","src":"demo","values":{"x":5}}']=]
local job = assert(lab.localhost:start{"sh", "-c", script, events = true})
for values, t, src in job.next_sample, job do
    print(t, src, values.x)
end]]},
    },
}
