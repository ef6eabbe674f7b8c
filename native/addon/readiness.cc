// watchReadable() and unwatchReadable().
#include <sys/epoll.h>

#include <mutex>
#include <unordered_map>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "loop.h"
#include "module.h"

namespace berth {
namespace {

class Readiness : public Service {
 public:
  Napi::Value watch(Napi::Env env, int fd, Napi::Function on_readable);
  bool unwatch(int fd);
  void on_event(std::uint64_t id, std::uint32_t events) override;

 private:
  // Guards watches_ and its mirror in the epoll set: after an unwatch the number may at once be another file's.
  std::mutex mutex_;
  std::unordered_map<int, std::uint64_t> watches_;
  // What has been delivered to the loop but not called back yet; JavaScript's thread forgets it there.
  std::unordered_map<int, std::uint64_t> fired_;
  Loop* loop_ = nullptr;
};

Readiness& readiness() {
  static Readiness* const instance = new Readiness;
  return *instance;
}

Napi::Value Readiness::watch(Napi::Env env, int fd, Napi::Function on_readable) {
  Loop* const loop = Loop::get(env);
  if (loop == nullptr) return env.Undefined();
  loop_ = loop;
  const std::uint64_t id = loop->expect(on_readable);
  int error;
  {
    const std::lock_guard lock(mutex_);
    error = loop->add(fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, ServiceKind::readiness, id);
    if (error == 0) watches_[fd] = id;
  }
  if (error == 0) return env.Undefined();
  loop->forget(id);
  return throw_errno(env, error, "epoll_ctl", "descriptor " + std::to_string(fd));
}

bool Readiness::unwatch(int fd) {
  if (loop_ == nullptr) return false;
  std::uint64_t id;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = watches_.find(fd); found != watches_.end()) {
      id = found->second;
      watches_.erase(found);
      loop_->remove(fd);
    } else if (const auto late = fired_.find(fd); late != fired_.end()) {
      id = late->second;
      fired_.erase(late);
    } else {
      return false;
    }
  }
  loop_->forget(id);
  return true;
}

void Readiness::on_event(std::uint64_t id, std::uint32_t) {
  const std::lock_guard lock(mutex_);
  for (const auto& [fd, watch] : watches_) {
    if (watch != id) continue;
    loop_->remove(fd);
    fired_[fd] = id;
    loop_->deliver(id, [this, fd = fd, id](Napi::Env) -> std::vector<napi_value> {
      const std::lock_guard late_lock(mutex_);
      if (const auto found = fired_.find(fd); found != fired_.end() && found->second == id) {
        fired_.erase(found);
      }
      return {};
    });
    watches_.erase(fd);
    return;
  }
}

Napi::Value watch_readable(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  const Napi::Function on_readable = arguments.function(1);
  if (arguments.failed()) return info.Env().Undefined();
  return readiness().watch(info.Env(), fd, on_readable);
}

Napi::Value unwatch_readable(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), readiness().unwatch(fd));
}

}  // namespace

Service& readiness_service() { return readiness(); }

void export_readiness(Napi::Object exports) {
  export_function(exports, "watchReadable", watch_readable);
  export_function(exports, "unwatchReadable", unwatch_readable);
}

}  // namespace berth
