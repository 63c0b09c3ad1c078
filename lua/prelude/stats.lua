-- What repeated measurements say, and how surely.

-- 97.5 % quantiles of Student's t for 1, 2, ... 9 degrees of freedom.
local STUDENT = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622}

-- Beyond those the Cornish-Fisher expansion is exact to three decimals (Abramowitz and Stegun, 26.7.5).
local function student(df)
    local z = 1.959964
    return STUDENT[df] or z + (z ^ 3 + z) / (4 * df) + (5 * z ^ 5 + 16 * z ^ 3 + 3 * z) / (96 * df ^ 2)
end

local function quantile(sorted, q)
    local at = 1 + (#sorted - 1) * q
    local low = math.floor(at)
    local above = sorted[low + 1] or sorted[low]
    return sorted[low] + (above - sorted[low]) * (at - low)
end

-- lab.stats(values): {n, mean, sd, ci95, min, p5, median, p95, max} of a list of numbers; what is no
-- finite number is left out and counted as `missing`. `sd` is the sample's (n - 1); `ci95` is half the
-- width of the 95 % confidence interval of the mean, by Student's t; both nil for one value. Quantiles
-- are interpolated. nil without any number.
function lab.stats(values)
    local v, missing = {}, 0
    local count = 0
    for k in pairs(values) do
        count = math.max(count, k)
    end
    for i = 1, count do
        local x = values[i]
        if type(x) == "number" and x == x and math.abs(x) < math.huge then
            v[#v + 1] = x
        else
            missing = missing + 1
        end
    end
    if #v == 0 then
        return nil
    end
    table.sort(v)
    local sum, squares = 0, 0
    for _, x in ipairs(v) do
        sum = sum + x
    end
    local mean = sum / #v
    for _, x in ipairs(v) do
        squares = squares + (x - mean) ^ 2
    end
    local out = {n = #v, missing = missing, mean = mean, min = v[1], max = v[#v],
                 p5 = quantile(v, 0.05), median = quantile(v, 0.5), p95 = quantile(v, 0.95)}
    if #v > 1 then
        out.sd = math.sqrt(squares / (#v - 1))
        out.ci95 = student(#v - 1) * out.sd / math.sqrt(#v)
    end
    return out
end
