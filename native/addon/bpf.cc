// Device filters of cgroup v2.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "module.h"

namespace berth {
namespace {

constexpr std::size_t kLogBytes = 64 * 1024;

std::uint64_t address(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

Napi::Value load_device_program(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::span<const std::uint8_t> instructions = arguments.bytes(0);
  if (arguments.failed()) return info.Env().Undefined();
  if (instructions.empty() || instructions.size() % sizeof(bpf_insn) != 0) {
    return throw_errno(info.Env(), EINVAL, "bpf", "BPF_PROG_LOAD", "want whole instructions of 8 bytes");
  }
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = address(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size() / sizeof(bpf_insn));
  attributes.license = address("Apache-2.0");
  long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
  if (fd >= 0) return Napi::Number::New(info.Env(), static_cast<double>(fd));
  const int error = errno;
  // Again, for what the verifier has to say; a log slows the good case down.
  std::vector<char> log(kLogBytes);
  attributes.log_buf = address(log.data());
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  attributes.log_level = 1;
  fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
  if (fd >= 0) return Napi::Number::New(info.Env(), static_cast<double>(fd));
  return throw_errno(info.Env(), error, "bpf", "BPF_PROG_LOAD", log.data());
}

// Several programs may hang on one cgroup, and each must allow: ours never loosens what another one forbids.
Napi::Value attach_device(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int cgroup_fd = arguments.integer(0);
  const int program_fd = arguments.integer(1);
  if (arguments.failed()) return info.Env().Undefined();
  bpf_attr attributes{};
  attributes.target_fd = static_cast<std::uint32_t>(cgroup_fd);
  attributes.attach_bpf_fd = static_cast<std::uint32_t>(program_fd);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) < 0) {
    return throw_errno(info.Env(), errno, "bpf", "BPF_PROG_ATTACH");
  }
  return info.Env().Undefined();
}

}  // namespace

void export_bpf(Napi::Object exports) {
  export_function(exports, "bpfLoadDeviceProgram", load_device_program);
  export_function(exports, "bpfAttachDevice", attach_device);
}

}  // namespace berth
