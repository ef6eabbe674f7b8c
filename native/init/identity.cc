// Who the program will be: identity, capabilities, scheduling, labels, the seccomp filter.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "control.h"

namespace berth {
namespace {

// Writes a file of the private procfs; the whole value in one write, as the kernel's parsers expect.
void write_proc(const char* path, const char* value) {
  open_how how{};
  how.flags = O_WRONLY | O_CLOEXEC;
  // Neither a link nor another mount may lead elsewhere (S-18).
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  const int fd = check(Step::Openat2, static_cast<int>(syscall(SYS_openat2, state.proc_fd, path, &how, sizeof how)), path);
  check(Step::Write, write(fd, value, std::strlen(value)), path);
  close(fd);
}

constexpr int kLastPossibleCapability = 63;

}  // namespace

void execute(const SetOomScoreAdj& operation) {
  char path[64];
  char value[16];
  std::snprintf(path, sizeof path, "%d/oom_score_adj", static_cast<int>(getpid()));
  std::snprintf(value, sizeof value, "%d", operation.value);
  write_proc(path, value);
}

void execute(const WriteSysctl& operation) { write_proc(operation.path, operation.value); }

void execute(const WriteLabel& operation) {
  char path[128];
  std::snprintf(path, sizeof path, "%d/attr/%s", static_cast<int>(getpid()), operation.attribute);
  write_proc(path, operation.value);
}

void execute(const SetPersonality& operation) { check(Step::Personality, personality(operation.persona)); }

void execute(const SetIoPriority& operation) {
  constexpr int kWhoProcess = 1;
  check(Step::IoprioSet, syscall(SYS_ioprio_set, kWhoProcess, 0, operation.priority));
}

void execute(const SetScheduler& operation) {
  // struct sched_attr of linux/sched/types.h, which cannot be included beside glibc's sched.h.
  struct {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime;
    std::uint64_t deadline;
    std::uint64_t period;
  } attributes{sizeof attributes, operation.policy,  operation.flags,    operation.nice,
               operation.priority, operation.runtime, operation.deadline, operation.period};
  check(Step::SchedSetattr, syscall(SYS_sched_setattr, 0, &attributes, 0));
}

void execute(const SetUmask& operation) { umask(operation.mask); }

void execute(const SetNoNewPrivileges&) { check(Step::Prctl, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

void execute(const LoadSeccomp& operation) {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(operation.program.size / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<unsigned char*>(operation.program.data));
  check(Step::Seccomp, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, operation.flags, &program));
}

void execute(const OwnStdio& operation) {
  for (int fd = 0; fd < 3; fd++) {
    struct stat info;
    check(Step::Fchownat, fstat(fd, &info));
    // A device is shared with everybody (/dev/null), a terminal was given to the user when it was made.
    if (S_ISCHR(info.st_mode) || info.st_uid == operation.uid) continue;
    // What cannot be owned (a read-only file system, an unmapped id) is let pass: only a re-open would need it.
    if (fchown(fd, operation.uid, static_cast<gid_t>(-1)) < 0 && errno != EPERM && errno != EROFS &&
        errno != EINVAL) {
      fail(Step::Fchownat, errno);
    }
  }
}

void execute(const DropBoundingCapabilities& operation) {
  for (int capability = 0; capability <= kLastPossibleCapability; capability++) {
    if ((operation.keep >> capability & 1U) != 0) continue;
    // EINVAL: the kernel has no capability of this number, so there is none to drop.
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL) fail(Step::Prctl, errno, "PR_CAPBSET_DROP");
  }
}

void execute(const SetIdentity& operation) {
  check(Step::Prctl, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS");
  if (operation.setGroups) check(Step::Setgroups, setgroups(operation.groups.count, operation.groups.items));
  check(Step::Setresgid, setresgid(operation.gid, operation.gid, operation.gid));
  check(Step::Setresuid, setresuid(operation.uid, operation.uid, operation.uid));
}

void execute(const SetCapabilities& operation) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (int word = 0; word < 2; word++) {
    data[word].effective = static_cast<std::uint32_t>(operation.effective >> (32 * word));
    data[word].permitted = static_cast<std::uint32_t>(operation.permitted >> (32 * word));
    data[word].inheritable = static_cast<std::uint32_t>(operation.inheritable >> (32 * word));
  }
  check(Step::Capset, syscall(SYS_capset, &header, data));
  check(Step::Prctl, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT_CLEAR_ALL");
  for (int capability = 0; capability <= kLastPossibleCapability; capability++) {
    if ((operation.ambient >> capability & 1U) == 0) continue;
    check(Step::Prctl, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "PR_CAP_AMBIENT_RAISE");
  }
}

}  // namespace berth
