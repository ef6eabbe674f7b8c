#include "loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "errors.h"

namespace berth {
namespace {

// Only what is touched costs memory; glibc puts the thread's TLS of every loaded library here as well.
constexpr std::size_t kStackBytes = 128 * 1024;
constexpr int kEventsPerTurn = 64;
constexpr unsigned kKindBits = 2;

std::uint64_t token(ServiceKind kind, std::uint64_t id) {
  return id << kKindBits | static_cast<std::uint64_t>(kind);
}

}  // namespace

Loop* Loop::get(Napi::Env env) {
  // Never destroyed: its thread uses it until the process is gone.
  static Loop* running = nullptr;
  if (running != nullptr) {
    if (static_cast<napi_env>(running->env_) == static_cast<napi_env>(env)) return running;
    Napi::Error::New(env, "the addon serves one JavaScript thread").ThrowAsJavaScriptException();
    return nullptr;
  }
  Loop* const loop = new Loop(env);
  if (!loop->start()) return nullptr;
  running = loop;
  return running;
}

bool Loop::start() {
  services_[static_cast<int>(ServiceKind::exits)] = &exits_service();
  services_[static_cast<int>(ServiceKind::readiness)] = &readiness_service();
  services_[static_cast<int>(ServiceKind::pumps)] = &pumps_service();
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_fd_ < 0 || wake_fd_ < 0 || add(wake_fd_, EPOLLIN, ServiceKind::wake, 0) != 0) {
    throw_errno(env_, errno, "epoll_create1");
    return false;
  }
  const napi_status status = napi_create_threadsafe_function(
      env_, nullptr, nullptr, Napi::String::New(env_, "berth loop"), 0, 1, nullptr, nullptr, this,
      call_js, &to_js_);
  if (status != napi_ok) {
    Napi::Error::New(env_).ThrowAsJavaScriptException();
    return false;
  }
  napi_unref_threadsafe_function(env_, to_js_);
  napi_add_env_cleanup_hook(env_, stop, this);

  // Signals are for the threads of the engine. SIGPIPE of a pump stays blocked here, too.
  sigset_t all;
  sigset_t saved;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &saved);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const auto entry = [](void* loop) -> void* {
    static_cast<Loop*>(loop)->run();
    return nullptr;
  };
  const int error = pthread_create(&thread_, &attributes, entry, this);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  if (error != 0) {
    throw_errno(env_, error, "pthread_create");
    return false;
  }
  pthread_setname_np(thread_, "berth-loop");
  return true;
}

void Loop::stop(void* context) {
  Loop* const loop = static_cast<Loop*>(context);
  {
    const std::lock_guard lock(loop->mutex_);
    loop->is_stopping_ = true;
  }
  loop->wake();
  pthread_join(loop->thread_, nullptr);
}

void Loop::run() {
  epoll_event events[kEventsPerTurn];
  bool has_more = false;
  while (true) {
    const int count = epoll_wait(epoll_fd_, events, kEventsPerTurn, has_more ? 0 : -1);
    for (int i = 0; i < count; i++) {
      const std::uint64_t data = events[i].data.u64;
      const std::uint64_t kind = data & ((1 << kKindBits) - 1);
      if (static_cast<ServiceKind>(kind) == ServiceKind::wake) {
        std::uint64_t wakes;
        // Non-blocking: nothing to read means that an earlier turn has read it.
        [[maybe_unused]] const ssize_t ignored = read(wake_fd_, &wakes, sizeof wakes);
      } else {
        services_[kind]->on_event(data >> kKindBits, events[i].events);
      }
    }
    has_more = false;
    for (Service* service : services_) {
      if (service != nullptr && service->on_turn()) has_more = true;
    }
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    if (deliveries_.empty() || is_signalled_) continue;
    is_signalled_ = true;
    napi_call_threadsafe_function(to_js_, nullptr, napi_tsfn_nonblocking);
  }
}

int Loop::add(int fd, std::uint32_t events, ServiceKind kind, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token(kind, id);
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
}

int Loop::modify(int fd, std::uint32_t events, ServiceKind kind, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token(kind, id);
  return epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) < 0 ? errno : 0;
}

void Loop::remove(int fd) { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

void Loop::wake() {
  const std::uint64_t one = 1;
  // It can only fail by being full, and then a wake is pending already.
  [[maybe_unused]] const ssize_t ignored = write(wake_fd_, &one, sizeof one);
}

std::uint64_t Loop::expect(Napi::Function callback) {
  const std::uint64_t id = next_id_++;
  callbacks_.emplace(id, Napi::Persistent(callback));
  keep_alive_while_expecting();
  return id;
}

void Loop::forget(std::uint64_t id) {
  callbacks_.erase(id);
  keep_alive_while_expecting();
}

void Loop::keep_alive_while_expecting() {
  const bool wanted = !callbacks_.empty();
  if (wanted == keeps_alive_) return;
  keeps_alive_ = wanted;
  if (wanted) {
    napi_ref_threadsafe_function(env_, to_js_);
  } else {
    napi_unref_threadsafe_function(env_, to_js_);
  }
}

void Loop::deliver(std::uint64_t id, MakeArguments make_arguments) {
  const std::lock_guard lock(mutex_);
  deliveries_.push_back({id, std::move(make_arguments)});
}

void Loop::call_js(napi_env env, napi_value, void* context, void*) {
  // No environment: it is being torn down.
  if (env != nullptr) static_cast<Loop*>(context)->dispatch(Napi::Env(env));
}

void Loop::dispatch(Napi::Env env) {
  std::vector<Delivery> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(deliveries_);
    is_signalled_ = false;
  }
  for (const Delivery& delivery : batch) {
    const Napi::HandleScope scope(env);
    const auto found = callbacks_.find(delivery.id);
    if (found == callbacks_.end()) continue;  // forgotten in the meantime
    const Napi::Function callback = found->second.Value();
    callbacks_.erase(found);
    callback.Call(delivery.make_arguments(env));
    if (env.IsExceptionPending()) {
      // An uncaught exception, as one in any other callback; the rest of the batch is still delivered.
      napi_fatal_exception(env, env.GetAndClearPendingException().Value());
    }
  }
  keep_alive_while_expecting();
}

}  // namespace berth
