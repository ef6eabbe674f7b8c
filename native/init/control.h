// The channel to the parent and the state that operations share. One process, one thread: plain globals.
#pragma once
#include <cerrno>
#include <cstdint>
#include "generated/operations.h"

namespace berth {

// What init tells its parent; mirrored in native/init-report.ts.
enum class ReportKind : std::uint32_t {
  Failure = 1,  // value: errno
  Sync = 2,     // value: the sync point
  Forked = 3,   // value: pid as init sees it; carries the pidfd
  Console = 4,  // carries the terminal's master
  Ready = 5,
};

struct Report {
  ReportKind kind;
  std::uint32_t op_index;
  Step step;
  std::int32_t value;
};
static_assert(sizeof(Report) == 16);

struct InitState {
  int control_fd = -1;
  // Descriptors passed beside the plan start here.
  int first_extra_fd = -1;
  std::uint32_t op_index = 0;
  // The root of the container; see root.h.
  int root_fd = -1;
  // A procfs of our own, detached from every mount table (rule R3).
  int proc_fd = -1;
  // The connection of whoever started the container; failures after the start go there.
  int start_fd = -1;
  const char* executable = nullptr;
  // `HOME=…` for the program, when the plan asked for it.
  char* home = nullptr;
  bool directory_changed = false;
};

extern InitState state;

int descriptor_of(Descriptor descriptor);

// Sends one report; descriptor -1 sends none.
void report(ReportKind kind, std::int32_t value, int descriptor = -1);

// Waits for the parent's go. The parent's end closing means that it is gone: so are we.
void await_go();

// Reports step, operation index and errno, with a text that helps (a path, a kernel log line), and exits.
[[noreturn]] void fail(Step step, int error, const char* detail = nullptr);

// The usual shape of a system call: a negative result is the failure of this step.
template <typename Result>
Result check(Step step, Result result, const char* detail = nullptr) {
  if (result < 0) fail(step, errno, detail);
  return result;
}

}  // namespace berth
