"""Display filters: the same number of frames as tshark for every expression on every capture, and the
same fields. Usage: judge_filters.py (programs in $CCALAB_BUILD, the tree in $CCALAB_SOURCE)"""
import glob
import json
import os
import subprocess
import sys
import tempfile

import judge

SOURCE = os.environ["CCALAB_SOURCE"]
FIELD_FRAMES = "2000"

FILTERS = """
ip
ipv6
tcp
udp
not tcp
!udp && ip
ip or ipv6
tcp.port
ip.dsfield.ecn == 0
ip.dsfield.ecn == 1
ip.dsfield.ecn == 2
ip.dsfield.ecn == 3
ip.dsfield.ecn != 0
ip.dsfield.ecn ~= 0
ip.dsfield.ecn > 0 and tcp.len > 0
ipv6.tclass.ecn == 2
ipv6.tclass.ecn != 0
ip.dsfield.dscp > 0
ip.dsfield & 3
ip.dsfield & 3 == 2
tcp.len == 0
tcp.len > 0
tcp.len > 100 and tcp.len < 1000 or tcp.flags.push
not (tcp.len == 0 or tcp.flags.syn)
tcp.len >= 0x10 and tcp.len<=0xFFFF
tcp.len == 0b1011
tcp.len == 'a'
tcp.flags.syn
tcp.flags.syn == 1
tcp.flags.syn == True
tcp.flags.syn == 0 && tcp.flags.ack == 1
tcp.flags & 0x10
tcp.flags & 0x12 == 0x12
tcp.flags bitwise_and 2
tcp.flags == 0x018
tcp.flags.ece == 1
tcp.flags.cwr
tcp.flags.ae
tcp.flags.ae == 1
tcp.flags.ace
tcp.flags.ace == 5
tcp.flags.ace != 5
tcp.flags.ace > 2 and not tcp.flags.ace == 7
tcp.stream eq 0
tcp.stream ne 0
tcp.stream >= 1
udp.stream == 0
tcp.seq > 1000000
tcp.seq lt 2
tcp.ack == tcp.seq
tcp.seq < tcp.ack
tcp.nxtseq > 1449
tcp.srcport == tcp.dstport
tcp.srcport != tcp.dstport
tcp.port == 5201
tcp.port != 5201
tcp.port ~= 5201
tcp.port !== 5201
tcp.port === 5201
all tcp.port > 5000
any tcp.port > 5000
all tcp.option_kind > 0
tcp.option_kind == 8
tcp.option_kind == 172 or tcp.option_kind == 174 or tcp.option_kind == 254
tcp.option_kind != 1
tcp.hdr_len > 20
tcp.window_size > 65535
tcp.window_size_value > 500
tcp.options.mss_val
tcp.options.mss_val < 1460
tcp.options.wscale.shift > 6
tcp.options.timestamp.tsval > 1000
tcp.options.acc_ecn.ee0b
tcp.options.acc_ecn.ee0b > 8000000
tcp.options.acc_ecn.eceb > 0
tcp.options.acc_ecn.ee1b == 1
tcp.analysis.retransmission
tcp.analysis.fast_retransmission
tcp.analysis.out_of_order
tcp.analysis.duplicate_ack
tcp.analysis.lost_segment
tcp.analysis.ack_rtt
tcp.analysis.ack_rtt > 0.01
tcp.analysis.ack_rtt <= 0.0005
tcp.analysis.bytes_in_flight > 20000
tcp.analysis.initial_rtt > 0.001
tcp.analysis.acks_frame > 100
tcp.time_delta == 0
tcp.time_relative > 0.5
frame
frame.number <= 100
frame.number & 1
frame.number & 3 == 2
frame.len >= 1514 or (ip.ttl < 64 and not tcp.len)
frame.cap_len < frame.len
frame.time_relative < 1
frame.time_relative >= 0.25
frame.time_delta < 0.001
frame.time_epoch > 1000000000.5
ip.ttl < 64
ip.proto == 6
ip.id == 0x0000
ip.flags.df
ip.flags.mf == 0
ip.src == 192.168.0.0/16
ip.addr == 10.0.0.0/8
ip.addr != 10.0.0.0/8
ip.src < 192.168.0.0
ip.src == ip.dst
ip.src != ip.dst
ipv6.addr == ::/1
ipv6.addr == 2001::/16
ipv6.hlim < 64
ip.version == 6
eth.type == 0x800
eth.src[0:3] == 00:00:00
eth.addr[5] & 1
tcp[13] & 2
tcp[13] == 12
tcp[13] == 0x10
tcp[13] & 0x10 == 0x10
tcp[13:1] & 03
tcp[12:2] == 80:10
tcp[12:2] & 01:00
tcp[12-13] == 8010
tcp[2:2] > 10:00
tcp[:2] == tcp[2:2]
tcp[30:] and tcp.len == 0
tcp[60:]
tcp[0:5000]
ip[8] == 40
ip[-1:1] == 00
ip[-2] > 80
ip.src[0] == 0a
ip.dst[2-3] > 01:00
frame[12:2] == 08:00
udp.port == 443
udp.length > 1000
vlan
vlan.id > 1
gre
icmp
icmp.type == 3
arp
ip.dsfield.ecn in {1, 3}
ip.dsfield.ecn not in {1, 3}
not ip.dsfield.ecn in {0}
tcp.port in {80, 443, 5000..6000}
tcp.port in {1..2, 5 .. 9}
tcp.len in {0..10, 1448}
tcp.option_kind in {5, 172, 254}
ip.src in {10.0.0.1..192.168.255.255}
ip.addr in {10.0.0.0/8, 192.168.0.0/16}
frame.time_relative in {0.1..0.5}
tcp[0,2] == 8080
tcp[0:2,12:2] > 14:00:00:00
frame.number in {1..5, 10}
""".strip().splitlines()

