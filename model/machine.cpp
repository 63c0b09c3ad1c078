/* What this machine has for a policy: devices, their memory, the processor's arithmetic. */
#include <ATen/Context.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cpuid.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "model/policy.hpp"

namespace
{

/* Does this processor multiply bfloat16 itself? CPUID leaf 7: AVX512_BF16, AMX-BF16. */
bool has_bf16()
{
    unsigned a, b, c, d;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1))
        return true;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
}

/* Bytes the kernel could give without swapping: MemAvailable of proc(5), else all there is. */
double free_bytes()
{
    double kib = 0;
    char line[256];
    FILE *f = std::fopen("/proc/meminfo", "re");
    while (f && std::fgets(line, sizeof line, f))
        if (std::sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    if (f)
        std::fclose(f);
    if (kib > 0)
        return kib * 1024;
    return static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<double>(sysconf(_SC_PAGESIZE));
}

/* Devices, and the memory of those that the request may mean: to ask one costs a context on it. */
device_machine machine_for(const device_request &r)
{
    device_machine m{};
    m.cpu_free_bytes = free_bytes();
    m.cuda_count = std::min(static_cast<int>(at::getNumGPUs()), DEVICES_MAX);
    for (int i = 0; i < m.cuda_count; i++) {
        m.cuda_free_bytes[i] = -1;
#ifdef CCALAB_HAVE_CUDA
        int id = DEVICE_CUDA + i;
        if (r.is_auto || r.device == id || r.mid == id || r.out == id)
            m.cuda_free_bytes[i] = ccalab::cuda_free_bytes(i);
#endif
    }
#ifdef CCALAB_HAVE_CUDA
    std::snprintf(m.torch, sizeof m.torch, "libtorch %s finds %d CUDA devices", TORCH_VERSION,
                  m.cuda_count);
#else
    (void)r;
    std::snprintf(m.torch, sizeof m.torch, "libtorch %s is built without CUDA", TORCH_VERSION);
#endif
    return m;
}

/* Do the policy's bytes fit into what is free on `device`? */
status check_room(const policy_config &c, const device_machine &machine, const device_plan &plan,
                  int device, error *err)
{
    char name[16];
    bool is_cpu = device == DEVICE_CPU;
    device_sizes sizes = ccalab::sizes_of(c);
    double bytes = device_plan_bytes(&plan, &sizes, device);
    double room = is_cpu ? machine.cpu_free_bytes : machine.cuda_free_bytes[device - DEVICE_CUDA];
    if (room < 0 || bytes <= room)
        return STATUS_OK;
    error_set(err, STATUS_NOMEM, "policy",
              "the weights take %.1f GB in memory, of which %s has %.1f GB free", bytes / 1e9,
              is_cpu ? "this machine" : device_name(device, name), room / 1e9);
    bool is_bf16_left = c.base_dtype == POLICY_FP32 && (!is_cpu || has_bf16());
    return error_hint(err, "use a smaller model, an earlier --which-layer%s%s",
                      is_cpu ? "" : ", more devices", is_bf16_left ? ", or --base-dtype bf16" : "");
}

} // namespace

device_sizes ccalab::sizes_of(const policy_config &c)
{
    const backbone_config &b = c.backbone;
    uint64_t hidden = static_cast<uint64_t>(b.hidden_size);
    uint64_t width = static_cast<uint64_t>(b.embedding_size);
    uint64_t state = static_cast<uint64_t>(c.state_dim);
    uint64_t frozen = backbone_config_parameters(&b) / static_cast<uint64_t>(b.num_hidden_layers);
    /* What is trained has a gradient and two moments beside it. */
    uint64_t lora = 16 * 4 * hidden * static_cast<uint64_t>(c.rank);
    uint64_t modules = 16 * (width * (static_cast<uint64_t>(c.timestep_rows) + state + 6) +
                             static_cast<uint64_t>(c.features) * state * state);
    device_sizes sizes{};
    sizes.layers = c.which_layer < 0 ? b.num_hidden_layers + c.which_layer + 1 : c.which_layer + 1;
    sizes.layer_bytes = static_cast<double>(frozen * (c.base_dtype == POLICY_BF16 ? 2 : 4) + lora);
    sizes.other_bytes = static_cast<double>(modules);
    return sizes;
}

status ccalab::plan_devices(const policy_config &c, device_plan *out, error *err)
{
    device_sizes sizes = sizes_of(c);
    device_machine machine = machine_for(c.devices);
    status st = device_plan_make(&c.devices, &machine, &sizes, out, err);
    for (int i = 0; i < out->count && !st; i++) {
        if (out->device[i] == DEVICE_CPU && c.base_dtype == POLICY_BF16 && !has_bf16()) {
            error_set(err, STATUS_UNAVAILABLE, "policy",
                      "this processor has no bfloat16 arithmetic (AVX512_BF16 or AMX)");
            return error_hint(err, "use --base-dtype fp32");
        }
        st = check_room(c, machine, *out, out->device[i], err);
    }
    return st;
}
