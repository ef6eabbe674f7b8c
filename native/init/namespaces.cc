// Becoming a process in the right namespaces.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "control.h"

namespace berth {

void execute(const AwaitParent& operation) {
  report(ReportKind::Sync, static_cast<std::int32_t>(operation.point));
  await_go();
}

// A thread that moves itself needs no lock over all processes of the machine. Being moved by the parent
// (cgroup.procs) does, and the first to take that lock waits for an RCU grace period of several milliseconds.
void execute(const JoinCgroups& operation) {
  for (std::uint32_t i = 0; i < operation.taskFiles.count; i++) {
    const char* path = operation.taskFiles.items[i];
    const int fd = check(Step::Open, open(path, O_WRONLY | O_CLOEXEC), path);
    check(Step::Write, write(fd, "0", 1), path);
    close(fd);
  }
}

// Safe: the parent opened the descriptor and init has one thread, which setns to a user namespace requires.
void execute(const JoinNamespace& operation) {
  const int fd = descriptor_of(operation.file);
  check(Step::Setns, setns(fd, static_cast<int>(operation.kind)));
  close(fd);
}

void execute(const UnshareNamespaces& operation) {
  check(Step::Unshare, unshare(static_cast<int>(operation.flags)));
}

void execute(const SetTimeOffset& operation) {
  char line[128];
  const int size =
      std::snprintf(line, sizeof line, "%s %s %u\n", operation.clock, operation.seconds, operation.nanoseconds);
  const int fd = check(Step::Open, open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC), operation.clock);
  check(Step::Write, write(fd, line, static_cast<std::size_t>(size)), operation.clock);
  close(fd);
}

// CLONE_PARENT makes the new process a child of the runtime, which then waits for it as for any other; its
// pidfd travels with the report, so it is never named by a number that could be somebody else's.
void execute(const ForkIntoNamespaces&) {
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PARENT | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  const long pid = check(Step::Clone3, syscall(SYS_clone3, &args, sizeof args));
  if (pid > 0) {
    report(ReportKind::Forked, static_cast<std::int32_t>(pid), pidfd);
    _exit(0);
  }
  // The parent answers once it has the pidfd; only then may we speak.
  await_go();
}

void execute(const BecomeNamespaceRoot&) {
  check(Step::Setresgid, setresgid(0, 0, 0));
  check(Step::Setresuid, setresuid(0, 0, 0));
}

void execute(const NewSession&) { check(Step::Setsid, setsid()); }

void execute(const JoinSessionKeyring& operation) {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, operation.name) < 0 && errno != ENOSYS) {
    fail(Step::Keyctl, errno);
  }
}

void execute(const SetHostname& operation) {
  check(Step::Sethostname, sethostname(operation.name, std::strlen(operation.name)), operation.name);
}

void execute(const SetDomainname& operation) {
  check(Step::Setdomainname, setdomainname(operation.name, std::strlen(operation.name)), operation.name);
}

void execute(const LoopbackUp&) {
  const int fd = check(Step::Ioctl, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "lo");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  check(Step::Ioctl, ioctl(fd, SIOCGIFFLAGS, &request), "lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  check(Step::Ioctl, ioctl(fd, SIOCSIFFLAGS, &request), "lo");
  close(fd);
}

void execute(const SetRlimit& operation) {
  const rlimit64 limit{operation.soft, operation.hard};
  check(Step::Setrlimit,
        prlimit64(0, static_cast<__rlimit_resource>(operation.resource), &limit, nullptr));
}

}  // namespace berth
