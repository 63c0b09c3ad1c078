-- The manual's chapter on rented GPUs and training elsewhere. lua/prelude/help.lua says what an entry
-- holds.

local POD = "{id: string, name: string, status: string, gpu: string?, gpu_count: integer, cost_per_h: "
    .. "number, data_center: string?, ssh: {host: string, port: integer, user: string}?, began: "
    .. "number?, spent_usd: number?, budget_usd: number?, stop_in_s: number?}"

return {
    title = "Pods and training elsewhere",
    text = "A pod is a rented machine with a GPU, by the hour (pods.md). Once it is up it is a host like "
        .. "any other, and what is here for training works on any machine over SSH.",
    classes = {
        {name = "Pod", text = "Made by `lab.pod`.", fields = {
            {"id", "string", "what the provider calls it"}, {"name", "string", "what we call it"},
            {"host", "Host?", "it, over SSH; nil when it is stopped"},
            {"gpu", "string", "type of its GPU"}, {"cost_per_h", "number", "in USD"},
            {"budget_usd", "number", "it is stopped before it has cost more"}}},
    },
    entries = {
        {name = "lab.pod_offers", needs = "ssh", tested = "tests/pods/test_pods.lua",
         args = {{"o?", "table", "", fields = {
            {"gpu?", "string|string[]", "only types with this, or one of these, in their name"},
            {"memory_gb?", "number", "at least so much GPU memory", "0"},
            {"max_price?", "number", "at most so many USD per hour and GPU"},
            {"cloud?", "string", "\"SECURE\" or \"COMMUNITY\"", "\"SECURE\""},
            {"count?", "integer", "GPUs of one pod", "1"}}}},
         returns = {{"{id: string, name: string, memory_gb: integer, price_per_h: number, availability: "
            .. "string, data_centers: string[]}[]",
            "cheapest first; `price_per_h` of one GPU, `availability` \"HIGH\", \"MEDIUM\", \"LOW\" or "
            .. "\"NONE\""}},
         errors = "`unavailable`: no key; `host`: the provider's answer",
         text = "What GPUs can be rented now, and for how much.",
         example = [[
for _, offer in ipairs(assert(lab.pod_offers{gpu = "4090"})) do
    print(offer.id, offer.price_per_h, offer.availability)
end]]},
        {name = "lab.pods", needs = "ssh", tested = "tests/pods/test_pods.lua",
         returns = {{POD .. "[]", "`began`, `spent_usd`, `budget_usd` and `stop_in_s` of those that "
            .. "this console's user has started"}},
         errors = "as of `lab.pod_offers`", text = "The pods of the account, stopped ones too.",
         example = [[
for _, pod in ipairs(assert(lab.pods())) do
    print(pod.name, pod.status, pod.cost_per_h)
end]]},
        {name = "lab.pod", needs = "ssh", tested = "tests/pods/test_pods.lua",
         args = {{"o", "table", "", fields = {
            {"name?", "string", "what it is called; a pod of this name is taken up, started if need be",
                "\"ccalab\""},
            {"gpu?", "string|string[]", "types in order of preference, each a part of a name",
                "the cheapest with `memory_gb`"},
            {"memory_gb?", "number", "GPU memory at least", "16"},
            {"max_price?", "number", "USD per hour and GPU"},
            {"budget?", "number", "USD that this start may cost; asked for where a person can be asked"},
            {"hours?", "number", "and at most so long", "24"},
            {"idle_min?", "number", "stopped when the GPU has idled so many minutes; 0: never", "30"},
            {"yes?", "boolean", "without asking; `budget` must be given", "false"},
            {"cloud?", "string", "\"SECURE\" or \"COMMUNITY\"", "\"SECURE\""},
            {"count?", "integer", "GPUs", "1"},
            {"image?", "string", "container image with PyTorch and sshd"},
            {"disk_gb?", "integer", "of the container, lost at a stop", "40"},
            {"volume?", "string", "id or name of a network volume, mounted at /workspace"},
            {"data_centers?", "string[]", "only these"},
            {"identity?", "string", "private key to log in with"},
            {"tries?", "integer", "rounds over all candidates while none has room", "5"},
            {"wait_s?", "number", "limit of coming up", "900"}}}},
         returns = {{"Pod", "its `host` is connected, its watchdog runs there"}},
         errors = "`unavailable`: no key, nobody to ask; `host`: no room anywhere, with what else to try; "
            .. "`timeout`; what was created is deleted again",
         raises = "an unknown option",
         text = "Rent a machine with a GPU: say what it costs, ask, create it, wait until it can be logged "
            .. "in to, and start its watchdog (pods.md).",
         example = [[
local pod = assert(lab.pod{name = "course", gpu = {"4090", "A5000"}, budget = 5, yes = true})
print(assert(pod.host:run{"nvidia-smi", "-L"}).out)
assert(pod:stop())]]},
        {name = "Pod:stop", needs = "ssh", tested = "tests/pods/test_pods.lua",
         returns = {{"boolean"}}, errors = "as of `lab.pod_offers`",
         text = "Stop it: it costs nothing more but its storage; what is not on a volume is lost.",
         example = [[
local pod = assert(lab.pod{name = "course", budget = 5, yes = true})
assert(pod:stop())]]},
        {name = "Pod:delete", needs = "ssh", tested = "tests/pods/test_pods.lua",
         returns = {{"boolean"}}, errors = "as of `lab.pod_offers`",
         text = "Give it back for good. A network volume stays.",
         example = [[
local pod = assert(lab.pod{name = "course", budget = 5, yes = true})
assert(pod:delete())]]},
        {name = "lab.guard", needs = "ssh", tested = "tests/pods/test_pods.lua",
         args = {{"host", "Host", "over SSH, or this machine"}, {"o", "table", "", fields = {
            {"hours", "number", "end after so long"},
            {"job?", "string", "the detached job that is ended; without it only said"},
            {"idle_min?", "number", "end it when the GPU has idled so many minutes; 0: never", "0"},
            {"grace_s?", "number", "from SIGTERM to SIGKILL", "60"}}}},
         returns = {{"Job", "detached, an event stream"}}, errors = "it could not be started",
         text = "A watchdog on the host: ends a detached job when its time is over or the GPU idles. A pod "
            .. "has one of its own, which stops the pod.",
         example = [[
local host = assert(lab.ssh{name = "gpu"})
local job = assert(host:start{"sleep", 9999, detached = "training"})
local watchdog = assert(lab.guard(host, {hours = 8, job = job:id()}))]]},
        {name = "lab.train", needs = "ssh", tested = "tests/pods/test_train.lua",
         args = {{"o", "table", "options of `lab.adapt` too", fields = {
            {"host", "Host", "over SSH"},
            {"pool", "string", "a pool here; uploaded"}, {"dir", "string", "the checkpoint to write here"},
            {"name?", "string", "of the training there; one of this name that runs is followed", "\"train\""},
            {"remote_dir?", "string", "there, best on a volume", "/workspace/ccalab, else ~/ccalab"},
            {"plm_path?", "string", "backbone: a directory here that is uploaded, or \"there:DIR\""},
            {"netllm?", "string", "program there; without it one is built there from `source`"},
            {"source?", "string", "ccalab's source tree", "beside this program"},
            {"max_hours?", "number", "ended after so long", "24"},
            {"idle_min?", "number", "ended when the GPU has idled so long; 0: never", "0"}}}},
         returns = {{"table", "the result of `netllm adapt`, and `dir`"}},
         errors = "of the upload, of building, of netllm; nothing there is removed then",
         raises = "no `host`, `pool` or `dir`",
         text = "Train on another machine: upload, build netllm there once, start it detached, follow its "
            .. "events through lost connections, fetch the checkpoint, verified. Called again after the "
            .. "console was killed it takes up the training that runs, from its first event (pods.md).",
         example = [[
local pod = assert(lab.pod{name = "course", budget = 5, yes = true})
local result = assert(lab.train{host = pod.host, pool = "pool.safetensors", dir = "model",
    num_epochs = 20})
print(result.valid_loss)
assert(pod:stop())]]},
        {name = "lab.backbone", needs = "ssh", tested = "tests/pods/test_hub.lua",
         args = {{"o", "table", "", fields = {
            {"repo", "string", "\"ORG/NAME\" on the Hugging Face hub"},
            {"host?", "Host", "where it is downloaded", "lab.localhost"},
            {"dir?", "string", "directory there; its parent must exist", "NAME"},
            {"revision?", "string", "branch, tag or commit", "\"main\""}}}},
         returns = {{"{dir: string, commit: string, files: integer, bytes: integer, sent: integer}",
            "`sent` bytes had to be downloaded now"}},
         errors = "`host`: gated, no such repository, no space left, each with what to do; `input`: a file "
            .. "whose hash is not the hub's",
         text = "Download a pre-trained model straight onto a host: resumed where it was interrupted, "
            .. "every hash checked.",
         example = [[
local host = assert(lab.ssh{name = "gpu"})
print(assert(lab.backbone{repo = "meta-llama/Llama-2-7b-hf", host = host,
    dir = "/workspace/llama-2-7b"}).dir)]]},
    },
}
