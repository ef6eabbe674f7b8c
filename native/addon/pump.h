// One pump: moves bytes from a source to a sink until the source ends or the sink fails.
//
// With a pipe on either side the bytes stay in the kernel (splice); where splice does not go they pass through a
// buffer. Nothing is read that has no place: while the sink is full the source is left alone, so the memory in use
// is at most one buffer.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "unique-fd.h"

namespace berth {

struct PumpFailure {
  int error = 0;  // 0: none, the source ended or the pump was stopped
  const char* syscall = "";
};

class Pump {
 public:
  // What has to happen before `run` can do more.
  enum class Next { run_again, source_readable, sink_writable, end };

  Pump(UniqueFd source, UniqueFd sink);

  int source() const { return source_.get(); }
  int sink() const { return sink_.get(); }
  std::uint64_t bytes() const { return bytes_; }
  const PumpFailure& failure() const { return failure_; }
  void fail(int error, const char* syscall) { failure_ = {error, syscall}; }

  // From now on the end comes as soon as the source has nothing to read.
  void stop() { is_stopping_ = true; }
  bool is_stopping() const { return is_stopping_; }

  // Moves a bounded amount. `buffer` is only borrowed for the call.
  Next run(std::span<std::byte> buffer);

 private:
  Next splice_once();
  Next copy_once(std::span<std::byte> buffer);
  Next flush();
  Next source_empty() const { return is_stopping_ ? Next::end : Next::source_readable; }
  Next source_failed(int error, const char* syscall);
  Next sink_failed(int error, const char* syscall);
  Next moved(ssize_t size);

  UniqueFd source_;
  UniqueFd sink_;
  bool source_is_terminal_;
  bool splices_;
  // Times in a row that splice had nothing to do although both sides were ready.
  int unexplained_ = 0;
  bool is_stopping_ = false;
  std::uint64_t bytes_ = 0;
  // What may still be moved after stop(): a source that is written to faster than we read must not keep us.
  std::uint64_t drain_bytes_;
  // Read, but not taken by the sink yet; from `unsent_start_`.
  std::vector<std::byte> unsent_;
  std::size_t unsent_start_ = 0;
  PumpFailure failure_;
};

}  // namespace berth
