// berth-launch: becomes dist/berth under the name it was called by, with the engine set for a short life.
//
// The engine reads its settings from the environment before any JavaScript runs, so nobody but the caller can
// make them: a program that lives for 20 ms has no use for compiler threads. What the caller has set stays.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace {

struct Setting {
  const char* name;
  const char* value;
};

// docs/decisions/0004-launcher.md has the measurements.
constexpr Setting kSettings[] = {
    {"BUN_JSC_useJIT", "0"},
    {"BUN_JSC_useConcurrentGC", "0"},
    {"BUN_JSC_numberOfGCMarkers", "1"},
};

}  // namespace

int main(int, char** argv) {
  // The program lies beside us, whatever the working directory and PATH are (DESIGN 2).
  char path[PATH_MAX];
  constexpr char kProgram[] = "/berth";
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - sizeof kProgram);
  char* slash = nullptr;
  if (size > 0) {
    path[size] = 0;
    slash = std::strrchr(path, '/');
  }
  if (slash == nullptr) {
    std::perror("berth-launch: find the directory of this program: /proc/self/exe");
    return 126;
  }
  std::memcpy(slash, kProgram, sizeof kProgram);
  for (const Setting& setting : kSettings) setenv(setting.name, setting.value, 0);
  execv(path, argv);
  std::fprintf(stderr, "berth-launch: execute %s: ", path);
  std::perror(nullptr);
  return 126;
}
