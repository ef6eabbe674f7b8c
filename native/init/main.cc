// berth-init: executes a plan inside the new namespaces, then becomes the program (DESIGN 3, 4).
//
// It is started from a sealed memfd by the runtime with these descriptors: 0-2 stdio, then the descriptors
// the container's program keeps, then at N (argv[1]) the control socket, at N+1 the plan, from N+2 what
// the plan refers to. It takes nothing else: no environment, no configuration, no path of its own.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "control.h"

namespace berth {
namespace {

constexpr std::uint32_t kPlanMagic = 0x014c5042;

PlanReader open_plan(int plan_fd) {
  struct stat info;
  check(Step::ReadPlan, fstat(plan_fd, &info));
  const std::size_t size = static_cast<std::size_t>(info.st_size);
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, plan_fd, 0);
  if (mapped == MAP_FAILED) fail(Step::ReadPlan, errno);
  close(plan_fd);
  return PlanReader(static_cast<const unsigned char*>(mapped), size);
}

[[noreturn]] void run(int control_fd) {
  state.control_fd = control_fd;
  state.first_extra_fd = control_fd + 2;
  // Nobody inside the container may trace us or read our descriptors before the program runs (S-01).
  check(Step::Prctl, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
  // Everything from the control socket on ends with the execve (rule R5).
  check(Step::CloseRange, close_range(static_cast<unsigned>(control_fd), ~0U, CLOSE_RANGE_CLOEXEC));
  // The parent made both ends non-blocking for its event loop; we have nothing to do but wait.
  check(Step::Open, fcntl(control_fd, F_SETFL, 0));
  umask(0);
  PlanReader plan = open_plan(control_fd + 1);
  if (plan.u32() != kPlanMagic) fail_decoding();
  const std::uint32_t count = plan.u32();
  for (; state.op_index < count; state.op_index++) execute_next(plan);
  // A plan ends with `execute`, which does not return.
  fail_decoding();
}

}  // namespace
}  // namespace berth

int main(int argc, char** argv) {
  const long control_fd = argc == 2 ? std::strtol(argv[1], nullptr, 10) : 0;
  if (control_fd < 3) {
    static const char kUsage[] =
        "berth-init is started by berth-runtime with a plan; it has no use of its own\n";
    return write(2, kUsage, sizeof kUsage - 1) < 0 ? 1 : 64;
  }
  berth::run(static_cast<int>(control_fd));
}
