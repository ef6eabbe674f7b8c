// Sealed memory files.
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "arguments.h"
#include "errors.h"
#include "module.h"
#include "unique-fd.h"

namespace berth {
namespace {

// include/uapi/linux/memfd.h and fcntl.h of Linux 6.3.
constexpr unsigned kMfdNoexecSeal = 0x0008;
constexpr unsigned kMfdExec = 0x0010;
constexpr int kSealExec = 0x0020;
constexpr int kContentSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

struct Memfd {
  UniqueFd fd;
  bool knows_exec;  // whether the kernel has the executable bit's flags and seal
};

// Kernels before 6.3 refuse the flag; theirs are always executable.
Memfd create(const std::string& name, unsigned exec_flag) {
  const int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | exec_flag);
  if (fd >= 0 || errno != EINVAL) return {UniqueFd(fd), true};
  return {UniqueFd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)), false};
}

Napi::Value sealed_memfd(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string name = arguments.text(0);
  std::span<const std::uint8_t> contents = arguments.bytes(1);
  if (arguments.failed()) return info.Env().Undefined();
  Memfd file = create(name, kMfdNoexecSeal);
  if (!file.fd.valid()) return throw_errno(info.Env(), errno, "memfd_create", name);
  while (!contents.empty()) {
    const ssize_t written = write(file.fd.get(), contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return throw_errno(info.Env(), errno, "write", name);
    contents = contents.subspan(static_cast<std::size_t>(written));
  }
  lseek(file.fd.get(), 0, SEEK_SET);
  if (fcntl(file.fd.get(), F_ADD_SEALS, kContentSeals) < 0) {
    return throw_errno(info.Env(), errno, "fcntl", name);
  }
  return Napi::Number::New(info.Env(), file.fd.release());
}

// An executable that nobody can change while it runs, not even root in a container who reaches it through
// /proc: what CVE-2019-5736 overwrote was the file on the host.
Napi::Value sealed_memfd_from_file(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string name = arguments.text(0);
  const std::string path = arguments.text(1);
  if (arguments.failed()) return info.Env().Undefined();
  const UniqueFd source(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.valid()) return throw_errno(info.Env(), errno, "open", path);
  Memfd file = create(name, kMfdExec);
  if (!file.fd.valid()) return throw_errno(info.Env(), errno, "memfd_create", name);
  while (true) {
    const ssize_t copied = sendfile(file.fd.get(), source.get(), nullptr, 1 << 24);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return throw_errno(info.Env(), errno, "sendfile", path);
    if (copied == 0) break;
  }
  const int seals = kContentSeals | (file.knows_exec ? kSealExec : 0);
  if (fcntl(file.fd.get(), F_ADD_SEALS, seals) < 0) {
    return throw_errno(info.Env(), errno, "fcntl", name);
  }
  return Napi::Number::New(info.Env(), file.fd.release());
}

}  // namespace

void export_memfds(Napi::Object exports) {
  export_function(exports, "sealedMemfd", sealed_memfd);
  export_function(exports, "sealedMemfdFromFile", sealed_memfd_from_file);
}

}  // namespace berth
