/* A driver library for the dynamic loader to find: one card, the calls that its identity needs, and ways to fail.
   FAKE_DRIVER=hang sleeps in the first call, crash ends the process in it, unloaded reports a missing driver. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9 };

int nvmlInitWithFlags(unsigned flags) {
    const char *mode = getenv("FAKE_DRIVER");
    (void)flags;
    if (mode && !strcmp(mode, "hang"))
        for (;;) sleep(60);
    if (mode && !strcmp(mode, "crash")) abort();
    if (mode && !strcmp(mode, "unloaded")) return DRIVER_NOT_LOADED;
    return SUCCESS;
}
int nvmlShutdown(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = 1, SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    static char card;
    (void)index;
    return *device = &card, SUCCESS;
}
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    (void)device;
    return strncpy(name, "NVIDIA H200", length), SUCCESS;
}
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    (void)device;
    return strncpy(uuid, "GPU-00000000-1111-2222-3333-444444444444", length), SUCCESS;
}
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
    (void)device;
    return *milliwatts = 700000, SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *memory) {
    (void)device;
    memory[0] = 150754820096ull, memory[1] = memory[0], memory[2] = 0;
    return SUCCESS;
}
int nvmlSystemGetDriverVersion(char *version, unsigned length) { return strncpy(version, "580.0.1", length), SUCCESS; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 13000, SUCCESS; }
