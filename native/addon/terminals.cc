// Pseudo-terminals and terminal modes.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "arguments.h"
#include "errors.h"
#include "module.h"
#include "unique-fd.h"

namespace berth {
namespace {

Napi::Value open_pty(const Napi::CallbackInfo& info) {
  UniqueFd master(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master.valid()) return throw_errno(info.Env(), errno, "open", "/dev/ptmx");
  const int unlocked = 0;
  if (ioctl(master.get(), TIOCSPTLCK, &unlocked) < 0) {
    return throw_errno(info.Env(), errno, "ioctl", "TIOCSPTLCK");
  }
  // The peer by descriptor, not by the path in /dev/pts, which may be another mount.
  const int slave = ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return throw_errno(info.Env(), errno, "ioctl", "TIOCGPTPEER");
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, master.release());
  pair.Set(1U, slave);
  return pair;
}

Napi::Value set_size(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  const Napi::Object wanted = arguments.object(1);
  winsize size{};
  size.ws_row = static_cast<unsigned short>(arguments.as_natural(wanted.Get("rows"), "rows"));
  size.ws_col = static_cast<unsigned short>(arguments.as_natural(wanted.Get("columns"), "columns"));
  if (arguments.failed()) return info.Env().Undefined();
  if (ioctl(fd, TIOCSWINSZ, &size) < 0) return throw_errno(info.Env(), errno, "ioctl", "TIOCSWINSZ");
  return info.Env().Undefined();
}

Napi::Value get_size(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) < 0) return throw_errno(info.Env(), errno, "ioctl", "TIOCGWINSZ");
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("rows", size.ws_row);
  result.Set("columns", size.ws_col);
  return result;
}

Napi::Value set_raw_mode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  termios saved{};
  if (tcgetattr(fd, &saved) < 0) return throw_errno(info.Env(), errno, "tcgetattr");
  termios raw = saved;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSANOW, &raw) < 0) return throw_errno(info.Env(), errno, "tcsetattr");
  return Napi::Buffer<std::uint8_t>::Copy(info.Env(), reinterpret_cast<const std::uint8_t*>(&saved),
                                          sizeof saved);
}

Napi::Value restore_mode(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fd = arguments.integer(0);
  const std::span<const std::uint8_t> saved = arguments.bytes(1);
  if (arguments.failed()) return info.Env().Undefined();
  termios mode{};
  if (saved.size() != sizeof mode) return throw_errno(info.Env(), EINVAL, "tcsetattr");
  std::memcpy(&mode, saved.data(), sizeof mode);
  if (tcsetattr(fd, TCSANOW, &mode) < 0) return throw_errno(info.Env(), errno, "tcsetattr");
  return info.Env().Undefined();
}

}  // namespace

void export_terminals(Napi::Object exports) {
  export_function(exports, "openPty", open_pty);
  export_function(exports, "setTerminalSize", set_size);
  export_function(exports, "getTerminalSize", get_size);
  export_function(exports, "setRawMode", set_raw_mode);
  export_function(exports, "restoreMode", restore_mode);
}

}  // namespace berth
