// Failures of system calls as JavaScript errors, see `NativeError` in native/binding.ts.
#pragma once
#include <napi.h>

#include <string>
#include <string_view>

namespace berth {

// `ENOENT` for 2; `E` and the number for one that has no name.
std::string errno_name(int error);

// An Error with `code`, `errno` and `syscall`; the message is `<syscall> <path>: <text of errno>: <detail>`.
Napi::Error make_errno_error(Napi::Env env, int error, std::string_view syscall,
                             std::string_view path = {}, std::string_view detail = {});

// Throws the error above; returns undefined for the caller to return.
Napi::Value throw_errno(Napi::Env env, int error, std::string_view syscall,
                        std::string_view path = {}, std::string_view detail = {});

}  // namespace berth
