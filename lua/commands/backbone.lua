-- `ccalab backbone`: pre-trained models.

local about = {
    name = "backbone", help = "download a pre-trained model onto a host",
    usage = "get ORG/NAME [OPTIONS]",
    flags = {{"--to", meta = "HOST:DIR", help = "a running pod or a host of ssh; DIR alone: here (NAME)"},
             {"--revision", meta = "REV", help = "branch, tag or commit (main)"},
             {"--port", meta = "N", number = true, help = "of its sshd"},
             {"--identity", meta = "FILE", help = "private key to log in with"},
             {"--known-hosts", meta = "FILE", help = "the only file asked for its host key"},
             {"--json", help = "the result as JSON"}}}
local o = lab.args(about, arg)
if not o then
    return
end
if o[1] ~= "get" or not o[2] then
    error({status = "usage", subsystem = "backbone", message = "which model?",
           hint = "ccalab backbone get meta-llama/Llama-2-7b-hf --to POD:/workspace/llama-2-7b"}, 0)
end
local place, dir = (o.to or ""):match("^([^:/]+):(.*)$")
local host
if place then
    host = assert(lab._pod_or_ssh(place, o))
else
    dir = o.to
end
local r = assert(lab.backbone{repo = o[2], host = host, dir = dir ~= "" and dir or nil, revision = o.revision})
if o.json then
    print(lab.json_encode(r))
else
    print(("%s is in %s: %d files, %.1f MB, of which %.1f MB were downloaded now; all hashes are right"):format(
        o[2], r.dir, r.files, r.bytes / 1e6, r.sent / 1e6))
end
