// compileSeccomp(): libseccomp as a compiler. Nothing is loaded here; berth-init loads the program.
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "module.h"
#include "unique-fd.h"

namespace berth {
namespace {

// The filter as a binary tree over the system call numbers instead of a list (libseccomp 2.5).
constexpr std::uint32_t kBinaryTree = 2;

struct Rule {
  std::vector<std::string> names;
  std::uint32_t action;
  std::vector<scmp_arg_cmp> comparisons;
};

struct Profile {
  std::uint32_t default_action;
  std::vector<std::int32_t> architectures;
  std::vector<Rule> rules;
};

std::vector<scmp_arg_cmp> read_comparisons(Arguments& arguments, Napi::Value value, const std::string& what) {
  const Napi::Array array = arguments.as_array(value, what);
  std::vector<scmp_arg_cmp> comparisons;
  for (std::uint32_t i = 0; !arguments.failed() && i < array.Length(); i++) {
    const Napi::Object argument = array.Get(i).As<Napi::Object>();
    scmp_arg_cmp comparison{};
    comparison.arg = arguments.as_bits(argument.Get("index"), what + ".index");
    comparison.op = static_cast<scmp_compare>(arguments.as_integer(argument.Get("op"), what + ".op"));
    comparison.datum_a = arguments.as_uint64(argument.Get("value"), what + ".value");
    comparison.datum_b = arguments.as_uint64(argument.Get("valueTwo"), what + ".valueTwo");
    comparisons.push_back(comparison);
  }
  return comparisons;
}

Profile read_profile(Arguments& arguments, Napi::Object object) {
  Profile profile;
  profile.default_action = arguments.as_bits(object.Get("defaultAction"), "defaultAction");
  const Napi::Array architectures = arguments.as_array(object.Get("architectures"), "architectures");
  for (std::uint32_t i = 0; !arguments.failed() && i < architectures.Length(); i++) {
    // The tokens are AUDIT_ARCH_* values, with the top bit set for 64-bit ones.
    profile.architectures.push_back(
        static_cast<std::int32_t>(arguments.as_bits(architectures.Get(i), "architectures")));
  }
  const Napi::Array rules = arguments.as_array(object.Get("rules"), "rules");
  for (std::uint32_t i = 0; !arguments.failed() && i < rules.Length(); i++) {
    const std::string what = "rules[" + std::to_string(i) + "]";
    const Napi::Object rule = rules.Get(i).As<Napi::Object>();
    profile.rules.push_back({
        arguments.as_texts(rule.Get("names"), what + ".names"),
        arguments.as_bits(rule.Get("action"), what + ".action"),
        read_comparisons(arguments, rule.Get("args"), what + ".args"),
    });
  }
  return profile;
}

// libseccomp returns negated errno values. Returns the file that holds the program, or throws.
UniqueFd compile(Napi::Env env, const Profile& profile) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(profile.default_action),
                                                                seccomp_release);
  if (filter == nullptr) {
    throw_errno(env, EINVAL, "seccomp_init", "action " + std::to_string(profile.default_action));
    return {};
  }
  for (const std::int32_t architecture : profile.architectures) {
    const auto token = static_cast<std::uint32_t>(architecture);
    const int result = seccomp_arch_add(filter.get(), token);
    if (result < 0 && result != -EEXIST) {
      throw_errno(env, -result, "seccomp_arch_add", std::to_string(token));
      return {};
    }
  }
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree);
  if (result < 0) {
    throw_errno(env, -result, "seccomp_attr_set");
    return {};
  }
  for (const Rule& rule : profile.rules) {
    // libseccomp refuses a rule that says what the default says already.
    if (rule.action == profile.default_action) continue;
    for (const std::string& name : rule.names) {
      const int number = seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      result = seccomp_rule_add_array(filter.get(), rule.action, number,
                                      static_cast<unsigned>(rule.comparisons.size()),
                                      rule.comparisons.data());
      if (result < 0) {
        throw_errno(env, -result, "seccomp_rule_add", name);
        return {};
      }
    }
  }
  UniqueFd program(memfd_create("seccomp", MFD_CLOEXEC));
  if (!program.valid()) {
    throw_errno(env, errno, "memfd_create");
    return {};
  }
  result = seccomp_export_bpf(filter.get(), program.get());
  if (result < 0) {
    throw_errno(env, -result, "seccomp_export_bpf");
    return {};
  }
  return program;
}

Napi::Value compile_seccomp(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Profile profile = read_profile(arguments, arguments.object(0));
  if (arguments.failed()) return info.Env().Undefined();
  const UniqueFd program = compile(info.Env(), profile);
  if (!program.valid()) return info.Env().Undefined();
  const off_t size = lseek(program.get(), 0, SEEK_END);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  const ssize_t read_bytes = pread(program.get(), bytes.data(), bytes.size(), 0);
  if (read_bytes != size || bytes.size() % sizeof(sock_filter) != 0) {
    return throw_errno(info.Env(), EIO, "pread", "seccomp");
  }
  return Napi::Buffer<std::uint8_t>::Copy(info.Env(), bytes.data(), bytes.size());
}

}  // namespace

void export_seccomp(Napi::Object exports) { export_function(exports, "compileSeccomp", compile_seccomp); }

}  // namespace berth
