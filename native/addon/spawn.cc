// spawn(): clone3 and execveat, with everything prepared before the clone.
//
// The child borrows our memory (CLONE_VM) while this thread sleeps until it has executed (CLONE_VFORK), as
// posix_spawn does it: nothing of a JavaScript engine's large address space is copied. That is sound because the
// child has a stack of its own, runs only the code in this file down to `execute`, makes raw system calls
// (glibc's wrappers would write our errno), takes no lock, allocates nothing, and gets no signal handler of ours:
// all signals are blocked around the clone and the dispositions are its own (no CLONE_SIGHAND).
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <napi.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "arguments.h"
#include "children.h"
#include "errors.h"
#include "module.h"
#include "unique-fd.h"

#ifndef __x86_64__
#error "spawn.cc: the two assembly functions below are written for x86-64"
#endif

namespace berth {
namespace {

// What the child does, and where it reports which of it failed.
struct ChildPlan {
  std::vector<int> sources;  // the child overwrites them with where it has moved each
  int executable_fd = -1;    // -1: execute `path`
  const char* path = "";
  char* const* argv = nullptr;
  char* const* env = nullptr;
  const char* cwd = nullptr;
  bool new_session = false;
  bool new_process_group = false;

  const char* volatile failed_step = nullptr;
  volatile int failed_index = -1;  // of `sources`
  volatile int error = 0;
};

// A system call without errno: a negative result is the negated error.
long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}

long address(const volatile void* pointer) { return reinterpret_cast<long>(pointer); }

// clone3 with a stack for the child, which calls `entry(plan)` and never comes back. Returns in the parent.
long clone_onto_stack(clone_args* arguments, void (*entry)(ChildPlan*), ChildPlan* plan) {
  long result;
  register void (*child_entry)(ChildPlan*) asm("r12") = entry;
  register ChildPlan* child_plan asm("r13") = plan;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"  // the end of the child's call chain
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "ud2\n"
      "1:"
      : "=a"(result)
      : "0"(static_cast<long>(SYS_clone3)), "D"(arguments), "S"(sizeof *arguments),
        "r"(child_entry), "r"(child_plan)
      : "rcx", "r11", "memory", "cc");
  return result;
}

[[noreturn]] void give_up(ChildPlan* plan, const char* step, long result, int index = -1) {
  plan->failed_step = step;
  plan->failed_index = index;
  plan->error = static_cast<int>(-result);
  while (true) raw(SYS_exit_group, 127);
}

void reset_signals(ChildPlan* plan) {
  // The kernel's own structure (arch/x86/include/uapi/asm/signal.h): handler, flags, restorer, mask.
  const std::uint64_t default_action[4] = {};
  for (int signal = 1; signal < _NSIG; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    const long result = raw(SYS_rt_sigaction, signal, address(default_action), 0, 8);
    if (result < 0) give_up(plan, "rt_sigaction", result);
  }
  const std::uint64_t none = 0;
  const long result = raw(SYS_rt_sigprocmask, SIG_SETMASK, address(&none), 0, 8);
  if (result < 0) give_up(plan, "rt_sigprocmask", result);
}

// Descriptor i becomes sources[i]. Sources in the way of a target first move above the targets.
void arrange_descriptors(ChildPlan* plan) {
  const int count = static_cast<int>(plan->sources.size());
  int* const sources = plan->sources.data();
  for (int i = 0; i < count; i++) {
    if (sources[i] >= count || sources[i] == i) continue;
    const long moved = raw(SYS_fcntl, sources[i], F_DUPFD, count);
    if (moved < 0) give_up(plan, "fcntl", moved, i);
    sources[i] = static_cast<int>(moved);
  }
  if (plan->executable_fd >= 0 && plan->executable_fd < count) {
    const long moved = raw(SYS_fcntl, plan->executable_fd, F_DUPFD, count);
    if (moved < 0) give_up(plan, "fcntl", moved);
    plan->executable_fd = static_cast<int>(moved);
  }
  for (int i = 0; i < count; i++) {
    const long result = sources[i] == i ? raw(SYS_fcntl, i, F_SETFD, 0)
                                        : raw(SYS_dup3, sources[i], i, 0);
    if (result < 0) give_up(plan, sources[i] == i ? "fcntl" : "dup3", result, i);
  }
  // Everything else goes at the exec, with the executable's own descriptor, which is needed until then.
  const long result = raw(SYS_close_range, count, ~0U, CLOSE_RANGE_CLOEXEC);
  if (result < 0) give_up(plan, "close_range", result);
}

