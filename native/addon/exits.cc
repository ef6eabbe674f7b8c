// watchExit() and reapOrphans().
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "arguments.h"
#include "children.h"
#include "errors.h"
#include "loop.h"
#include "module.h"
#include "process-exit.h"

namespace berth {
namespace {

class Exits : public Service {
 public:
  Napi::Value watch(Napi::Env env, int pidfd, Napi::Function on_exit);
  Napi::Value reap_orphans(Napi::Env env);
  void hold_orphans();
  void release_orphans();
  void on_event(std::uint64_t id, std::uint32_t events) override;
  bool on_turn() override;

 private:
  static std::optional<ProcessExit> collect(int pidfd, bool is_reaped);
  void settle(std::uint64_t id, int pidfd, const ProcessExit& exit);
  bool reap_an_orphan();
  bool is_watched(pid_t pid);

  std::mutex mutex_;  // guards watches_
  std::unordered_map<std::uint64_t, int> watches_;
  Loop* loop_ = nullptr;
  // Taken for each orphan: when hold_orphans returns, none is being reaped.
  std::mutex orphans_mutex_;
  int orphan_holds_ = 0;
  bool reaps_orphans_ = false;
};

Exits& exits() {
  static Exits* const instance = new Exits;
  return *instance;
}

// Edge triggered, because a pidfd tells its news more than once: when the process becomes a zombie, when a zombie
// gets a new parent (do_notify_parent in kernel/exit.c), and with a hang-up when it has been reaped (Linux 6.9).
constexpr std::uint32_t kPidfdEvents = EPOLLIN | EPOLLET;

Napi::Value Exits::watch(Napi::Env env, int pidfd, Napi::Function on_exit) {
  Loop* const loop = Loop::get(env);
  if (loop == nullptr) return env.Undefined();
  loop_ = loop;
  const std::uint64_t id = loop->expect(on_exit);
  int error;
  {
    const std::lock_guard lock(mutex_);
    error = loop->add(pidfd, kPidfdEvents, ServiceKind::exits, id);
    if (error == 0) watches_.emplace(id, pidfd);
  }
  if (error == 0) return env.Undefined();
  loop->forget(id);
  return throw_errno(env, error, "epoll_ctl", "pidfd " + std::to_string(pidfd));
}

// Nothing while it is not known and will be told later.
std::optional<ProcessExit> Exits::collect(int pidfd, bool is_reaped) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd);
  if (waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0) {
    if (info.si_signo != SIGCHLD) return std::nullopt;
    children().forget(info.si_pid);
    siginfo_t reaped{};
    waitid(P_PIDFD, id, &reaped, WEXITED | WNOHANG | __WALL);
    return exit_from_siginfo(info);
  }
  ProcessExit exit;
  switch (query_pidfd_exit(pidfd, exit)) {
    case PidfdExit::known:
      return exit;
    case PidfdExit::not_reaped:
      if (!is_reaped) return std::nullopt;
      break;
    case PidfdExit::unavailable:
      break;
  }
  return unknown_exit();
}

void Exits::on_event(std::uint64_t id, std::uint32_t events) {
  int pidfd;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watches_.find(id);
    if (found == watches_.end()) return;
    pidfd = found->second;
  }
  const std::optional<ProcessExit> exit = collect(pidfd, (events & EPOLLHUP) != 0);
  if (exit.has_value()) settle(id, pidfd, *exit);
}

void Exits::settle(std::uint64_t id, int pidfd, const ProcessExit& exit) {
  {
    const std::lock_guard lock(mutex_);
    watches_.erase(id);
    // Before the callback: then its owner may close it.
    loop_->remove(pidfd);
  }
  loop_->deliver(id, [exit](Napi::Env env) -> std::vector<napi_value> {
    return {exit_to_js(env, exit)};
  });
}

bool Exits::on_turn() {
  while (reap_an_orphan()) {
  }
  return false;
}

bool Exits::is_watched(pid_t pid) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, pidfd] : watches_) {
    siginfo_t info{};
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid) {
      return true;
    }
  }
  return false;
}

// Reaps a zombie that is nobody's. False when there is none, or when the first is somebody's (the kernel shows no
// other): that one's own pidfd brings us back here after it has been reaped.
bool Exits::reap_an_orphan() {
  const std::lock_guard lock(orphans_mutex_);
  if (!reaps_orphans_ || orphan_holds_ > 0) return false;
  siginfo_t info{};
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_signo != SIGCHLD) return false;
  if (children().may_be_ours(info.si_pid) || is_watched(info.si_pid)) return false;
  siginfo_t reaped{};
  return waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED | WNOHANG) == 0;
}

// What the signal handler needs.
int sigchld_wake_fd = -1;
struct sigaction previous_sigchld;

void on_sigchld(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = write(sigchld_wake_fd, &one, sizeof one);
  if ((previous_sigchld.sa_flags & SA_SIGINFO) != 0) {
    previous_sigchld.sa_sigaction(signal, info, context);
  } else if (previous_sigchld.sa_handler != SIG_DFL && previous_sigchld.sa_handler != SIG_IGN) {
    previous_sigchld.sa_handler(signal);
  }
  errno = saved;
}

Napi::Value Exits::reap_orphans(Napi::Env env) {
  Loop* const loop = Loop::get(env);
  if (loop == nullptr) return env.Undefined();
  loop_ = loop;
  const std::lock_guard lock(orphans_mutex_);
  if (reaps_orphans_) return env.Undefined();
  sigchld_wake_fd = loop->wake_fd();
  // An orphan has no pidfd that could tell of it, so SIGCHLD it is; the handler of whoever was first is kept.
  sigaction(SIGCHLD, nullptr, &previous_sigchld);
  struct sigaction action {};
  action.sa_sigaction = on_sigchld;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP | SA_ONSTACK;
  if (sigaction(SIGCHLD, &action, nullptr) < 0) return throw_errno(env, errno, "sigaction", "SIGCHLD");
  reaps_orphans_ = true;
  loop->wake();
  return env.Undefined();
}

void Exits::hold_orphans() {
  const std::lock_guard lock(orphans_mutex_);
  orphan_holds_++;
}

void Exits::release_orphans() {
  const std::lock_guard lock(orphans_mutex_);
  if (orphan_holds_ > 0) orphan_holds_--;
  if (loop_ != nullptr) loop_->wake();
}

Napi::Value watch_exit(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int pidfd = arguments.integer(0);
  const Napi::Function on_exit = arguments.function(1);
  if (arguments.failed()) return info.Env().Undefined();
  return exits().watch(info.Env(), pidfd, on_exit);
}

Napi::Value reap_orphans(const Napi::CallbackInfo& info) { return exits().reap_orphans(info.Env()); }

Napi::Value hold_orphans(const Napi::CallbackInfo& info) {
  exits().hold_orphans();
  return info.Env().Undefined();
}

Napi::Value release_orphans(const Napi::CallbackInfo& info) {
  exits().release_orphans();
  return info.Env().Undefined();
}

}  // namespace

Service& exits_service() { return exits(); }

void export_exits(Napi::Object exports) {
  export_function(exports, "watchExit", watch_exit);
  export_function(exports, "reapOrphans", reap_orphans);
  export_function(exports, "holdOrphans", hold_orphans);
  export_function(exports, "releaseOrphans", release_orphans);
}

}  // namespace berth
