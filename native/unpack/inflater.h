// The first half of the pipeline: a thread that reads the blob, hashes it and inflates it into a ring of
// buffers, so that inflating and writing files use one core each.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "options.h"
#include "outcome.h"
#include "sha256.h"

struct archive;

namespace berth::unpack {

class Inflater {
 public:
  explicit Inflater(const Options& options) : options_(options) {}
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void Start();

  // The next inflated bytes, valid until the next call; size 0 at the end. The failure, if any, comes last.
  Outcome Next(const unsigned char*& data, std::size_t& size);

  // After the end: compressed bytes that were read.
  [[nodiscard]] std::uint64_t blob_bytes() const { return blob_bytes_.load(); }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
  static constexpr std::size_t kBuffers = 4;

  struct Buffer {
    std::vector<unsigned char> bytes;
    std::size_t used = 0;
  };

  Outcome Run();
  Outcome RunPlain();
  Outcome RunCompressed(int filter);
  Outcome VerifyBlob();
  // Fills the read buffer; size 0 at the end of the blob.
  Outcome ReadBlob(std::size_t& size);
  // A buffer to fill, or null when the reader has gone away.
  Buffer* Acquire();
  void Publish();
  Outcome CheckVolume(std::uint64_t inflated);

  static long ReadCallback(archive* reader, void* self, const void** data);

  const Options& options_;
  std::thread thread_;
  Sha256 blob_hash_;
  std::atomic<std::uint64_t> blob_bytes_ = 0;
  std::vector<unsigned char> read_buffer_;
  std::size_t read_pending_ = 0;  // bytes of the magic number that were read ahead
  Outcome read_failure_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Buffer, kBuffers> ring_;
  // Guarded by mutex_: buffers published, buffers given back, the end, the reader is gone.
  std::size_t written_ = 0;
  std::size_t released_ = 0;
  bool ended_ = false;
  bool abandoned_ = false;
  Outcome failure_;

  bool holding_ = false;  // the reader has a buffer it has not given back
};

}  // namespace berth::unpack
