/* A driver library for the dynamic loader to find: cards that draw 400 W each, and ways to fail.
   FAKE_DRIVER=hang sleeps in the first call, crash ends the process in it, unloaded reports a missing driver.
   FAKE_DRIVER_STATE names a file whose contents change what the card does while it is read: "lost" has it fall off the
   bus, "hang" has the call for its power never return, "hot" has it held back by heat. FAKE_DRIVER_CARDS is how many
   cards there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
enum { MILLIWATTS = 400000 };

static int state_is(const char *word) {
    const char *path = getenv("FAKE_DRIVER_STATE");
    char text[16] = "";
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 0;
    if (!fgets(text, sizeof text, file)) text[0] = 0;
    fclose(file);
    return !strcmp(text, word);
}

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
int nvmlDeviceGetCount_v2(unsigned *count) {
    const char *cards = getenv("FAKE_DRIVER_CARDS");
    return *count = cards ? (unsigned)atoi(cards) : 1, SUCCESS;
}
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
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    (void)device;
    while (state_is("hang")) sleep(60);
    return *milliwatts = MILLIWATTS, state_is("lost") ? GPU_IS_LOST : SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    struct timespec now;
    (void)device;
    clock_gettime(CLOCK_REALTIME, &now);
    *millijoules = (unsigned long long)(now.tv_sec % 10000000) * MILLIWATTS + now.tv_nsec / 1000000 * (MILLIWATTS / 1000);
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned *rates) {
    (void)device;
    return rates[0] = 95, rates[1] = 40, SUCCESS;
}
int nvmlDeviceGetClockInfo(void *device, unsigned kind, unsigned *megahertz) {
    (void)device;
    return *megahertz = kind == 1 ? 1980 : 2619, SUCCESS;
}
int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius) {
    (void)device, (void)sensor;
    return *celsius = 61, SUCCESS;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *mask) {
    (void)device;
    return *mask = state_is("hot") ? 0x40 : 0x4, SUCCESS;
}
int nvmlDeviceGetTotalEccErrors(void *device, unsigned kind, unsigned counter, unsigned long long *errors) {
    (void)device, (void)kind, (void)counter;
    return *errors = 0, SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *processes) {
    (void)device, (void)processes;
    return *count = 0, SUCCESS;
}
