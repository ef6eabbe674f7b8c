// The one native thread: it waits in epoll_wait for everything the services ask for (exits, readiness, pumps)
// and hands what happened to JavaScript in batches. It has no timers and never polls. It starts with the first
// thing to wait for.
#pragma once
#include <napi.h>
#include <pthread.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace berth {

class Loop;

// One kind of thing that is waited for. Its functions run on the loop's thread.
class Service {
 public:
  virtual ~Service() = default;
  // Something happened to what was registered under `id`.
  virtual void on_event(std::uint64_t id, std::uint32_t events) = 0;
  // After every batch of events, and when somebody called Loop::wake. Returns true when there is more to do now.
  virtual bool on_turn() { return false; }
};

enum class ServiceKind : std::uint64_t { wake, exits, readiness, pumps };

class Loop {
 public:
  // What a callback is called with; made on JavaScript's thread.
  using MakeArguments = std::function<std::vector<napi_value>(Napi::Env)>;

  // The running loop. Null, with an exception pending, when it cannot be started.
  static Loop* get(Napi::Env env);

  // JavaScript's thread:
  // The callback will be called once; it keeps the event loop alive until then, or until it is forgotten.
  std::uint64_t expect(Napi::Function callback);
  void forget(std::uint64_t id);

  // Any thread. add and modify return 0 or an errno.
  int add(int fd, std::uint32_t events, ServiceKind kind, std::uint64_t id);
  int modify(int fd, std::uint32_t events, ServiceKind kind, std::uint64_t id);
  void remove(int fd);
  void wake();
  int wake_fd() const { return wake_fd_; }

  // The loop's thread: calls the callback `id` soon.
  void deliver(std::uint64_t id, MakeArguments make_arguments);

 private:
  struct Delivery {
    std::uint64_t id;
    MakeArguments make_arguments;
  };

  explicit Loop(Napi::Env env) : env_(env) {}
  bool start();
  void run();
  void dispatch(Napi::Env env);
  void keep_alive_while_expecting();
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  static void stop(void* loop);

  Napi::Env env_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  pthread_t thread_{};
  Service* services_[4] = {};

  // JavaScript's thread only.
  napi_threadsafe_function to_js_ = nullptr;
  std::unordered_map<std::uint64_t, Napi::FunctionReference> callbacks_;
  std::uint64_t next_id_ = 1;
  bool keeps_alive_ = false;

  std::mutex mutex_;  // guards what follows
  std::vector<Delivery> deliveries_;
  bool is_signalled_ = false;
  bool is_stopping_ = false;
};

// The services, one of each.
Service& exits_service();
Service& readiness_service();
Service& pumps_service();

}  // namespace berth
