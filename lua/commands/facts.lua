-- `ccalab facts`: what this machine says of itself, as it goes into run records.

local o = lab.args({name = "facts", help = "what this machine says of itself, as JSON", usage = "",
                    flags = {}}, arg)
if o then
    print(lab.json_encode(assert(lab.facts(lab.localhost)), true))
end