[[noreturn]] void run_child(ChildPlan* plan) {
  reset_signals(plan);
  if (plan->new_session) {
    const long result = raw(SYS_setsid);
    if (result < 0) give_up(plan, "setsid", result);
  }
  if (plan->new_process_group) {
    const long result = raw(SYS_setpgid, 0, 0);
    if (result < 0) give_up(plan, "setpgid", result);
  }
  if (plan->cwd != nullptr) {
    const long result = raw(SYS_chdir, address(plan->cwd));
    if (result < 0) give_up(plan, "chdir", result);
  }
  arrange_descriptors(plan);
  const bool by_descriptor = plan->executable_fd >= 0;
  const long result = raw(SYS_execveat, by_descriptor ? plan->executable_fd : AT_FDCWD,
                          address(plan->path), address(plan->argv), address(plan->env),
                          by_descriptor ? AT_EMPTY_PATH : 0);
  give_up(plan, "execveat", result);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

struct Clone {
  long pid;
  int pidfd;
};

Clone clone_and_wait_for_exec(ChildPlan* plan, std::uint64_t flags, int cgroup_fd) {
  // The child's stack lies in this frame, which stays alive while we wait for its exec.
  alignas(16) std::byte stack[16 * 1024];
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack);
  arguments.stack_size = sizeof stack;
  if (cgroup_fd >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  }
  // Raw, because glibc keeps two signals of its own out of every mask.
  const std::uint64_t all = ~std::uint64_t{0};
  std::uint64_t saved = 0;
  raw(SYS_rt_sigprocmask, SIG_SETMASK, address(&all), address(&saved), 8);
  const long pid = clone_onto_stack(&arguments, run_child, plan);
  raw(SYS_rt_sigprocmask, SIG_SETMASK, address(&saved), 0, 8);
  return {pid, pidfd};
}

void reap(int pidfd) {
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
}

std::string describe_failure(const ChildPlan& plan, const std::vector<std::int32_t>& fds,
                             const std::string& executable) {
  if (plan.failed_index >= 0) {
    const auto index = static_cast<std::size_t>(plan.failed_index);
    return "descriptor " + std::to_string(fds[index]) + " as " + std::to_string(index);
  }
  const std::string step = plan.failed_step;
  if (step == "chdir") return plan.cwd;
  return step == "execveat" ? executable : "";
}

Napi::Value spawn(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Object options = arguments.object(0);
  ChildPlan plan;
  std::string path;
  std::string executable;
  if (const Napi::Value value = options.Get("executable"); value.IsNumber()) {
    plan.executable_fd = arguments.as_integer(value, "executable");
    executable = "descriptor " + std::to_string(plan.executable_fd);
  } else {
    path = arguments.as_text(value, "executable");
    executable = path;
    plan.path = path.c_str();
  }
  std::vector<std::string> argv = arguments.as_texts(options.Get("argv"), "argv");
  std::vector<std::string> env = arguments.as_texts(options.Get("env"), "env");
  const std::vector<std::int32_t> fds = arguments.as_integers(options.Get("fds"), "fds");
  const auto flag = [&](const char* name) {
    const Napi::Value value = options.Get(name);
    return !value.IsUndefined() && arguments.as_boolean(value, name);
  };
  plan.new_session = flag("newSession");
  plan.new_process_group = flag("newProcessGroup");
  std::string cwd;
  if (const Napi::Value value = options.Get("cwd"); !value.IsUndefined()) {
    cwd = arguments.as_text(value, "cwd");
    plan.cwd = cwd.c_str();
  }
  std::uint32_t clone_flags = 0;
  if (const Napi::Value value = options.Get("cloneFlags"); !value.IsUndefined()) {
    clone_flags = arguments.as_bits(value, "cloneFlags");
  }
  std::int32_t cgroup_fd = -1;
  if (const Napi::Value value = options.Get("cgroupFd"); !value.IsUndefined()) {
    cgroup_fd = arguments.as_integer(value, "cgroupFd");
  }
  if (arguments.failed()) return info.Env().Undefined();

  UniqueFd dev_null;
  plan.sources = fds;
  for (int& source : plan.sources) {
    if (source >= 0) continue;
    if (!dev_null.valid()) dev_null.reset(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!dev_null.valid()) return throw_errno(info.Env(), errno, "open", "/dev/null");
    source = dev_null.get();
  }
  const std::vector<char*> argv_pointers = pointers(argv);
  const std::vector<char*> env_pointers = pointers(env);
  plan.argv = argv_pointers.data();
  plan.env = env_pointers.data();

  children().begin_spawn();
  const Clone clone = clone_and_wait_for_exec(&plan, clone_flags, cgroup_fd);
  const bool has_failed = clone.pid > 0 && plan.failed_step != nullptr;
  if (has_failed) {
    reap(clone.pidfd);
    close(clone.pidfd);
  }
  children().end_spawn(has_failed ? -1 : static_cast<pid_t>(clone.pid));
  if (clone.pid < 0) {
    return throw_errno(info.Env(), static_cast<int>(-clone.pid), "clone3", executable);
  }
  if (has_failed) {
    return throw_errno(info.Env(), plan.error, plan.failed_step,
                       describe_failure(plan, fds, executable));
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pid", static_cast<double>(clone.pid));
  result.Set("pidfd", clone.pidfd);
  return result;
}

}  // namespace

void export_spawn(Napi::Object exports) { export_function(exports, "spawn", spawn); }

}  // namespace berth
