#include "inflater.h"

#include <archive.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>

namespace berth::unpack {
namespace {

struct ArchiveCloser {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

// The libarchive filter for the magic number, or ARCHIVE_FILTER_NONE.
int FilterFor(const unsigned char* data, std::size_t size) {
  static constexpr unsigned char kGzip[] = {0x1f, 0x8b, 0x08};
  static constexpr unsigned char kZstd[] = {0x28, 0xb5, 0x2f, 0xfd};
  if (size >= sizeof kGzip && std::memcmp(data, kGzip, sizeof kGzip) == 0) return ARCHIVE_FILTER_GZIP;
  if (size >= sizeof kZstd && std::memcmp(data, kZstd, sizeof kZstd) == 0) return ARCHIVE_FILTER_ZSTD;
  // A zstd stream may begin with a skippable frame.
  if (size >= 4 && (data[0] & 0xf0) == 0x50 && data[1] == 0x2a && data[2] == 0x4d && data[3] == 0x18) {
    return ARCHIVE_FILTER_ZSTD;
  }
  return ARCHIVE_FILTER_NONE;
}

}  // namespace

Inflater::~Inflater() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Inflater::Start() {
  for (Buffer& buffer : ring_) buffer.bytes.resize(kBufferBytes);
  read_buffer_.resize(kBufferBytes);
  thread_ = std::thread([this] {
    Outcome outcome = Run();
    const std::lock_guard lock(mutex_);
    failure_ = std::move(outcome);
    ended_ = true;
    changed_.notify_all();
  });
}

Outcome Inflater::Next(const unsigned char*& data, std::size_t& size) {
  std::unique_lock lock(mutex_);
  if (holding_) {
    released_++;
    holding_ = false;
    changed_.notify_all();
  }
  changed_.wait(lock, [this] { return written_ > released_ || ended_; });
  if (written_ > released_) {
    const Buffer& buffer = ring_[released_ % kBuffers];
    holding_ = true;
    data = buffer.bytes.data();
    size = buffer.used;
    return Ok();
  }
  data = nullptr;
  size = 0;
  return failure_;
}

Inflater::Buffer* Inflater::Acquire() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return written_ - released_ < kBuffers || abandoned_; });
  return abandoned_ ? nullptr : &ring_[written_ % kBuffers];
}

void Inflater::Publish() {
  const std::lock_guard lock(mutex_);
  written_++;
  changed_.notify_all();
}

