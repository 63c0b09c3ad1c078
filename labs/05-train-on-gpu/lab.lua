-- Lab 05: a training that ran to its end, on whatever machine: a GPU that was rented, one over SSH, this one.

local EPOCHS = 5

-- Recordings of lab 03 as a pool, and a training on this machine with netllm's own words.
local function train(c, options)
    local names = c:bring_recordings()
    assert(lab.localhost:run{"rm", "-rf", c:path("model"), label = "clear"})
    c:netllm{"pool", "build", "--recipe", "lab", "-o", "pool.safetensors", table.unpack(names)}
    local cmd = {"adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "model", "--w", "4",
                 "--grad-accum-steps", "4", "--rank", "4", "--threads", "1"}
    for _, word in ipairs(options) do
        cmd[#cmd + 1] = word
    end
    assert(lab.write_file(c:path("train.jsonl"), c:netllm(cmd)))
end

local function train_or_recording(take, options)
    return function(c)
        c:do_or_take(take, train, options)
    end
end

local function mean(list, from, to)
    local sum = 0
    for i = from, to do
        sum = sum + list[i]
    end
    return sum / (to - from + 1)
end

return {
    title = "Training on a GPU",
    about = "a rented pod, a machine over SSH, or this one",
    minutes = 30,
    steps = {
        {
            name = "train", title = "A training that ran to its end", acts = "here", observes = "files",
            keep = {"train.jsonl", "model/netllm.json"},
            observe = function(c)
                local seen = {}
                local info = c:read_json("model/netllm.json")
                if type(info) == "table" and type(info.training) == "table" and type(info.data) == "table"
                    and type(info.policy) == "table" then
                    seen.model = {epochs = math.tointeger(info.training.epochs) or 0, best_epoch = info.training.best_epoch,
                                  valid_loss = info.training.valid_loss, recipe = info.data.recipe,
                                  backbone = (info.policy.backbone or {}).model_type, plm_path = info.policy.plm_path}
                end
                local losses = {}
                for line in (lab.read_file(c:path("train.jsonl")) or ""):gmatch("[^\n]+") do
                    local event = lab.json_decode(line)
                    if type(event) == "table" and event.type == "sample" and event.src == "train"
                        and type(event.values) == "table" then
                        losses[#losses + 1] = tonumber(event.values.loss)
                    end
                end
                if #losses >= 20 then
                    local part = #losses // 10
                    seen.losses = {steps = #losses, first = mean(losses, 1, part),
                                   last = mean(losses, #losses - part + 1, #losses)}
                end
                return seen
            end,
            checks = {
                {name = "finished", says = "A checkpoint of a whole training is here", look = function(seen, c)
                    local m = seen.model
                    return c.judge(m ~= nil and m.recipe == "lab" and m.epochs >= EPOCHS, {
                        seen = m and ("%d epochs on a pool of recipe %s"):format(m.epochs, m.recipe)
                            or "no model/netllm.json in your folder",
                        want = ("at least %d epochs on a pool of recipe lab"):format(EPOCHS),
                        how = "model/netllm.json"})
                end},
                {name = "learned", says = "It learned: the training loss fell", look = function(seen, c)
                    local l = seen.losses
                    return c.judge(l ~= nil and l.last < 0.8 * l.first, {
                        seen = l and ("%.4f at first, %.4f at last, %d steps"):format(l.first, l.last, l.steps)
                            or "no 20 steps in train.jsonl",
                        want = "the last tenth of the steps at least a fifth below the first",
                        how = "the samples of train.jsonl"})
                end},
            },
            hints = {
                "A training is `netllm adapt`, wherever it runs. Keep what it prints as train.jsonl.",
                "Here: `netllm adapt --exp-pool-path pool.safetensors --model-dir model --num-epochs 10 --lr 1e-3 "
                    .. "--grad-accum-steps 4 --w 4 > train.jsonl`. Small pools need a larger rate than the default.",
                "Elsewhere: `ccalab --events train.jsonl train --host HOST --pool pool.safetensors --model-dir "
                    .. "model -- num-epochs=10 lr=1e-3 grad-accum-steps=4 w=4`.",
            },
            solution = {does = "trains ten epochs at a rate of 1e-3",
                        run = train_or_recording("solution", {"--num-epochs", "10", "--lr", "1e-3"})},
            wrong = {
                {name = "one-epoch", does = "stops after the first epoch", fails = "finished",
                 run = train_or_recording("one-epoch", {"--num-epochs", "1", "--lr", "1e-3"})},
                {name = "warm-up", does = "trains ten epochs at a rate that never gets beyond 1e-7, as a warm-up "
                    .. "of 2000 steps would do", fails = "learned",
                 run = train_or_recording("warm-up", {"--num-epochs", "10", "--lr", "1e-7"})},
            },
        },
    },
}
