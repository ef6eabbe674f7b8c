// The last steps: where the program runs, which file it is, when it starts.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

#include "control.h"

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

void execute(const AwaitStart& operation) {
  const int socket = descriptor_of(operation.socket);
  report(ReportKind::Ready, 0);
  do {
    state.start_fd = accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
  } while (state.start_fd < 0 && errno == EINTR);
  check(Step::Accept, state.start_fd);
  close(socket);
}

void execute(const Execute& operation) {
  const char* path = state.executable != nullptr ? state.executable : operation.argv.items[0];
  execve(path, operation.argv.items, operation.env.items);
  fail(Step::Execve, errno, path);
}

}  // namespace berth
