// How a process ended, and the two ways of learning it: as its parent, and from its pidfd.
#pragma once
#include <napi.h>
#include <sys/wait.h>

#include <cstdint>

namespace berth {

struct ProcessExit {
  enum class Kind { exited, signaled, unknown };
  Kind kind = Kind::unknown;
  // Exit code or signal.
  int value = 0;
  // CLOCK_REALTIME when it was learnt.
  std::int64_t exited_at_ns = 0;
};

ProcessExit exit_from_siginfo(const siginfo_t& info);
ProcessExit unknown_exit();

enum class PidfdExit {
  known,
  not_reaped,   // it runs, or it is a zombie: the kernel will tell later
  unavailable,  // this kernel does not keep it (before Linux 6.15)
};

// What the kernel keeps of a process that somebody else has reaped.
PidfdExit query_pidfd_exit(int pidfd, ProcessExit& exit);

Napi::Value exit_to_js(Napi::Env env, const ProcessExit& exit);

}  // namespace berth
