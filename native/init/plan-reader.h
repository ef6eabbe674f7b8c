// Reads the plan that native/operations/plan-writer.ts wrote. Texts are used in place: the writer ends each
// with a NUL. Every length is checked against the mapping, a broken plan ends the process.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace berth {

using Text = const char*;

struct Bytes {
  const unsigned char* data;
  std::uint32_t size;
};

// NULL-terminated, as execve wants it.
struct TextList {
  char** items;
  std::uint32_t count;
};

struct NumberList {
  std::uint32_t* items;
  std::uint32_t count;
};

// Index into the descriptors that were passed beside the plan.
struct Descriptor {
  std::uint32_t index;
};

[[noreturn]] void fail_decoding();

class PlanReader {
 public:
  PlanReader(const unsigned char* data, std::size_t size) : at_(data), end_(data + size) {}

  std::uint32_t u32() {
    std::uint32_t value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  std::uint64_t u64() {
    std::uint64_t value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }

  bool flag() { return u32() != 0; }

  Descriptor descriptor() { return Descriptor{u32()}; }

  Bytes bytes() {
    const std::uint32_t size = u32();
    return Bytes{take(size), size};
  }

  Text text() {
    const std::uint32_t size = u32();
    const unsigned char* start = take(std::size_t{size} + 1);
    if (start[size] != 0) fail();
    return reinterpret_cast<const char*>(start);
  }

  TextList texts() {
    const std::uint32_t count = bounded_count();
    char** items = static_cast<char**>(std::calloc(std::size_t{count} + 1, sizeof(char*)));
    if (items == nullptr) fail();
    // execve takes char* for historical reasons and never writes.
    for (std::uint32_t i = 0; i < count; i++) items[i] = const_cast<char*>(text());
    return TextList{items, count};
  }

  NumberList numbers() {
    const std::uint32_t count = bounded_count();
    std::uint32_t* items =
        static_cast<std::uint32_t*>(std::calloc(std::size_t{count} + 1, sizeof(std::uint32_t)));
    if (items == nullptr) fail();
    for (std::uint32_t i = 0; i < count; i++) items[i] = u32();
    return NumberList{items, count};
  }

  [[noreturn]] void fail() { fail_decoding(); }

 private:
  // Each element takes at least four bytes, so a count beyond that is a lie.
  std::uint32_t bounded_count() {
    const std::uint32_t count = u32();
    if (count > static_cast<std::size_t>(end_ - at_) / 4) fail();
    return count;
  }

  const unsigned char* take(std::size_t size) {
    if (size > static_cast<std::size_t>(end_ - at_)) fail();
    const unsigned char* start = at_;
    at_ += size;
    return start;
  }

  const unsigned char* at_;
  const unsigned char* end_;
};

}  // namespace berth
