#include "process-exit.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <ctime>

namespace berth {
namespace {

// include/uapi/linux/pidfd.h of Linux 6.15; PIDFD_GET_INFO is there since 6.13, PIDFD_INFO_EXIT since 6.15.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t ids[11];
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);  // PIDFD_INFO_SIZE_VER0
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t kPidfdInfoExit = 1 << 3;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

ProcessExit unknown_exit() { return {ProcessExit::Kind::unknown, 0, now_ns()}; }

ProcessExit exit_from_siginfo(const siginfo_t& info) {
  const auto kind =
      info.si_code == CLD_EXITED ? ProcessExit::Kind::exited : ProcessExit::Kind::signaled;
  return {kind, info.si_status, now_ns()};
}

PidfdExit query_pidfd_exit(int pidfd, ProcessExit& exit) {
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  int result = ioctl(pidfd, kPidfdGetInfo, &info);
  if (result < 0 && errno == ESRCH) {
    // The kernel looks for the exit first and for the process then (pidfd_info in fs/pidfs.c): one that is reaped
    // between the two has neither. Now its exit is there, if this kernel keeps it.
    info.mask = kPidfdInfoExit;
    result = ioctl(pidfd, kPidfdGetInfo, &info);
  }
  if (result < 0) return PidfdExit::unavailable;
  if ((info.mask & kPidfdInfoExit) == 0) return PidfdExit::not_reaped;
  if (WIFEXITED(info.exit_code)) {
    exit = {ProcessExit::Kind::exited, WEXITSTATUS(info.exit_code), now_ns()};
  } else {
    exit = {ProcessExit::Kind::signaled, WTERMSIG(info.exit_code), now_ns()};
  }
  return PidfdExit::known;
}

Napi::Value exit_to_js(Napi::Env env, const ProcessExit& exit) {
  Napi::Object result = Napi::Object::New(env);
  switch (exit.kind) {
    case ProcessExit::Kind::exited:
      result.Set("kind", "exited");
      result.Set("exitCode", exit.value);
      break;
    case ProcessExit::Kind::signaled:
      result.Set("kind", "signaled");
      result.Set("signal", exit.value);
      break;
    case ProcessExit::Kind::unknown:
      result.Set("kind", "unknown");
      break;
  }
  result.Set("exitedAtNs", Napi::BigInt::New(env, exit.exited_at_ns));
  return result;
}

}  // namespace berth
