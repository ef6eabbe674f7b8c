#include "confine.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <vector>

namespace berth::unpack {
namespace {

// Of later kernels than Debian 12's headers; the numbers are part of the kernel's interface.
constexpr std::uint64_t kLandlockTruncate = std::uint64_t{1} << 14;
constexpr std::uint64_t kLandlockIoctlDevice = std::uint64_t{1} << 15;
constexpr std::uint64_t kLandlockAllV1 = (std::uint64_t{1} << 13) - 1;

// Threads, libarchive's tables and the ring need about 50 MiB.
constexpr rlim_t kMemoryBytes = rlim_t{1} << 30;
constexpr rlim_t kDescriptors = 4096;

Outcome SetLimit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return SystemFailure("limit resources");
  limit.rlim_max = std::min(limit.rlim_max, value);
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(resource, &limit) != 0) return SystemFailure("limit resources");
  return Ok();
}

// Reading and writing below the target, and nothing else in any file system. Descriptors that are open already (the blob,
// the report, lower layers) keep working; lower layers are opened further, so they get a rule to read.
Outcome RestrictFiles(const Options& options, int& abi) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) {
    // A kernel without it: what remains is that no call of ours takes a path (TreeWalker) and the system call filter.
    abi = 0;
    return errno == ENOSYS || errno == EOPNOTSUPP ? Ok() : Outcome(SystemFailure("restrict file access"));
  }
  abi = static_cast<int>(version);
  landlock_ruleset_attr ruleset{};
  ruleset.handled_access_fs = kLandlockAllV1;
  if (abi >= 2) ruleset.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) ruleset.handled_access_fs |= kLandlockTruncate;
  if (abi >= 5) ruleset.handled_access_fs |= kLandlockIoctlDevice;
  const int fd = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0));
  if (fd < 0) return SystemFailure("restrict file access");

  const auto allow = [fd](int directory_fd, std::uint64_t access) {
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access;
    rule.parent_fd = directory_fd;
    return ::syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  };
  const std::uint64_t never = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_SOCK | kLandlockIoctlDevice;
  bool allowed = allow(options.root_fd, ruleset.handled_access_fs & ~never);
  for (const int parent_fd : options.parent_fds) {
    allowed = allowed && allow(parent_fd, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
  }
  // SAFETY: only takes rights away, from this process alone.
  const bool done = allowed && ::syscall(SYS_landlock_restrict_self, fd, 0) == 0;
  const int error = errno;
  ::close(fd);
  return done ? Ok() : Outcome(SystemFailure("restrict file access", error));
}

// Owners, modes, devices, file capabilities and trusted.* attributes; nothing of the network, modules, processes or time.
Outcome DropCapabilities() {
  static constexpr int kKept[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
                                  CAP_MKNOD,  CAP_SETFCAP,      CAP_SYS_ADMIN};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  // SAFETY: only takes rights away: what this process does not have is not asked for.
  if (::syscall(SYS_capget, &header, data) != 0) return SystemFailure("drop capabilities");
  std::uint32_t kept[2] = {0, 0};
  for (const int capability : kKept) kept[capability / 32] |= std::uint32_t{1} << (capability % 32);
  for (int word = 0; word < 2; word++) {
    data[word].permitted &= kept[word];
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return SystemFailure("drop capabilities");
  return Ok();
}

constexpr int kAllowedCalls[] = {
    // Memory, threads and the end
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_futex, SYS_set_robust_list,
    SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_gettid, SYS_getpid, SYS_tgkill, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_getrandom, SYS_clock_gettime, SYS_exit, SYS_exit_group, SYS_prlimit64,
#ifdef SYS_rseq
    SYS_rseq,
#endif
    // Bytes
    SYS_read, SYS_write, SYS_pwrite64, SYS_writev, SYS_lseek, SYS_ftruncate, SYS_close, SYS_fcntl,
    // The tree, always relative to a descriptor
    SYS_openat, SYS_openat2, SYS_fstat, SYS_newfstatat, SYS_fstatfs, SYS_getdents64, SYS_readlinkat, SYS_mkdirat,
    SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat, SYS_fchdir, SYS_fchown, SYS_fchownat, SYS_fchmod,
    SYS_fchmodat, SYS_utimensat, SYS_fsetxattr, SYS_lsetxattr, SYS_fgetxattr, SYS_flistxattr, SYS_syncfs,
};

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the system call filter knows x86_64 and aarch64"
#endif

// CAP_SYS_ADMIN is needed for trusted.* attributes only; the filter takes away what else it would open (mount, bpf, namespaces).
Outcome FilterCalls() {
  std::vector<sock_filter> program;
  const auto load = [&program](std::uint32_t offset) { program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); };
  const auto answer = [&program](std::uint32_t action) { program.push_back(BPF_STMT(BPF_RET | BPF_K, action)); };

  load(offsetof(seccomp_data, arch));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  answer(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(seccomp_data, nr));
  for (const int call : kAllowedCalls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    answer(SECCOMP_RET_ALLOW);
  }
  // glibc falls back from clone3, whose flags a filter cannot see, to clone; clone only for threads.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
  answer(SECCOMP_RET_ERRNO | ENOSYS);
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
  load(offsetof(seccomp_data, args));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  answer(SECCOMP_RET_ALLOW);
  answer(SECCOMP_RET_ERRNO | EPERM);

  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // SAFETY: only takes rights away, from this process and the threads it makes.
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return SystemFailure("filter system calls");
  return Ok();
}

}  // namespace

Outcome Confine(const Options& options, Confinement& confinement) {
  ::umask(0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return SystemFailure("tie to the parent");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return SystemFailure("give up new privileges");
  // SAFETY (limits): lowers this process's own.
  if (Outcome failure = SetLimit(RLIMIT_CORE, 0)) return failure;
  if (Outcome failure = SetLimit(RLIMIT_NOFILE, kDescriptors)) return failure;
  if (Outcome failure = SetLimit(RLIMIT_AS, kMemoryBytes)) return failure;
  if (Outcome failure = SetLimit(RLIMIT_FSIZE, options.limits.max_bytes)) return failure;
  // A write beyond RLIMIT_FSIZE shall be an EFBIG that is reported.
  ::signal(SIGXFSZ, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  if (Outcome failure = RestrictFiles(options, confinement.landlock_abi)) return failure;
  if (Outcome failure = DropCapabilities()) return failure;
  return FilterCalls();
}

}  // namespace berth::unpack
