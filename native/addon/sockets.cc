// Unix sockets and passing descriptors over them.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "module.h"
#include "unique-fd.h"

namespace berth {
namespace {

// SCM_MAX_FD of include/net/scm.h.
constexpr std::size_t kMaxPassedFds = 253;
constexpr int kBacklog = 128;

// False when the path does not fit. Never abstract: a path starts with a character, not with NUL.
bool make_address(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

Napi::Value make_pair(const Napi::CallbackInfo& info) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
    return throw_errno(info.Env(), errno, "socketpair");
  }
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0U, fds[0]);
  pair.Set(1U, fds[1]);
  return pair;
}

Napi::Value connect_unix(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.text(0);
  if (arguments.failed()) return info.Env().Undefined();
  sockaddr_un address;
  if (!make_address(path, address)) return throw_errno(info.Env(), ENAMETOOLONG, "connect", path);
  // Non-blocking for the connect: a peer that has stopped accepting gives EAGAIN instead of stopping us.
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return throw_errno(info.Env(), errno, "socket");
  int result;
  do {
    result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return throw_errno(info.Env(), errno, "connect", path);
  if (fcntl(fd.get(), F_SETFL, O_RDWR) < 0) return throw_errno(info.Env(), errno, "fcntl", path);
  return Napi::Number::New(info.Env(), fd.release());
}

Napi::Value listen_unix(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.text(0);
  if (arguments.failed()) return info.Env().Undefined();
  sockaddr_un address;
  if (!make_address(path, address)) return throw_errno(info.Env(), ENAMETOOLONG, "bind", path);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return throw_errno(info.Env(), errno, "socket");
  // Before bind, which gives the file the socket's own mode (unix_bind_bsd in net/unix/af_unix.c): there is no
  // moment at which somebody else could connect.
  if (fchmod(fd.get(), 0600) < 0) return throw_errno(info.Env(), errno, "fchmod", path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return throw_errno(info.Env(), errno, "bind", path);
  }
  if (listen(fd.get(), kBacklog) < 0) return throw_errno(info.Env(), errno, "listen", path);
  return Napi::Number::New(info.Env(), fd.release());
}

Napi::Value accept_connection(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int listen_fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  int fd;
  do {
    fd = accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return throw_errno(info.Env(), errno, "accept4");
  return Napi::Number::New(info.Env(), fd);
}

Napi::Value send_message(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int socket_fd = arguments.integer(0);
  const std::span<const std::uint8_t> data = arguments.bytes(1);
  const std::vector<std::int32_t> fds = arguments.integers(2);
  if (arguments.failed()) return info.Env().Undefined();
  if (fds.size() > kMaxPassedFds) return throw_errno(info.Env(), EINVAL, "sendmsg", {}, "too many descriptors");
  iovec part{const_cast<std::uint8_t*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int))] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return throw_errno(info.Env(), errno, "sendmsg");
  if (static_cast<std::size_t>(sent) != data.size()) {
    // A non-blocking stream took a part. Waiting for the rest would stop JavaScript for as long as the peer likes.
    return throw_errno(info.Env(), EMSGSIZE, "sendmsg", {}, "the peer does not read; a part was sent");
  }
  return info.Env().Undefined();
}

std::vector<UniqueFd> take_descriptors(msghdr* message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

Napi::Value receive_message(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int socket_fd = arguments.integer(0);
  const std::uint64_t max_bytes = arguments.natural(1);
  if (arguments.failed()) return info.Env().Undefined();
  std::vector<std::uint8_t> data(static_cast<std::size_t>(max_bytes));
  iovec part{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int))];
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t received;
  do {
    received = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return throw_errno(info.Env(), errno, "recvmsg");
  // Owned from here: a message that is refused leaves no descriptor behind.
  std::vector<UniqueFd> fds = take_descriptors(&message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return throw_errno(info.Env(), EMSGSIZE, "recvmsg", {}, "the message is longer than asked for");
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("data", Napi::Buffer<std::uint8_t>::Copy(info.Env(), data.data(),
                                                      static_cast<std::size_t>(received)));
  Napi::Array array = Napi::Array::New(info.Env(), fds.size());
  for (std::uint32_t i = 0; i < fds.size(); i++) array.Set(i, fds[i].release());
  result.Set("fds", array);
  return result;
}

Napi::Value peer_credentials(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const int socket_fd = arguments.integer(0);
  if (arguments.failed()) return info.Env().Undefined();
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) {
    return throw_errno(info.Env(), errno, "getsockopt", "SO_PEERCRED");
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("pid", credentials.pid);
  result.Set("uid", credentials.uid);
  result.Set("gid", credentials.gid);
  return result;
}

}  // namespace

void export_sockets(Napi::Object exports) {
  export_function(exports, "socketpair", make_pair);
  export_function(exports, "connectUnix", connect_unix);
  export_function(exports, "listenUnix", listen_unix);
  export_function(exports, "accept", accept_connection);
  export_function(exports, "sendMessage", send_message);
  export_function(exports, "receiveMessage", receive_message);
  export_function(exports, "peerCredentials", peer_credentials);
}

}  // namespace berth
