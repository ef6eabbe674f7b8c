// Processes and the attributes of our own.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "errors.h"
#include "module.h"
#include "process-exit.h"

namespace berth {
namespace {

Napi::Value pidfd_open(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int pid = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  const long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return throw_errno(info.Env(), errno, "pidfd_open", std::to_string(pid));
  return Napi::Number::New(info.Env(), static_cast<double>(fd));
}

// Safe where kill() is not: a pidfd never means another process that got the same number.
Napi::Value pidfd_send_signal(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int pidfd = arguments.integer(0);
  const int signal = arguments.integer(1);
  if (arguments.failed()) return info.Env().Undefined();
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) < 0) {
    return throw_errno(info.Env(), errno, "pidfd_send_signal");
  }
  return info.Env().Undefined();
}

Napi::Value pidfd_exit(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int pidfd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  pollfd ended{pidfd, POLLIN, 0};
  if (poll(&ended, 1, 0) < 0) return throw_errno(info.Env(), errno, "poll");
  if ((ended.revents & POLLNVAL) != 0) return throw_errno(info.Env(), EBADF, "poll");
  if (ended.revents == 0) return throw_errno(info.Env(), EAGAIN, "pidfd_get_info");
  // Our own zombie: look without reaping, the status belongs to its watcher.
  siginfo_t status{};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &status, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
      status.si_signo == SIGCHLD) {
    return exit_to_js(info.Env(), exit_from_siginfo(status));
  }
  ProcessExit exit;
  switch (query_pidfd_exit(pidfd, exit)) {
    case PidfdExit::known:
      return exit_to_js(info.Env(), exit);
    case PidfdExit::unavailable:
      return exit_to_js(info.Env(), unknown_exit());
    case PidfdExit::not_reaped:
      break;
  }
  return throw_errno(info.Env(), EAGAIN, "pidfd_get_info");
}

Napi::Value set_child_subreaper(const Napi::CallbackInfo& info) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
    return throw_errno(info.Env(), errno, "prctl", "PR_SET_CHILD_SUBREAPER");
  }
  return info.Env().Undefined();
}

Napi::Value set_dumpable(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const bool dumpable = arguments.boolean(0);
  if (arguments.failed()) return info.Env().Undefined();
  if (prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0) < 0) {
    return throw_errno(info.Env(), errno, "prctl", "PR_SET_DUMPABLE");
  }
  return info.Env().Undefined();
}

Napi::Value set_parent_death_signal(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int signal = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0) {
    return throw_errno(info.Env(), errno, "prctl", "PR_SET_PDEATHSIG");
  }
  return info.Env().Undefined();
}

}  // namespace

void export_processes(Napi::Object exports) {
  export_function(exports, "pidfdOpen", pidfd_open);
  export_function(exports, "pidfdSendSignal", pidfd_send_signal);
  export_function(exports, "pidfdExit", pidfd_exit);
  export_function(exports, "setChildSubreaper", set_child_subreaper);
  export_function(exports, "setDumpable", set_dumpable);
  export_function(exports, "setParentDeathSignal", set_parent_death_signal);
}

}  // namespace berth
