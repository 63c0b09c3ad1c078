-- A lab file as one for real machines: four hosts, each with its own sshd, port, user and keys. The test
-- own_sshds.sh makes them, and copies this file to the folder of the keys, which its paths begin at.
-- `config` says how to get to them, as a ProxyJump would.
client_x = ssh{config = "config", host = "client-x", port = 2201, user = "ccalab-x", address = "10.98.1.2",
               identity = "client_x/id", known_hosts = "client_x/known_hosts"}
client_y = ssh{config = "config", host = "client-y", port = 2202, user = "ccalab-y", address = "10.98.2.2",
               identity = "client_y/id", known_hosts = "client_y/known_hosts"}
router   = ssh{config = "config", host = "router", port = 2203, user = "ccalab-r", address = "10.98.3.1",
               identity = "router/id", known_hosts = "router/known_hosts"}
server   = ssh{config = "config", host = "server", port = 2204, user = "ccalab-s", address = "10.98.3.2",
               identity = "server/id", known_hosts = "server/known_hosts"}
link = {rate = "50mbit", rtt = "20ms", egress = "bn1", aqm = "dualpi2 target 16ms"}
