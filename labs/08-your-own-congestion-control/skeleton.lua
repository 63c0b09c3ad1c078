-- Your congestion control. netllm calls on_sample once a round trip for each flow.
--
--   s.cwnd        packets that may be on the way now      s.delivered   packets that arrived in this interval
--   s.ce          of them, those that carried a mark      s.lost        packets that got lost in it
--   s.rtt, s.srtt, s.min_rtt  seconds                     s.throughput  bit/s acknowledged
--   flow          a table of your own, one a flow: what you put there is there the next time
--
-- What was not measured is nil (a flow's first sample has no interval): write (s.ce or 0).

function on_sample(flow, s)
    -- Return the next window, in packets. This returns none, which is no decision.
end
