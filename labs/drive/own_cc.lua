-- A congestion control of one's own: netllm drive lua:labs/drive/own_cc.lua (docs/drive.md), made for a
-- decision a round trip, which is the default.
--
-- Half as much again each round trip until marks or a loss say that the path is full; then a packet more
-- each round trip, and less by half of the share of marked packets, as DCTCP does (RFC 8257).

local GAIN, BURST = 1 / 16, 3 -- BURST: the first packets leave without a pace and are marked for that

function on_sample(flow, s)
    local cwnd, share = flow.cwnd or s.cwnd, 0
    flow.n, flow.alpha = (flow.n or 0) + 1, flow.alpha or 0
    if (s.delivered or 0) > 0 then
        share = (s.ce or 0) / s.delivered
        flow.alpha = flow.alpha + GAIN * (share - flow.alpha)
    end
    if (s.lost or 0) > 0 then
        cwnd, flow.is_steady = cwnd / 2, true
    elseif share > 0 and flow.n > BURST then
        cwnd = cwnd * (1 - (flow.is_steady and flow.alpha or share) / 2) + 1
        flow.is_steady = true
    elseif not s.app_limited then
        cwnd = flow.is_steady and cwnd + 1 or cwnd * 1.5
    end
    flow.cwnd = math.max(cwnd, 2)
    return flow.cwnd
end
