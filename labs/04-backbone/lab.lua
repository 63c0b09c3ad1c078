-- Lab 04: a backbone in its place: a configuration that is understood, weights that are whole (or none, which
-- means random ones), and the memory that it takes.

local FAMILIES = {llama = true, mistral = true, gpt2 = true, opt = true}
local MAX_HEADER = 100000000 -- of a safetensors file, as its specification says

-- A Llama as small as it can be and still have the parts of a big one.
local TINY = {model_type = "llama", hidden_size = 64, intermediate_size = 128, num_hidden_layers = 2,
              num_attention_heads = 4, num_key_value_heads = 4, vocab_size = 256, rms_norm_eps = 1e-5,
              max_position_embeddings = 512, rope_theta = 10000, tie_word_embeddings = false}

-- What is wrong with a safetensors file, nil if nothing: its header says where the last tensor ends.
local function fault_of(path)
    local f = io.open(path, "rb")
    if not f then
        return "is missing"
    end
    local file <close> = f
    local head, size = f:read(8), f:seek("end")
    local length = head and #head == 8 and ("<I8"):unpack(head) or 0
    if length < 2 or length > MAX_HEADER or length + 8 > size then
        return "has no header of safetensors"
    end
    f:seek("set", 8)
    local header = lab.json_decode(f:read(length))
    if type(header) ~= "table" then
        return "has a header that is no JSON"
    end
    local last = 0
    for name, tensor in pairs(header) do
        local offsets = name ~= "__metadata__" and type(tensor) == "table" and tensor.data_offsets
        if type(offsets) == "table" then
            last = math.max(last, math.tointeger(offsets[2]) or 0)
        end
    end
    if size ~= 8 + length + last then
        return ("has %d bytes and should have %d"):format(size, 8 + length + last)
    end
end

