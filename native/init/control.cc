#include "control.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace berth {

InitState state;

namespace {

constexpr std::size_t kDetailLimitBytes = 1024;

void send_report(int socket, const Report& report, const char* detail, int descriptor) {
  iovec parts[2];
  parts[0].iov_base = const_cast<Report*>(&report);
  parts[0].iov_len = sizeof report;
  parts[1].iov_base = const_cast<char*>(detail == nullptr ? "" : detail);
  parts[1].iov_len = detail == nullptr ? 0 : strnlen(detail, kDetailLimitBytes);
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) unsigned char space[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  // A parent that is gone cannot be told anything; whoever waits for us sees us end.
  while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

}  // namespace

int descriptor_of(Descriptor descriptor) {
  return state.first_extra_fd + static_cast<int>(descriptor.index);
}

void report(ReportKind kind, std::int32_t value, int descriptor) {
  send_report(state.control_fd, Report{kind, state.op_index, Step::Sendmsg, value}, nullptr, descriptor);
}

void await_go() {
  unsigned char go;
  ssize_t received;
  do {
    received = recv(state.control_fd, &go, sizeof go, 0);
  } while (received < 0 && errno == EINTR);
  if (received < 0) fail(Step::Recvmsg, errno);
  if (received == 0) _exit(1);
}

void fail(Step step, int error, const char* detail) {
  const Report failure{ReportKind::Failure, state.op_index, step, error};
  send_report(state.control_fd, failure, detail, -1);
  if (state.start_fd >= 0) send_report(state.start_fd, failure, detail, -1);
  // The shell's convention for what could not be executed; the runtime maps the report itself.
  _exit(error == ENOENT ? 127 : 126);
}

void fail_decoding() { fail(Step::DecodePlan, EBADMSG); }

}  // namespace berth
