// Paths and mounts. Nothing here walks a path on its own: what is followed and what is not is in the caller's
// `resolve` and flags, and mounts are made detached, so a half-made one is never visible.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "errors.h"
#include "module.h"

namespace berth {
namespace {

Napi::Value number(Napi::Env env, long value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

// What the kernel wrote into the file system context: lines like `e overlay: ...`.
std::string read_log(int fs_fd) {
  std::string log;
  char line[512];
  ssize_t size;
  while ((size = read(fs_fd, line, sizeof line)) > 0) {
    std::string_view text(line, static_cast<std::size_t>(size));
    if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
    while (text.ends_with('\n')) text.remove_suffix(1);
    log.append(log.empty() ? "" : "; ").append(text);
  }
  return log;
}

Napi::Value openat2(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.integer(0);
  const std::string path = arguments.text(1);
  open_how how{};
  how.flags = arguments.natural(2) | O_CLOEXEC;
  how.mode = arguments.natural(3);
  how.resolve = arguments.natural(4);
  if (arguments.failed()) return info.Env().Undefined();
  long fd;
  do {
    fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed or mounted below a scoped lookup meanwhile (openat2(2)). The caller sees it.
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? throw_errno(info.Env(), errno, "openat2", path) : number(info.Env(), fd);
}

Napi::Value fsopen(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string type = arguments.text(0);
  if (arguments.failed()) return info.Env().Undefined();
  const long fd = syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC);
  return fd < 0 ? throw_errno(info.Env(), errno, "fsopen", type) : number(info.Env(), fd);
}

Napi::Value configure(Napi::Env env, int fs_fd, unsigned command, const char* key, const void* value,
                      int auxiliary, const std::string& what) {
  if (syscall(SYS_fsconfig, fs_fd, command, key, value, auxiliary) == 0) return env.Undefined();
  const int error = errno;
  return throw_errno(env, error, "fsconfig", what, read_log(fs_fd));
}

Napi::Value fsconfig_string(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fs_fd = arguments.integer(0);
  const std::string key = arguments.text(1);
  const std::string value = arguments.text(2);
  if (arguments.failed()) return info.Env().Undefined();
  return configure(info.Env(), fs_fd, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0, key + "=" + value);
}

Napi::Value fsconfig_flag(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fs_fd = arguments.integer(0);
  const std::string key = arguments.text(1);
  if (arguments.failed()) return info.Env().Undefined();
  return configure(info.Env(), fs_fd, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0, key);
}

Napi::Value fsconfig_fd(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fs_fd = arguments.integer(0);
  const std::string key = arguments.text(1);
  const int fd = arguments.integer(2);
  if (arguments.failed()) return info.Env().Undefined();
  return configure(info.Env(), fs_fd, FSCONFIG_SET_FD, key.c_str(), nullptr, fd,
                   key + "=descriptor " + std::to_string(fd));
}

Napi::Value fsconfig_create(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fs_fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  return configure(info.Env(), fs_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0, "create");
}

Napi::Value fsmount(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int fs_fd = arguments.integer(0);
  const std::uint32_t attributes = arguments.bits(1);
  if (arguments.failed()) return info.Env().Undefined();
  const long fd = syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, attributes);
  if (fd >= 0) return number(info.Env(), fd);
  const int error = errno;
  return throw_errno(info.Env(), error, "fsmount", {}, read_log(fs_fd));
}

Napi::Value open_tree(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.integer(0);
  const std::string path = arguments.text(1);
  const std::uint32_t flags = arguments.bits(2);
  if (arguments.failed()) return info.Env().Undefined();
  const unsigned empty = path.empty() ? AT_EMPTY_PATH : 0;
  const long fd = syscall(SYS_open_tree, directory, path.c_str(), flags | empty | OPEN_TREE_CLOEXEC);
  return fd < 0 ? throw_errno(info.Env(), errno, "open_tree", path) : number(info.Env(), fd);
}

// Without MOVE_MOUNT_T_SYMLINKS: a link at the end of the path is never followed.
Napi::Value move_mount(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int mount_fd = arguments.integer(0);
  const int directory = arguments.integer(1);
  const std::string path = arguments.text(2);
  if (arguments.failed()) return info.Env().Undefined();
  const unsigned empty = path.empty() ? MOVE_MOUNT_T_EMPTY_PATH : 0;
  if (syscall(SYS_move_mount, mount_fd, "", directory, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH | empty) < 0) {
    return throw_errno(info.Env(), errno, "move_mount", path);
  }
  return info.Env().Undefined();
}

Napi::Value mount_setattr(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int directory = arguments.integer(0);
  const std::string path = arguments.text(1);
  const bool is_recursive = arguments.boolean(2);
  const Napi::Object wanted = arguments.object(3);
  mount_attr attributes{};
  attributes.attr_set = arguments.as_natural(wanted.Get("set"), "set");
  attributes.attr_clr = arguments.as_natural(wanted.Get("clear"), "clear");
  if (const Napi::Value value = wanted.Get("propagation"); !value.IsUndefined()) {
    attributes.propagation = arguments.as_natural(value, "propagation");
  }
  if (const Napi::Value value = wanted.Get("usernsFd"); !value.IsUndefined()) {
    attributes.userns_fd = arguments.as_natural(value, "usernsFd");
  }
  if (arguments.failed()) return info.Env().Undefined();
  const unsigned flags = AT_SYMLINK_NOFOLLOW | (path.empty() ? AT_EMPTY_PATH : 0U) |
                         (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  if (syscall(SYS_mount_setattr, directory, path.c_str(), flags, &attributes, sizeof attributes) < 0) {
    return throw_errno(info.Env(), errno, "mount_setattr", path);
  }
  return info.Env().Undefined();
}

Napi::Value umount(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.text(0);
  const int flags = arguments.integer(1);
  if (arguments.failed()) return info.Env().Undefined();
  if (syscall(SYS_umount2, path.c_str(), flags) < 0) {
    return throw_errno(info.Env(), errno, "umount2", path);
  }
  return info.Env().Undefined();
}

}  // namespace

void export_mounts(Napi::Object exports) {
  export_function(exports, "openat2", openat2);
  export_function(exports, "fsopen", fsopen);
  export_function(exports, "fsconfigString", fsconfig_string);
  export_function(exports, "fsconfigFlag", fsconfig_flag);
  export_function(exports, "fsconfigFd", fsconfig_fd);
  export_function(exports, "fsconfigCreate", fsconfig_create);
  export_function(exports, "fsmount", fsmount);
  export_function(exports, "openTree", open_tree);
  export_function(exports, "moveMount", move_mount);
  export_function(exports, "mountSetattr", mount_setattr);
  export_function(exports, "umount", umount);
}

}  // namespace berth
