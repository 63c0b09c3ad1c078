-- For tests/bench/drive.sh: DCTCP (RFC 8257) with a decision for every ACK, netllm drive --interval 0. What is of a
-- round trip is counted in acknowledged packets, of which a window is one: each adds its share of it.

local GAIN = 1 / 16

function on_sample(flow, s)
    local cwnd, acked, marks, lost = flow.cwnd or s.cwnd, s.delivered or 0, s.ce or 0, s.lost or 0
    flow.alpha = flow.alpha or 1
    flow.alpha = math.max(flow.alpha + GAIN * (marks - acked * flow.alpha) / cwnd, 0)
    if marks + lost > 0 then
        flow.is_steady = true
        if s.t >= (flow.next_cut or 0) then -- once a round trip
            cwnd = cwnd * (1 - (lost > 0 and 1 or flow.alpha) / 2)
            flow.next_cut = s.t + (s.srtt or 0)
        end
    elseif not s.app_limited then
        cwnd = cwnd + (flow.is_steady and acked / cwnd or acked)
    end
    flow.cwnd = math.max(cwnd, 2)
    return flow.cwnd
end
