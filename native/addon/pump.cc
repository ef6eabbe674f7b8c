#include "pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth {
namespace {

constexpr std::size_t kSpliceBytes = 1 << 20;
// One pump must not keep the thread from the others.
constexpr int kStepsPerRun = 16;
// A race is over at the next try, or the one after; this many in a row are none.
constexpr int kUnexplainedLimit = 8;
// What a pipe holds at most, unless root made it larger (fs.pipe-max-size); a terminal and a socket hold less.
constexpr std::uint64_t kDrainBytes = 1 << 20;

bool is_pipe(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

std::uint64_t drain_limit(int source) {
  const int pipe_bytes = fcntl(source, F_GETPIPE_SZ);
  return std::max(kDrainBytes, pipe_bytes > 0 ? static_cast<std::uint64_t>(pipe_bytes) : 0);
}

}  // namespace

Pump::Pump(UniqueFd source, UniqueFd sink)
    : source_(std::move(source)),
      sink_(std::move(sink)),
      source_is_terminal_(isatty(source_.get()) == 1),
      splices_(is_pipe(source_.get()) || is_pipe(sink_.get())),
      drain_bytes_(drain_limit(source_.get())) {}

Pump::Next Pump::run(std::span<std::byte> buffer) {
  for (int step = 0; step < kStepsPerRun; step++) {
    const Next next = splices_ ? splice_once() : copy_once(buffer);
    if (next != Next::run_again) return next;
  }
  return Next::run_again;
}

Pump::Next Pump::splice_once() {
  const ssize_t size = splice(source_.get(), nullptr, sink_.get(), nullptr, kSpliceBytes,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (size > 0) {
    unexplained_ = 0;
    return moved(size);
  }
  if (size == 0) return Next::end;
  switch (errno) {
    case EINTR:
      return Next::run_again;
    case EINVAL:
      // One of them has no splice: a file opened for appending, a terminal before Linux 6.5.
      splices_ = false;
      return Next::run_again;
    case EAGAIN: {
      // It does not say which side, and by the time we ask the other end may have written or read: then splice
      // works again. If neither side ever admits it, reading and writing tell.
      pollfd sides[] = {{source_.get(), POLLIN, 0}, {sink_.get(), POLLOUT, 0}};
      poll(sides, 2, 0);
      if (sides[0].revents == 0) return source_empty();
      if (sides[1].revents == 0) return Next::sink_writable;
      if (++unexplained_ == kUnexplainedLimit) splices_ = false;
      return Next::run_again;
    }
    case EIO:
    case ECONNRESET:
      return source_failed(errno, "splice");
    default:
      return sink_failed(errno, "splice");
  }
}

Pump::Next Pump::copy_once(std::span<std::byte> buffer) {
  if (!unsent_.empty()) return flush();
  const ssize_t size = read(source_.get(), buffer.data(), buffer.size());
  if (size == 0) return Next::end;
  if (size < 0) {
    if (errno == EINTR) return Next::run_again;
    return errno == EAGAIN ? source_empty() : source_failed(errno, "read");
  }
  const auto filled = buffer.first(static_cast<std::size_t>(size));
  unsent_start_ = 0;
  const ssize_t written = write(sink_.get(), filled.data(), filled.size());
  if (written == size) return moved(size);
  if (written < 0 && errno != EAGAIN && errno != EINTR) return sink_failed(errno, "write");
  const auto rest = filled.subspan(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  unsent_.assign(rest.begin(), rest.end());
  if (written > 0) return moved(written);
  return Next::run_again;
}

Pump::Next Pump::flush() {
  const std::span rest = std::span(unsent_).subspan(unsent_start_);
  const ssize_t written = write(sink_.get(), rest.data(), rest.size());
  if (written < 0) {
    if (errno == EINTR) return Next::run_again;
    return errno == EAGAIN ? Next::sink_writable : sink_failed(errno, "write");
  }
  unsent_start_ += static_cast<std::size_t>(written);
  if (unsent_start_ == unsent_.size()) std::vector<std::byte>().swap(unsent_);
  return moved(written);
}

Pump::Next Pump::source_failed(int error, const char* syscall) {
  // The last one to have the terminal open is gone: that is how a terminal ends.
  if (!(error == EIO && source_is_terminal_)) fail(error, syscall);
  return Next::end;
}

Pump::Next Pump::sink_failed(int error, const char* syscall) {
  fail(error, syscall);
  return Next::end;
}

Pump::Next Pump::moved(ssize_t size) {
  const auto count = static_cast<std::uint64_t>(size);
  bytes_ += count;
  if (!is_stopping_) return Next::run_again;
  drain_bytes_ -= std::min(drain_bytes_, count);
  // What has been read goes out; only reading more ends.
  return drain_bytes_ == 0 && unsent_.empty() ? Next::end : Next::run_again;
}

}  // namespace berth
