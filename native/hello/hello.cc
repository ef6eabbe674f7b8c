// What the embedded image runs: says hello and reports as facts, one `name=value` line each, what it sees
// of the world. The demo compares them with what the host sees. `hello N` exits with N.
#include <dirent.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Prints the target of every link in /proc/self/ns: two processes with the same target share the namespace.
void reportNamespaces() {
  DIR* directory = opendir("/proc/self/ns");
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory)) {
    // What children will get is not where this process is.
    if (entry->d_name[0] == '.' || strstr(entry->d_name, "_for_children") != nullptr) continue;
    char path[64];
    char target[64];
    snprintf(path, sizeof path, "/proc/self/ns/%.40s", entry->d_name);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) continue;
    target[length] = '\0';
    printf("namespace.%s=%s\n", entry->d_name, target);
  }
  closedir(directory);
}

struct StatusLine {
  const char* prefix;
  const char* fact;
};

// The lines of /proc/self/status that say what the process may do.
void reportStatus() {
  static constexpr StatusLine LINES[] = {
      {"CapEff:", "capabilities"},
      {"NoNewPrivs:", "no-new-privileges"},
      {"Seccomp:", "seccomp"},
  };
  FILE* file = fopen("/proc/self/status", "re");
  if (file == nullptr) return;
  char line[256];
  while (fgets(line, sizeof line, file) != nullptr) {
    for (const auto& [prefix, fact] : LINES) {
      const size_t length = strlen(prefix);
      if (strncmp(line, prefix, length) == 0) printf("%s=%s", fact, line + length + 1);
    }
  }
  fclose(file);
}

// How many processes /proc shows.
int countProcesses() {
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return 0;
  int count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0) ++count;
  }
  closedir(directory);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  puts("Hello from inside a container.");
  printf("pid=%d\n", getpid());
  printf("user=%u:%u\n", getuid(), getgid());
  printf("processes=%d\n", countProcesses());
  utsname names;
  if (uname(&names) == 0) printf("hostname=%s\n", names.nodename);
  reportNamespaces();
  reportStatus();
  return argc > 1 ? atoi(argv[1]) : 0;
}
