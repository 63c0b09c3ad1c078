-- Lab 07: an honest judgement: the policy beside predictors that know nothing, on rows that nobody trained
-- on, and the report to hand in.

local TIE = 0.02 -- errors this near to each other, as a part of the lower one, are no difference

-- A pool, a training and its test, on this machine; `untrained`: the test of first values.
local function judge_policy(c, recipe, untrained)
    c:netllm{"pool", "build", "--recipe", recipe, "-o", "pool.safetensors", table.unpack(c:bring_recordings())}
    assert(lab.localhost:run{"rm", "-rf", c:path("model"), label = "clear"})
    c:netllm{"adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "model", "--w", "4", "--lr", "1e-3",
             "--grad-accum-steps", "4", "--rank", "4", "--num-epochs", "10", "--threads", "1"}
    assert(lab.write_file(c:path("test.jsonl"), c:netllm{"test", "--exp-pool-path", "pool.safetensors",
        "--model-dir", "model", "--threads", "1", untrained and "--untrained" or nil}))
end

local function judge_or_recording(take, recipe, untrained)
    return function(c)
        c:do_or_take(take, judge_policy, recipe, untrained)
    end
end

-- {loss=, baselines=, windows=, is_untrained=, recipe=} of the last result in test.jsonl.
local function score(c)
    local result
    for line in (lab.read_file(c:path("test.jsonl")) or ""):gmatch("[^\n]+") do
        local event = lab.json_decode(line)
        if type(event) == "table" and event.type == "result" and type(event.data) == "table"
            and event.data.test_loss then
            result = event.data
        end
    end
    local info = c:read_json("model/netllm.json")
    if not result or type(result.baselines) ~= "table" then
        return {}
    end
    local seen = {loss = result.test_loss, baselines = result.baselines, windows = result.windows,
                  is_untrained = result.untrained == true,
                  recipe = type(info) == "table" and type(info.data) == "table" and info.data.recipe or nil}
    local rows = {{"policy", ("%.6f"):format(result.test_loss)}}
    for _, name in ipairs{"constant", "persistence", "no_op", "ridge", "mlp", "copy_input"} do
        local loss = tonumber(result.baselines[name])
        rows[#rows + 1] = {name, loss and ("%.6f"):format(loss) or "-"}
        if loss and (not seen.best or loss < seen.best.loss) then
            seen.best = {name = name, loss = loss}
        end
    end
    seen.table = {title = "Mean squared error on the last 15 % of each flow", header = {"predictor", "MSE"},
                  rows = rows}
    return seen
end

local function verdict_of(seen)
    if seen.loss > (1 + TIE) * seen.best.loss then
        return "worse"
    end
    return seen.loss < (1 - TIE) * seen.best.loss and "better" or "tie"
end

return {
    title = "The judgement",
    about = "baselines, an honest evaluation, the report to hand in",
    minutes = 20,
    steps = {
        {
            name = "score", title = "A test that can fail", acts = "here", observes = "files", observe = score,
            keep = {"test.jsonl", "model/netllm.json"},
            checks = {
                {name = "tested", says = "A trained policy was scored on rows that it has not seen",
                 look = function(seen, c)
                    return c.judge(seen.loss ~= nil and not seen.is_untrained, {
                        seen = seen.loss and ("%s policy, %d windows"):format(
                            seen.is_untrained and "an untrained" or "a trained", seen.windows) or "no result in test.jsonl",
                        want = "the result of netllm test of a trained checkpoint", how = "test.jsonl"})
                end},
                {name = "question", says = "It was asked something that the state does not answer",
                 look = function(seen, c)
                    if not seen.loss then
                        return c.not_yet{seen = "no test yet", want = "a test", how = "test.jsonl"}
                    end
                    local copy = tonumber(seen.baselines.copy_input)
                    return c.judge(copy == nil, {how = "baselines.copy_input",
                        seen = copy and ("who copies the state scores %g"):format(copy)
                            or "nothing in the state gives the action away",
                        want = "a pool of recipe lab"})
                end},
            },
            hints = {
                "`netllm test` scores a checkpoint on the last 15 % of each flow of the pool. Keep what it prints.",
                "`netllm test --exp-pool-path pool.safetensors --model-dir model > test.jsonl`, with the pool and the "
                    .. "model of lab 05 in this folder.",
            },
            solution = {does = "tests a trained policy on a pool of recipe lab",
                        run = judge_or_recording("solution", "lab")},
            wrong = {
                {name = "untrained", does = "tests without loading what was trained, as the published code does",
                 fails = "tested", run = judge_or_recording("untrained", "lab", true)},
                {name = "published", does = "tests on a pool of the published recipe", fails = "question",
                 run = judge_or_recording("published", "published")},
            },
        },
        {
            name = "verdict", title = "Better than what?", acts = "files", observes = "files",
            question = "Is the policy better, worse, or a tie (within 2 %) with the best baseline?",
            setup = function(c)
                if not c:exists("test.jsonl") then
                    assert(lab.localhost:run{"cp", "-r", c.dir .. "/replay/score/solution/.", c.work .. "/",
                                             label = "copy"})
                end
            end,
            observe = score,
            checks = {
                {name = "verdict", says = "You compared it with the best of the others", look = function(seen, c)
                    if not seen.best then
                        return c.cannot("there is no test.jsonl with baselines in your folder")
                    end
                    return c.judge((c.answer or ""):lower():match("%a+") == verdict_of(seen), {
                        seen = c.answer and "your answer: " .. c.answer or "no answer yet",
                        want = "the policy's error beside the lowest baseline's: better, worse or tie",
                        how = "test.jsonl"})
                end},
            },
            hints = {
                "The last line of test.jsonl has `test_loss` and `baselines`. Which of the baselines is lowest?",
                "Divide the policy's error by the lowest baseline's. Below 0.98 it is better, above 1.02 worse.",
            },
            solution = {does = "divides the policy's error by the lowest baseline's",
                        run = function(c) c.answer = verdict_of(c:observed()) end},
            wrong = {
                {name = "flattering", does = "says the opposite of what was measured", fails = "verdict", run = function(c)
                    c.answer = verdict_of(c:observed()) == "better" and "worse" or "better"
                end},
            },
        },
        {
            name = "report", title = "Handing in", acts = "files", observes = "files",
            observe = function(c)
                local html = lab.read_file(c:path("report.html"))
                if not html then
                    return {is_there = false}
                end
                local asks
                for _, pattern in ipairs{"src=[\"']?(%a+:[^\"'> ]+)", "href=[\"']?(%a+:[^\"'> ]+)",
                                         "url%([\"']?(%a+:[^)]+)"} do
                    for address in html:gmatch(pattern) do
                        asks = not address:find("^data:") and address or asks
                    end
                end
                return {is_there = true, bytes = #html, asks = asks,
                        has_progress = html:find("Progress", 1, true) ~= nil
                            and html:find("07-judge", 1, true) ~= nil}
            end,
            checks = {
                {name = "there", says = "The report is in your folder", look = function(seen, c)
                    return c.judge(seen.has_progress == true, {
                        seen = seen.is_there and ("%d bytes%s"):format(seen.bytes, seen.has_progress and ""
                            or ", but not the report of the labs") or "no report.html in your folder",
                        want = "what ccalab labs report writes", how = "report.html"})
                end},
                {name = "alone", says = "It needs nothing from anywhere else", look = function(seen, c)
                    return c.judge(seen.is_there and not seen.asks, {
                        seen = seen.asks and "it asks for " .. seen.asks or seen.is_there and "one file" or "no report",
                        want = "one file that opens without a network", how = "sources and links in report.html"})
                end},
            },
            hints = {
                "`ccalab labs report` writes it from what was kept of every check.",
                "`ccalab labs report --name \"YOUR NAME\" --output {{work}}/report.html`",
            },
            solution = {does = "writes the report into the folder of this lab", run = function(c)
                local course = assert(lab.course{dir = c.dir:match("^(.*)/[^/]*$"), state = c.state})
                assert(course:report{name = "a student", out = c:path("report.html")})
            end},
            wrong = {
                {name = "empty", does = "hands in an empty page", fails = "there", run = function(c)
                    assert(lab.write_file(c:path("report.html"), "<!doctype html>"))
                end},
                {name = "linked", does = "hands in a page that loads its pictures from elsewhere", fails = "alone",
                 run = function(c)
                    assert(lab.write_file(c:path("report.html"),
                        "<h2>Progress</h2>07-judge<img src=\"https://example.org/rtt.png\">"))
                 end},
            },
        },
    },
}
