-- A congestion control of one's own: netllm drive lua:labs/drive/own_cc.lua (docs/drive.md).
--
-- Twice the window each round trip until the first mark or loss; then a packet more each round trip,
-- and less by half of the share of marked packets, as DCTCP and Prague do (RFC 8257).

local GAIN = 1 / 16

function on_sample(flow, s)
    flow.cwnd = flow.cwnd or s.cwnd
    flow.share = flow.share or 1
    local packets, marks = s.delivered or 0, s.ce or 0
    if packets > 0 then
        flow.share = flow.share + GAIN * (marks / packets - flow.share)
    end
    if (s.lost or 0) > 0 then
        flow.cwnd, flow.is_steady = flow.cwnd / 2, true
    elseif marks > 0 then
        flow.cwnd, flow.is_steady = flow.cwnd * (1 - flow.share / 2), true
    elseif not s.app_limited then
        flow.cwnd = flow.is_steady and flow.cwnd + 1 or flow.cwnd * 2
    end
    flow.cwnd = math.max(flow.cwnd, 2)
    return flow.cwnd
end
