// The receiving end of --console-socket for the conformance suites.
//
//   console SOCKET ROWS COLS
//
// Listens on SOCKET, says "listening" on standard error, takes one connection and from it the
// terminal's controlling side, sets its size, and copies: terminal to standard output, standard
// input to terminal, until the other side is closed.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[noreturn]] void fail(const char *action) {
  std::fprintf(stderr, "console: %s: %s\n", action, std::strerror(errno));
  std::exit(1);
}

int receiveTerminal(int connection) {
  char name[4096];
  iovec data{name, sizeof name};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0) fail("receive the terminal");
  const cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    errno = EBADMSG;
    fail("receive the terminal");
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

bool copy(int from, int to) {
  char chunk[4096];
  const ssize_t got = read(from, chunk, sizeof chunk);
  if (got <= 0) return false;
  for (ssize_t done = 0; done < got;) {
    const ssize_t put = write(to, chunk + done, static_cast<size_t>(got - done));
    if (put < 0) fail("write");
    done += put;
  }
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: console SOCKET ROWS COLS\n");
    return 2;
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("make the socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) fail("bind");
  if (listen(listener, 1) != 0) fail("listen");
  std::fprintf(stderr, "listening\n");
  const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (connection < 0) fail("accept");
  const int terminal = receiveTerminal(connection);
  winsize size{};
  size.ws_row = static_cast<unsigned short>(std::atoi(argv[2]));
  size.ws_col = static_cast<unsigned short>(std::atoi(argv[3]));
  if (ioctl(terminal, TIOCSWINSZ, &size) != 0) fail("set the window size");
  std::fprintf(stderr, "received\n");
  pollfd watched[2] = {{terminal, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    if (poll(watched, 2, -1) < 0) fail("poll");
    if (watched[0].revents != 0 && !copy(terminal, STDOUT_FILENO)) return 0;
    if (watched[1].revents != 0 && !copy(STDIN_FILENO, terminal)) watched[1].fd = -1;
  }
}
