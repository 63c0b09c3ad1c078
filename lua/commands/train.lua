-- `ccalab train`: train the policy on another machine, a pod or any that is reached over SSH.

local about = {
    name = "train", help = "train the policy on another machine, and follow it there",
    usage = "--host NAME --pool FILE --model-dir DIR [OPTIONS] [-- NETLLM OPTION=VALUE...]",
    flags = {{"--host", meta = "NAME", help = "a running pod, or what ssh knows: an alias, USER@HOST"},
             {"--port", meta = "N", number = true, help = "of its sshd"},
             {"--identity", meta = "FILE", help = "private key to log in with"},
             {"--known-hosts", meta = "FILE", help = "the only file asked for its host key"},
             {"--pool", meta = "FILE", help = "an experience pool, here"},
             {"--model-dir", meta = "DIR", help = "the checkpoint, here"},
             {"--plm-path", meta = "DIR", help = "backbone: a directory here, or there:DIR"},
             {"--name", meta = "NAME", help = "of the training there (train)"},
             {"--remote-dir", meta = "DIR", help = "there (/workspace/ccalab, else ~/ccalab)"},
             {"--netllm", meta = "PROGRAM", help = "there; else one is built there"},
             {"--source", meta = "DIR", help = "ccalab's source tree, here"},
             {"--hours", meta = "H", number = true, help = "ended after so long (24)"},
             {"--idle", meta = "MIN", number = true, help = "ended when the GPU idles so long (never)"},
             {"--stop", help = "stop the pod when the checkpoint is here"}}}
local o = lab.args(about, arg)
if not o then
    return
end

local function usage(message, hint)
    error({status = "usage", subsystem = "train", message = message, hint = hint or "see ccalab train --help"}, 0)
end

local wanted = {host = o.host, pool = o.pool, model_dir = o.model_dir}
for _, key in ipairs{"host", "pool", "model_dir"} do
    if not wanted[key] then
        usage(("--%s?"):format((key:gsub("_", "-"))))
    end
end
local what = {pool = o.pool, dir = o.model_dir, plm_path = o.plm_path, name = o.name, remote_dir = o.remote_dir,
              netllm = o.netllm, source = o.source, max_hours = o.hours, idle_min = o.idle}
lab._read_adapt_words(what, o, usage)
local record <close> = assert(lab.record{name = "train " .. (o.name or "")})
local host, is_pod = assert(lab._pod_or_ssh(o.host, o))
what.host = host
local result = assert(lab.train(what))
record:set("result", result)
print(("the checkpoint is in %s%s"):format(result.dir, result.valid_loss
    and (": validation loss %g"):format(result.valid_loss) or ""))
if o.stop and is_pod then
    assert(lab._pod_stop(o.host))
    print(o.host .. " is stopped")
end
