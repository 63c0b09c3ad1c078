-- What teachers are watched in, in a few minutes: eight scenarios of 6 s. None is one of the judge's.
-- "*" is the teacher.
return {
    name = "quick",
    title = "eight scenarios of 6 s",
    scenarios = {{
        name = "quick", title = "Teaching", seconds = 6, warmup_s = 0,
        link = {rate = "20mbit", rtt = "30ms", aqm = "dualpi2"},
        flows = {{label = "x", host = "client_x", cc = "*"}},
        axes = {
            {{label = "20mbit-30ms", link = {rate = "20mbit", rtt = "30ms"}},
             {label = "40mbit-15ms", link = {rate = "40mbit", rtt = "15ms"}}},
            {{label = "dualpi2"}, {label = "fifo", link = {aqm = "fifo", buffer_bdp = 2}}},
            {{label = "alone"},
             {label = "cross", flows = {{label = "x", host = "client_x", cc = "*"},
                {label = "y", host = "client_y", cc = "cubic", start_s = 2, seconds = 3}}}},
        },
    }},
}