-- The weights in a folder: {kind = "random", "one file" or "shards", faults = {"FILE is missing"}}.
local function weights(c)
    local seen = {kind = "random", faults = {}, files = 0}
    local names = {}
    for _, name in ipairs(lab.list_dir(c:path("backbone")) or {}) do
        if name:find("%.safetensors$") then
            names[name] = true
        end
    end
    local index = c:read_json("backbone/model.safetensors.index.json")
    if type(index) == "table" and type(index.weight_map) == "table" then
        seen.kind = "shards"
        for _, name in pairs(index.weight_map) do
            names[tostring(name):match("[^/]*$")] = true
        end
    elseif next(names) then
        seen.kind = "one file"
    end
    for name in pairs(names) do
        local fault = fault_of(c:path("backbone/" .. name))
        seen.files = seen.files + 1
        if fault then
            seen.faults[#seen.faults + 1] = name .. " " .. fault
        end
    end
    table.sort(seen.faults)
    return seen
end

-- How many parameters a Llama or Mistral of this shape has.
local function parameters(k)
    local h, l, v = k.hidden_size, k.num_hidden_layers, k.vocab_size
    local kv = (k.num_key_value_heads or k.num_attention_heads) * h // k.num_attention_heads
    local layer = 2 * h * h + 2 * h * kv + 3 * h * k.intermediate_size + 2 * h
    return l * layer + h + v * h * (k.tie_word_embeddings and 1 or 2)
end

local function observe(c)
    local config, err = c:read_json("backbone/config.json")
    return {config = type(config) == "table" and config or nil, error = err and err.message, weights = weights(c)}
end

local function place(c, config)
    assert(lab.make_dir(c:path("backbone")))
    assert(lab.write_file(c:path("backbone/config.json"), lab.json_encode(config, true)))
end

-- Meta's Llama-2-7b, by its published shape.
local LLAMA_7B = {model_type = "llama", hidden_size = 4096, intermediate_size = 11008, num_hidden_layers = 32,
                  num_attention_heads = 32, vocab_size = 32000, tie_word_embeddings = false}

return {
    title = "The backbone",
    about = "a pre-trained model, or random weights of the same shape",
    minutes = 15,
    steps = {
        {
            name = "place", title = "A model in its folder", acts = "files", observes = "files", observe = observe,
            checks = {
                {name = "config", says = "The configuration is of a family that netllm knows", look = function(seen, c)
                    local k = seen.config
                    local fits = k ~= nil and FAMILIES[k.model_type] == true
                        and (math.tointeger(k.hidden_size or k.n_embd) or 0) > 0
                        and (math.tointeger(k.num_attention_heads or k.n_head) or 0) > 0
                        and (k.hidden_size or k.n_embd) % (k.num_attention_heads or k.n_head) == 0
                    return c.judge(fits, {how = "backbone/config.json",
                        seen = k and ("model_type %s, hidden size %s"):format(tostring(k.model_type),
                            tostring(k.hidden_size or k.n_embd)) or seen.error or "no backbone/config.json",
                        want = "model_type llama, mistral, gpt2 or opt, and heads that divide the hidden size"})
                end},
                {name = "weights", says = "Its weights are whole, or random on purpose", look = function(seen, c)
                    local w = seen.weights
                    if not seen.config then
                        return c.not_yet{seen = "no model yet", want = "a model", how = "the files of backbone/"}
                    end
                    return c.judge(#w.faults == 0, {how = "each file's length against its own header",
                        seen = #w.faults > 0 and table.concat(w.faults, ", ") or w.kind == "random"
                            and "no weights: netllm draws them from its seed"
                            or ("%d files of weights, all whole"):format(w.files),
                        want = "every file that the index names, as long as its header says"})
                end},
            },
            hints = {
                "A model is a folder. netllm needs config.json, and weights as safetensors beside it, if any.",
                "With the hub: `HF_TOKEN=... ccalab backbone get meta-llama/Llama-2-7b-hf --to {{work}}/backbone`. "
                    .. "Without: write backbone/config.json yourself, and no weights.",
                "A shape for the offline way: model_type llama, hidden_size 64, intermediate_size 128, "
                    .. "num_hidden_layers 2, num_attention_heads 4, vocab_size 256, as JSON.",
            },
            solution = {does = "writes the shape of a tiny Llama, whose weights will be random",
                        run = function(c) place(c, TINY) end},
            wrong = {
                {name = "bert", does = "places a model that only reads: BERT", fails = "config", run = function(c)
                    place(c, {model_type = "bert", hidden_size = 64, num_attention_heads = 4})
                end},
                {name = "half", does = "stops the download before the second shard", fails = "weights", run = function(c)
                    place(c, TINY)
                    local header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
                    assert(lab.write_file(c:path("backbone/model-00001-of-00002.safetensors"),
                        ("<I8"):pack(#header) .. header .. ("\0"):rep(8)))
                    assert(lab.write_file(c:path("backbone/model.safetensors.index.json"), lab.json_encode{
                        weight_map = {a = "model-00001-of-00002.safetensors",
                                      b = "model-00002-of-00002.safetensors"}}))
                end},
                {name = "cut", does = "keeps a file of which the last bytes never came", fails = "weights",
                 run = function(c)
                    place(c, TINY)
                    local header = '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
                    assert(lab.write_file(c:path("backbone/model.safetensors"),
                        ("<I8"):pack(#header) .. header .. ("\0"):rep(5)))
                 end},
            },
        },
        {
            name = "memory", title = "What it takes", acts = "files", observes = "files",
            question = "How many GiB do the weights of Llama-2-7b take in float32?",
            setup = function(c)
                if not c:exists("backbone/config.json") then
                    place(c, TINY)
                end
                assert(lab.write_file(c:path("llama-2-7b.json"), lab.json_encode(LLAMA_7B, true)))
            end,
            observe = function()
                local n = parameters(LLAMA_7B)
                return {parameters = n, gib = n * 4 / 2 ^ 30}
            end,
            checks = {
                {name = "gib", says = "You know what GPU memory the weights alone need", look = function(seen, c)
                    local given = tonumber((c.answer or ""):match("^%s*([%d.]+)"))
                    return c.judge(given ~= nil and math.abs(given - seen.gib) <= 0.05 * seen.gib, {
                        seen = c.answer and "your answer: " .. c.answer or "no answer yet",
                        want = "parameters x 4 bytes, in GiB, within 5 %",
                        how = "counted from the shape in llama-2-7b.json"})
                end},
            },
            hints = {
                "float32 is four bytes a parameter. How many parameters are there? The name says it roughly.",
                "A layer: 4 x 4096 x 4096 for attention, 3 x 4096 x 11008 for the rest. 32 layers, and twice "
                    .. "32000 x 4096 for words.",
                "6,738,415,616 parameters, times 4, over 1024 three times.",
            },
            solution = {does = "counts the parameters of the shape, times four bytes",
                        run = function(c) c.answer = ("%.1f"):format(c:observed().gib) end},
            wrong = {
                {name = "half", does = "counts two bytes a parameter, as they lie on disk", fails = "gib",
                 run = function(c) c.answer = ("%.1f"):format(c:observed().gib / 2) end},
            },
        },
    },
}