# Headers that contradict themselves: Wireshark shows of each what it had read when it gave up. What
# counts there, flows and code points, is compared by judge_made.sh.
LIES = "lies.pcap"
# Of a TCP header of which an ICMP error quotes 8 bytes Wireshark shows the raw number as the relative.
QUOTED = {"quoted.pcap": {"tcp.seq", "tcp.seq_raw"}}

failures = []


# Counts or messages, of every capture by every filter.
COUNT = r"""
local job = lab.json_decode(assert(lab.read_file(arg[1])))
for i, path in ipairs(job.paths) do
    local capture <close> = assert(lab.open_capture(path))
    local counts = {}
    for k, filter in ipairs(job.filters) do
        local count, err = capture:count(filter)
        counts[k] = count or err.message
    end
    job.paths[i] = counts
end
print(lab.json_encode(job.paths))
"""


def captures():
    found = sorted(glob.glob(f"{SOURCE}/../shared/data/captures/*.pcap*"))
    found += sorted(glob.glob(f"{SOURCE}/tests/capture/corpus/*.pcap*"))
    return [p for p in found if os.path.basename(p) != LIES]


def ours(*args):
    return subprocess.run([judge.CLI, *args], capture_output=True, text=True)


def counts_of_ours(paths):
    with tempfile.TemporaryDirectory(prefix="ccfilters-") as tmp:
        script, job = os.path.join(tmp, "count.lua"), os.path.join(tmp, "job.json")
        with open(script, "w") as f:
            f.write(COUNT)
        with open(job, "w") as f:
            json.dump({"paths": paths, "filters": FILTERS}, f)
        p = ours("--run", script, job)
        if p.returncode:
            sys.exit(p.stderr)
        return json.loads(p.stdout)


def judge_counts(path, counts, number, npaths):
    """Every filter by a script, and each in turn by the command line too."""
    # Not in one pass with the fields: what tcp[60:] reaches to depends on what is printed.
    theirs, _ = judge.look(path, FILTERS)
    wrong = set()
    for i, (text, count) in enumerate(zip(FILTERS, counts)):
        got = [count]
        if i % npaths == number:
            p = ours("packets", path, "-Y", text, "--count")
            got.append(int(p.stdout) if p.returncode == 0 else p.stderr)
        if any(g != theirs[text] for g in got):
            wrong.add(text)
            print(f"FAIL {os.path.basename(path)}: {text}: tshark {theirs[text]}, ccalab {got}")
    failures.extend(wrong)
    print(f"{'FAIL' if wrong else 'ok  '} {os.path.basename(path)}: "
          f"{len(FILTERS) - len(wrong)} of {len(FILTERS)} filters")


def judge_fields(path, fields):
    _, theirs = judge.look(path, (), fields, ["-c", FIELD_FRAMES])
    args = [word for field in fields for word in ("-e", field)]
    mine = ours("packets", path, "-c", FIELD_FRAMES, "-T", "fields", *args).stdout
    mine = [r.split("\t") for r in mine.splitlines()]
    wrong = {"frames"} if len(mine) != len(theirs) else set()
    for number, (a, b) in enumerate(zip(theirs, mine), 1):
        for field, want, got in zip(fields, a, b):
            # Wireshark shows this label twice, as a field and as an expert's note.
            if field == "tcp.analysis.duplicate_ack":
                want = want[:1]
            if field in QUOTED.get(os.path.basename(path), ()):
                continue
            if want != got and field not in wrong:
                wrong.add(field)
                print(f"FAIL {os.path.basename(path)} frame {number}: {field}: "
                      f"tshark {want!r}, ccalab {got!r}")
    failures.extend(wrong)
    print(f"{'FAIL' if wrong else 'ok  '} {os.path.basename(path)}: {len(fields)} fields of {len(theirs)} frames")


def main():
    judge.need_tshark()
    paths = captures()
    if not paths:
        judge.skip("no captures in ../shared/data/captures or tests/capture/corpus")
    listing = ours("packets", "--fields").stdout.splitlines()
    fields = [line.split()[0] for line in listing if line.split()[1] != "protocol"]
    for number, (path, counts) in enumerate(zip(paths, counts_of_ours(paths))):
        judge_counts(path, counts, number, len(paths))
        judge_fields(path, fields)
    print(f"{len(FILTERS)} filters, {len(paths)} captures, {len(failures)} failures")
    sys.exit(1 if failures else 0)


main()
