// startPump() and stopPump().
#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "loop.h"
#include "module.h"
#include "pump.h"

namespace berth {
namespace {

// Only its touched pages are memory: a terminal hands out at most 4 KiB at a time.
std::byte buffer[64 * 1024];

// Both sides of a pump are in the epoll set one at a time armed (EPOLLONESHOT): a hang-up of the side that is not
// waited for, which epoll reports always, would otherwise wake us for ever.
struct Entry {
  std::unique_ptr<Pump> pump;
  bool sink_is_added = false;
};

class Pumps : public Service {
 public:
  Napi::Value start(Napi::Env env, int source, int sink, Napi::Function on_end);
  void stop(std::uint64_t id);
  void on_event(std::uint64_t id, std::uint32_t events) override;
  bool on_turn() override;

 private:
  void run(std::uint64_t id);
  int wait_for_sink(std::uint64_t id, Entry& entry);
  void end(std::uint64_t id, Entry& entry);
  void apply_stops();

  // Guards the maps. A pump itself is touched by the loop's thread only, which is also the only one to erase it.
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Entry> pumps_;
  std::vector<std::uint64_t> stops_;
  std::vector<std::uint64_t> runnable_;
  Loop* loop_ = nullptr;
};

Pumps& pumps() {
  static Pumps* const instance = new Pumps;
  return *instance;
}

int set_non_blocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? errno : 0;
}

Napi::Value Pumps::start(Napi::Env env, int source, int sink, Napi::Function on_end) {
  Loop* const loop = Loop::get(env);
  if (loop == nullptr) return env.Undefined();
  loop_ = loop;
  for (const int fd : {source, sink}) {
    const int error = set_non_blocking(fd);
    if (error != 0) return throw_errno(env, error, "fcntl", "descriptor " + std::to_string(fd));
  }
  // A terminal that talks to itself: each side needs a number of its own.
  UniqueFd copy;
  if (source == sink) {
    copy.reset(fcntl(sink, F_DUPFD_CLOEXEC, 3));
    if (!copy.valid()) return throw_errno(env, errno, "fcntl", "descriptor " + std::to_string(sink));
  }
  const std::uint64_t id = loop->expect(on_end);
  int error;
  {
    const std::lock_guard lock(mutex_);
    // First waited for, then read: a FIFO that nobody has opened for writing yet would look as if it had ended.
    error = loop->add(source, EPOLLIN | EPOLLONESHOT, ServiceKind::pumps, id);
    if (error == EPERM) runnable_.push_back(id);  // a regular file is always ready
    if (error == EPERM || error == 0) {
      UniqueFd owned_sink = copy.valid() ? std::move(copy) : UniqueFd(sink);
      pumps_[id].pump = std::make_unique<Pump>(UniqueFd(source), std::move(owned_sink));
    }
  }
  if (error != EPERM && error != 0) {
    loop->forget(id);
    return throw_errno(env, error, "epoll_ctl", "descriptor " + std::to_string(source));
  }
  if (error == EPERM) loop->wake();
  return Napi::Number::New(env, static_cast<double>(id));
}

void Pumps::stop(std::uint64_t id) {
  if (loop_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    stops_.push_back(id);
  }
  loop_->wake();
}

void Pumps::on_event(std::uint64_t id, std::uint32_t) { run(id); }

bool Pumps::on_turn() {
  apply_stops();
  std::vector<std::uint64_t> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(runnable_);
  }
  for (const std::uint64_t id : ready) run(id);
  const std::lock_guard lock(mutex_);
  return !runnable_.empty();
}

void Pumps::apply_stops() {
  std::vector<std::uint64_t> stops;
  {
    const std::lock_guard lock(mutex_);
    stops.swap(stops_);
  }
  for (const std::uint64_t id : stops) {
    Entry* entry;
    {
      const std::lock_guard lock(mutex_);
      const auto found = pumps_.find(id);
      if (found == pumps_.end()) continue;  // it has ended by itself
      entry = &found->second;
    }
    if (entry->pump->is_stopping()) {
      end(id, *entry);  // asked twice: what the sink does not take is dropped
    } else {
      entry->pump->stop();
      run(id);
    }
  }
}

void Pumps::run(std::uint64_t id) {
  Entry* entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pumps_.find(id);
    if (found == pumps_.end()) return;
    entry = &found->second;  // stays where it is while others are inserted
  }
  int error = 0;
  switch (entry->pump->run(buffer)) {
    case Pump::Next::run_again: {
      const std::lock_guard lock(mutex_);
      runnable_.push_back(id);
      return;
    }
    case Pump::Next::source_readable:
      error = loop_->modify(entry->pump->source(), EPOLLIN | EPOLLONESHOT, ServiceKind::pumps, id);
      break;
    case Pump::Next::sink_writable:
      error = wait_for_sink(id, *entry);
      break;
    case Pump::Next::end:
      end(id, *entry);
      return;
  }
  if (error == 0) return;
  entry->pump->fail(error, "epoll_ctl");
  end(id, *entry);
}

int Pumps::wait_for_sink(std::uint64_t id, Entry& entry) {
  const int sink = entry.pump->sink();
  constexpr std::uint32_t events = EPOLLOUT | EPOLLONESHOT;
  if (entry.sink_is_added) return loop_->modify(sink, events, ServiceKind::pumps, id);
  const int error = loop_->add(sink, events, ServiceKind::pumps, id);
  entry.sink_is_added = error == 0;
  return error;
}

void Pumps::end(std::uint64_t id, Entry& entry) {
  // Explicitly: closing alone leaves a descriptor in the epoll set while a copy of it is open.
  loop_->remove(entry.pump->source());
  if (entry.sink_is_added) loop_->remove(entry.pump->sink());
  const std::uint64_t bytes = entry.pump->bytes();
  const PumpFailure failure = entry.pump->failure();
  {
    const std::lock_guard lock(mutex_);
    pumps_.erase(id);
  }
  loop_->deliver(id, [bytes, failure](Napi::Env env) -> std::vector<napi_value> {
    const Napi::BigInt moved = Napi::BigInt::New(env, bytes);
    if (failure.error == 0) return {moved};
    return {moved, make_errno_error(env, failure.error, failure.syscall).Value()};
  });
}

Napi::Value start_pump(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Napi::Object options = arguments.object(0);
  const int source = arguments.as_integer(options.Get("source"), "source");
  const int sink = arguments.as_integer(options.Get("sink"), "sink");
  const Napi::Function on_end = arguments.as_function(options.Get("onEnd"), "onEnd");
  if (arguments.failed()) return info.Env().Undefined();
  return pumps().start(info.Env(), source, sink, on_end);
}

Napi::Value stop_pump(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint64_t id = arguments.natural(0);
  if (arguments.failed()) return info.Env().Undefined();
  pumps().stop(id);
  return info.Env().Undefined();
}

}  // namespace

Service& pumps_service() { return pumps(); }

void export_pumps(Napi::Object exports) {
  export_function(exports, "startPump", start_pump);
  export_function(exports, "stopPump", stop_pump);
}

}  // namespace berth
