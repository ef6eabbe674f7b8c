// Named pipes, which Node cannot make.
#include <sys/stat.h>

#include <cerrno>

#include "arguments.h"
#include "errors.h"
#include "module.h"

namespace berth {
namespace {

Napi::Value make_fifo(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.text(0);
  const std::uint32_t mode = arguments.bits(1);
  if (arguments.failed()) return info.Env().Undefined();
  if (mkfifo(path.c_str(), static_cast<mode_t>(mode)) < 0) {
    return throw_errno(info.Env(), errno, "mkfifo", path);
  }
  return info.Env().Undefined();
}

}  // namespace

void export_fifos(Napi::Object exports) { export_function(exports, "mkfifo", make_fifo); }

}  // namespace berth
