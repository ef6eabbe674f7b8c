// The last steps: where the program runs, which file it is, when it starts.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "control.h"
#include "root.h"

namespace berth {

// The kernel prefixes "(unreachable)" when the directory lies outside the root (S-14).
void execute(const ChangeDirectory& operation) {
  if (state.directory_changed) return;
  if (chdir(operation.path) < 0) {
    if (errno == EACCES && operation.deferrable) return;
    fail(Step::Chdir, errno, operation.path);
  }
  char current[PATH_MAX];
  check(Step::Getcwd, syscall(SYS_getcwd, current, sizeof current), operation.path);
  if (current[0] != '/') fail(Step::Getcwd, EXDEV, operation.path);
  state.directory_changed = true;
}

void execute(const ResolveExecutable& operation) {
  int error = ENOENT;
  for (std::uint32_t i = 0; i < operation.candidates.count; i++) {
    const char* candidate = operation.candidates.items[i];
    struct stat info;
    if (stat(candidate, &info) < 0) {
      // As execvp does: what cannot be reached is remembered, what does not exist is not.
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
      continue;
    }
    if (S_ISREG(info.st_mode) && faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) == 0) {
      state.executable = candidate;
      return;
    }
    error = S_ISDIR(info.st_mode) ? EISDIR : EACCES;
  }
  fail(Step::FindExecutable, error, operation.candidates.count > 0 ? operation.candidates.items[0] : nullptr);
}

// passwd(5): name:password:uid:gid:gecos:home:shell. The file is the image's: lines that are too long or do
// not parse are passed over, and only a decimal uid counts (S-02).
void execute(const FindHome& operation) {
  char home[PATH_MAX] = "/";
  const int fd = open_in_root("/etc/passwd", O_RDONLY | O_NOCTTY | O_NONBLOCK);
  FILE* file = fd < 0 ? nullptr : fdopen(fd, "r");
  char line[4096];
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
    char* rest = line;
    strsep(&rest, ":");
    strsep(&rest, ":");
    const char* uid = strsep(&rest, ":");
    strsep(&rest, ":");
    strsep(&rest, ":");
    const char* directory = strsep(&rest, ":");
    if (rest == nullptr || directory == nullptr || uid[0] < '0' || uid[0] > '9') continue;
    char* end = nullptr;
    if (std::strtoul(uid, &end, 10) != operation.uid || *end != 0) continue;
    std::snprintf(home, sizeof home, "%s", directory);
    break;
  }
  if (file != nullptr) std::fclose(file);
  if (asprintf(&state.home, "HOME=%s", home) < 0) fail(Step::Read, ENOMEM, "/etc/passwd");
}

void execute(const AwaitStart& operation) {
  const int socket = descriptor_of(operation.socket);
  check(Step::Accept, fcntl(socket, F_SETFL, 0));
  report(ReportKind::Ready, 0);
  do {
    state.start_fd = accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
  } while (state.start_fd < 0 && errno == EINTR);
  check(Step::Accept, state.start_fd);
  close(socket);
}

void execute(const Execute& operation) {
  const char* path = state.executable != nullptr ? state.executable : operation.argv.items[0];
  char** env = operation.env.items;
  if (state.home != nullptr) {
    env = static_cast<char**>(std::calloc(std::size_t{operation.env.count} + 2, sizeof(char*)));
    if (env == nullptr) fail(Step::Execve, ENOMEM, path);
    std::memcpy(env, operation.env.items, operation.env.count * sizeof(char*));
    env[operation.env.count] = state.home;
  }
  execve(path, operation.argv.items, env);
  fail(Step::Execve, errno, path);
}

}  // namespace berth
