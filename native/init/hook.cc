// Hooks that the specification places inside the container: createContainer and startContainer.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "control.h"

namespace berth {
namespace {

void write_state(int pipe_fd, const RunHook& operation) {
  char pid[16];
  std::snprintf(pid, sizeof pid, "%d", static_cast<int>(getpid()));
  for (const char* part : {operation.stateHead, static_cast<const char*>(pid), operation.stateTail}) {
    std::size_t left = std::strlen(part);
    while (left > 0) {
      const ssize_t written = write(pipe_fd, part, left);
      if (written < 0 && errno == EINTR) continue;
      // A hook that does not read its state is free not to.
      if (written < 0 && errno == EPIPE) return;
      check(Step::Write, written, operation.path);
      part += written;
      left -= static_cast<std::size_t>(written);
    }
  }
}

[[noreturn]] void become_hook(const RunHook& operation, int state_fd) {
  dup2(state_fd, 0);
  setpgid(0, 0);
  signal(SIGPIPE, SIG_DFL);
  umask(022);
  execve(operation.path, operation.argv.items, operation.env.items);
  _exit(127);
}

}  // namespace

void execute(const RunHook& operation) {
  int ends[2];
  check(Step::RunHook, pipe2(ends, O_CLOEXEC), operation.path);
  signal(SIGPIPE, SIG_IGN);
  const pid_t child = check(Step::RunHook, fork(), operation.path);
  if (child == 0) become_hook(operation, ends[0]);
  const int pidfd = check(Step::RunHook, static_cast<int>(syscall(SYS_pidfd_open, child, 0)), operation.path);
  close(ends[0]);
  write_state(ends[1], operation);
  close(ends[1]);
  signal(SIGPIPE, SIG_DFL);
  pollfd waiting{pidfd, POLLIN, 0};
  const int timeout = operation.timeoutMs == 0 ? -1 : static_cast<int>(operation.timeoutMs);
  const int ended = check(Step::RunHook, poll(&waiting, 1, timeout), operation.path);
  if (ended == 0) {
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
  }
  int status = 0;
  check(Step::RunHook, waitpid(child, &status, 0), operation.path);
  close(pidfd);
  if (ended == 0) fail(Step::HookTimeout, ETIMEDOUT, operation.path);
  // The value of the report is the wait status: the parent tells exit codes from signals.
  if (status != 0) fail(Step::HookExit, status, operation.path);
}

}  // namespace berth
