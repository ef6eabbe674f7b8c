// Reading arguments. The first one of a wrong type throws a TypeError and makes `failed()` true; the readers
// then return zero values, so that a function reads everything and checks once.
#pragma once
#include <napi.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace berth {

class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  bool failed() const { return failed_; }
  Napi::Env env() const { return info_.Env(); }

  std::int32_t integer(std::size_t index) { return as_integer(info_[index], describe(index)); }
  std::uint32_t bits(std::size_t index) { return as_bits(info_[index], describe(index)); }
  // Up to 2^53, for flags of openat2 and handles.
  std::uint64_t natural(std::size_t index) { return as_natural(info_[index], describe(index)); }
  std::string text(std::size_t index) { return as_text(info_[index], describe(index)); }
  bool boolean(std::size_t index) { return as_boolean(info_[index], describe(index)); }
  // Valid until the call returns: the memory is the caller's.
  std::span<const std::uint8_t> bytes(std::size_t index);
  Napi::Function function(std::size_t index) { return as_function(info_[index], describe(index)); }
  Napi::Object object(std::size_t index);
  std::vector<std::int32_t> integers(std::size_t index) {
    return as_integers(info_[index], describe(index));
  }

  std::int32_t as_integer(Napi::Value value, const std::string& what);
  // 32 flag bits; a negative number (JavaScript's `|` makes them) has the same bits.
  std::uint32_t as_bits(Napi::Value value, const std::string& what);
  std::uint64_t as_natural(Napi::Value value, const std::string& what);
  std::uint64_t as_uint64(Napi::Value value, const std::string& what);
  // A string with a NUL is refused: the kernel would see another, shorter one.
  std::string as_text(Napi::Value value, const std::string& what);
  bool as_boolean(Napi::Value value, const std::string& what);
  Napi::Function as_function(Napi::Value value, const std::string& what);
  Napi::Array as_array(Napi::Value value, const std::string& what);
  std::vector<std::int32_t> as_integers(Napi::Value value, const std::string& what);
  std::vector<std::string> as_texts(Napi::Value value, const std::string& what);

 private:
  static std::string describe(std::size_t index) { return "argument " + std::to_string(index + 1); }
  void fail(const std::string& what, const char* wanted);

  const Napi::CallbackInfo& info_;
  bool failed_ = false;
};

}  // namespace berth
