#include "arguments.h"

#include <cmath>

namespace berth {

void Arguments::fail(const std::string& what, const char* wanted) {
  if (failed_) return;
  failed_ = true;
  Napi::TypeError::New(env(), what + ": want " + wanted).ThrowAsJavaScriptException();
}

std::int32_t Arguments::as_integer(Napi::Value value, const std::string& what) {
  if (failed_) return 0;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= INT32_MIN && number <= INT32_MAX) || std::trunc(number) != number) {
    fail(what, "a 32-bit integer");
    return 0;
  }
  return static_cast<std::int32_t>(number);
}

std::uint32_t Arguments::as_bits(Napi::Value value, const std::string& what) {
  if (failed_) return 0;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= INT32_MIN && number <= UINT32_MAX) || std::trunc(number) != number) {
    fail(what, "32 bits");
    return 0;
  }
  return static_cast<std::uint32_t>(static_cast<std::int64_t>(number));
}

std::uint64_t Arguments::as_natural(Napi::Value value, const std::string& what) {
  if (failed_) return 0;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= 0 && number <= 9007199254740991.0) || std::trunc(number) != number) {
    fail(what, "a safe integer that is not negative");
    return 0;
  }
  return static_cast<std::uint64_t>(number);
}

std::uint64_t Arguments::as_uint64(Napi::Value value, const std::string& what) {
  if (failed_) return 0;
  bool lossless = false;
  const std::uint64_t number =
      value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless) fail(what, "a bigint of 64 bits");
  return number;
}

std::string Arguments::as_text(Napi::Value value, const std::string& what) {
  if (failed_) return {};
  if (!value.IsString()) {
    fail(what, "a string");
    return {};
  }
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) fail(what, "a string without NUL");
  return text;
}

bool Arguments::as_boolean(Napi::Value value, const std::string& what) {
  if (failed_) return false;
  if (!value.IsBoolean()) {
    fail(what, "a boolean");
    return false;
  }
  return value.As<Napi::Boolean>().Value();
}

Napi::Function Arguments::as_function(Napi::Value value, const std::string& what) {
  if (!failed_ && !value.IsFunction()) fail(what, "a function");
  return failed_ ? Napi::Function() : value.As<Napi::Function>();
}

Napi::Array Arguments::as_array(Napi::Value value, const std::string& what) {
  if (!failed_ && !value.IsArray()) fail(what, "an array");
  return failed_ ? Napi::Array::New(env()) : value.As<Napi::Array>();
}

std::vector<std::int32_t> Arguments::as_integers(Napi::Value value, const std::string& what) {
  const Napi::Array array = as_array(value, what);
  std::vector<std::int32_t> integers;
  for (std::uint32_t i = 0; !failed_ && i < array.Length(); i++) {
    integers.push_back(as_integer(array.Get(i), what + "[" + std::to_string(i) + "]"));
  }
  return integers;
}

std::vector<std::string> Arguments::as_texts(Napi::Value value, const std::string& what) {
  const Napi::Array array = as_array(value, what);
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; !failed_ && i < array.Length(); i++) {
    texts.push_back(as_text(array.Get(i), what + "[" + std::to_string(i) + "]"));
  }
  return texts;
}

std::span<const std::uint8_t> Arguments::bytes(std::size_t index) {
  const Napi::Value value = info_[index];
  if (!failed_ && !(value.IsTypedArray() &&
                    value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array)) {
    fail(describe(index), "a Uint8Array");
  }
  if (failed_) return {};
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  // An empty array may have no memory at all.
  if (array.ByteLength() == 0) return {};
  return {array.Data(), array.ByteLength()};
}

Napi::Object Arguments::object(std::size_t index) {
  const Napi::Value value = info_[index];
  if (!failed_ && !value.IsObject()) fail(describe(index), "an object");
  return failed_ ? Napi::Object::New(env()) : value.As<Napi::Object>();
}

}  // namespace berth
