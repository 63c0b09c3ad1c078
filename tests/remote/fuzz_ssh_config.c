/* libFuzzer target: ssh_config(5) text, read for a host whose name is the input's first line, with
 * the rest as the file, which may include itself. What is listed is bounded and one line.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_ssh_config -max_len=4096 CORPUS_DIR */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "remote/ssh_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) { /* a file in memory: "Include config" finds it by the directory below */
        char dir[] = "/tmp/ccalab-fuzz-XXXXXX";
        fd = memfd_create("config", 0);
        if (fd < 0 || !mkdtemp(dir))
            abort();
        char target[64];
        snprintf(target, sizeof target, "/proc/%d/fd/%d", (int)getpid(), fd);
        snprintf(path, sizeof path, "%s/config", dir);
        if (symlink(target, path) != 0)
            abort();
    }
    char host[64] = "";
    const uint8_t *nl = memchr(data, '\n', size);
    size_t n = nl ? (size_t)(nl - data) : 0;
    memcpy(host, data, n < sizeof host - 1 ? n : sizeof host - 1);
    if (nl) {
        data = nl + 1;
        size -= n + 1;
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    char dir[64];
    snprintf(dir, sizeof dir, "%.*s", (int)(strlen(path) - strlen("/config")), path);
    struct ssh_config_facts f;
    ssh_config_facts_init(&f);
    ssh_config_scan(&f, path, dir, host);
    if (f.ignored.len > f.ignored.max || strlen(f.ignored.data) != f.ignored.len ||
        strchr(f.ignored.data, '\n'))
        abort();
    ssh_config_facts_done(&f);
    return 0;
}