Outcome Inflater::ReadBlob(std::size_t& size) {
  ssize_t got = 0;
  do {
    got = ::read(options_.blob_fd, read_buffer_.data(), read_buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return SystemFailure("read blob");
  size = static_cast<std::size_t>(got);
  blob_hash_.Update(read_buffer_.data(), size);
  blob_bytes_ += size;
  if (options_.size_bytes >= 0 && blob_bytes_ > static_cast<std::uint64_t>(options_.size_bytes)) {
    return MakeFailure(FailureKind::kDigest, "verify blob size", "more than the size of the descriptor",
                       std::to_string(options_.size_bytes) + " bytes");
  }
  return Ok();
}

Outcome Inflater::CheckVolume(std::uint64_t inflated) {
  const Limits& limits = options_.limits;
  if (inflated > limits.max_bytes) {
    return MakeFailure(FailureKind::kLimit, "inflate", std::to_string(inflated) + " bytes so far",
                       "at most " + std::to_string(limits.max_bytes));
  }
  const std::uint64_t blob = blob_bytes_.load();
  if (limits.max_ratio > 0 && inflated > limits.ratio_after_bytes && inflated / (blob + 1) > limits.max_ratio) {
    return MakeFailure(FailureKind::kLimit, "inflate",
                       std::to_string(inflated) + " bytes out of " + std::to_string(blob),
                       "at most " + std::to_string(limits.max_ratio) + " times the compressed size");
  }
  return Ok();
}

Outcome Inflater::Run() {
  std::size_t first = 0;
  if (Outcome failure = ReadBlob(first)) return failure;
  read_pending_ = first;
  // A pipe may deliver the magic number in pieces; a blob is a file, where only the end makes a read this short.
  const int filter = options_.compression == Compression::kNone ? ARCHIVE_FILTER_NONE
                                                                : FilterFor(read_buffer_.data(), first);
  Outcome outcome = filter == ARCHIVE_FILTER_NONE ? RunPlain() : RunCompressed(filter);
  return outcome ? outcome : VerifyBlob();
}

Outcome Inflater::RunPlain() {
  std::uint64_t inflated = 0;
  std::size_t size = read_pending_;
  while (size > 0) {
    Buffer* buffer = Acquire();
    if (buffer == nullptr) return Ok();
    std::memcpy(buffer->bytes.data(), read_buffer_.data(), size);
    buffer->used = size;
    inflated += size;
    if (Outcome failure = CheckVolume(inflated)) return failure;
    Publish();
    if (Outcome failure = ReadBlob(size)) return failure;
  }
  return Ok();
}

long Inflater::ReadCallback(archive* reader, void* self, const void** data) {
  auto* inflater = static_cast<Inflater*>(self);
  std::size_t size = inflater->read_pending_;
  inflater->read_pending_ = 0;
  if (size == 0) {
    if (Outcome failure = inflater->ReadBlob(size)) {
      inflater->read_failure_ = std::move(failure);
      archive_set_error(reader, EIO, "read failed");
      return ARCHIVE_FATAL;
    }
  }
  *data = inflater->read_buffer_.data();
  return static_cast<long>(size);
}

Outcome Inflater::RunCompressed(int filter) {
  const std::unique_ptr<archive, ArchiveCloser> reader(archive_read_new());
  if (!reader) return SystemFailure("inflate", ENOMEM);
  archive* raw = reader.get();
  // One filter only, so that no other decoder is even linked in. (A gzip made of a gzip is inflated twice; its diffID is then
  // not the image's and the layer is refused.)
  int status = filter == ARCHIVE_FILTER_GZIP ? archive_read_support_filter_gzip(raw) : archive_read_support_filter_zstd(raw);
  if (status == ARCHIVE_OK) status = archive_read_support_format_raw(raw);
  if (status == ARCHIVE_OK) status = archive_read_open(raw, this, nullptr, ReadCallback, nullptr);
  archive_entry* entry = nullptr;
  if (status == ARCHIVE_OK) status = archive_read_next_header(raw, &entry);

  std::uint64_t inflated = 0;
  while (status == ARCHIVE_OK) {
    Buffer* buffer = Acquire();
    if (buffer == nullptr) return Ok();
    const la_ssize_t got = archive_read_data(raw, buffer->bytes.data(), buffer->bytes.size());
    if (got < 0) {
      status = static_cast<int>(got);
      break;
    }
    if (got == 0) break;
    buffer->used = static_cast<std::size_t>(got);
    inflated += buffer->used;
    if (Outcome failure = CheckVolume(inflated)) return failure;
    Publish();
  }
  if (read_failure_) return read_failure_;
  if (status != ARCHIVE_OK && status != ARCHIVE_EOF) {
    const char* reason = archive_error_string(raw);
    return MakeFailure(FailureKind::kArchive, "inflate", reason == nullptr ? "broken stream" : reason,
                       filter == ARCHIVE_FILTER_GZIP ? "a gzip stream" : "a zstd stream");
  }
  // The digest is over the whole blob, also over what follows the compressed stream.
  for (std::size_t size = 1; size > 0;) {
    if (Outcome failure = ReadBlob(size)) return failure;
  }
  return Ok();
}

Outcome Inflater::VerifyBlob() {
  const std::uint64_t blob = blob_bytes_.load();
  if (options_.size_bytes >= 0 && blob != static_cast<std::uint64_t>(options_.size_bytes)) {
    return MakeFailure(FailureKind::kDigest, "verify blob size", std::to_string(blob) + " bytes",
                       std::to_string(options_.size_bytes) + " bytes");
  }
  if (options_.digest.empty()) return Ok();
  const std::string found = blob_hash_.Finish();
  if (found != options_.digest) {
    return MakeFailure(FailureKind::kDigest, "verify blob digest", found, options_.digest);
  }
  return Ok();
}

}  // namespace berth::unpack
