// Calls on open descriptors.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "errors.h"
#include "module.h"

namespace berth {
namespace {

Napi::Value flock_descriptor(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  const int operation = arguments.integer(1);
  if (arguments.failed()) return info.Env().Undefined();
  int result;
  do {
    result = flock(fd, operation);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return throw_errno(info.Env(), errno, "flock");
  return info.Env().Undefined();
}

Napi::Value sync_file_system(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  if (syncfs(fd) < 0) return throw_errno(info.Env(), errno, "syncfs");
  return info.Env().Undefined();
}

Napi::Value dup_cloexec(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  // From 3 up: a copy never takes the place of a closed standard stream.
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return throw_errno(info.Env(), errno, "fcntl", "descriptor " + std::to_string(fd));
  return Napi::Number::New(info.Env(), copy);
}

Napi::Value make_eventfd(const Napi::CallbackInfo& info) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return throw_errno(info.Env(), errno, "eventfd");
  return Napi::Number::New(info.Env(), fd);
}

Napi::Value make_pipe(const Napi::CallbackInfo& info) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return throw_errno(info.Env(), errno, "pipe2");
  Napi::Array ends = Napi::Array::New(info.Env(), 2);
  ends.Set(0U, fds[0]);
  ends.Set(1U, fds[1]);
  return ends;
}

}  // namespace

void export_descriptors(Napi::Object exports) {
  export_function(exports, "flock", flock_descriptor);
  export_function(exports, "syncfs", sync_file_system);
  export_function(exports, "dupCloexec", dup_cloexec);
  export_function(exports, "eventfd", make_eventfd);
  export_function(exports, "pipe", make_pipe);
}

}  // namespace berth
