// The program that runs inside the containers of the conformance suites. It is static, so it needs
// nothing of the root file system, and prints what a process sees as one JSON object.
//
//   report facts [PATH...]   everything about this process, and an lstat with open results of each PATH
//   report hold [FILE]       prints "ready", waits for a signal, prints its number, exits with it
//   report errno NUMBER      calls system call NUMBER with zero arguments, prints the errno
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern char **environ;

namespace {

std::string quote(const std::string &text) {
  std::string out = "\"";
  for (const char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    if (raw == '"' || raw == '\\') {
      out += '\\';
      out += raw;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += raw;
    }
  }
  return out + "\"";
}

std::string slurp(const char *path) {
  std::string out;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return out;
  char chunk[4096];
  for (;;) {
    const ssize_t got = read(fd, chunk, sizeof chunk);
    if (got <= 0) break;
    out.append(chunk, static_cast<std::size_t>(got));
  }
  close(fd);
  return out;
}

std::string linkOf(const std::string &path) {
  char target[4096];
  const ssize_t got = readlink(path.c_str(), target, sizeof target);
  return got < 0 ? "" : std::string(target, static_cast<std::size_t>(got));
}

class Object {
 public:
  void raw(const std::string &key, const std::string &json) {
    text_ += (text_.empty() ? "" : ",") + quote(key) + ":" + json;
  }
  void string(const std::string &key, const std::string &value) { raw(key, quote(value)); }
  void number(const std::string &key, long long value) { raw(key, std::to_string(value)); }
  void boolean(const std::string &key, bool value) { raw(key, value ? "true" : "false"); }
  std::string json() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string array(const std::vector<std::string> &items) {
  std::string out = "[";
  for (std::size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : ",") + items[i];
  return out + "]";
}

std::vector<std::string> lines(const std::string &text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = text.find('\n', start);
    const std::size_t stop = end == std::string::npos ? text.size() : end;
    out.push_back(text.substr(start, stop - start));
    start = stop + 1;
  }
  return out;
}

std::string statusJson() {
  Object status;
  for (const std::string &line : lines(slurp("/proc/self/status"))) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::size_t start = colon + 1;
    while (start < line.size() && (line[start] == '\t' || line[start] == ' ')) ++start;
    status.string(line.substr(0, colon), line.substr(start));
  }
  return status.json();
}

std::string namespacesJson() {
  Object spaces;
  for (const char *name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"})
    spaces.string(name, linkOf(std::string("/proc/self/ns/") + name));
  return spaces.json();
}

std::string limitsJson() {
  struct Row {
    const char *name;
    __rlimit_resource resource;
  };
  const Row rows[] = {
      {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},
      {"RLIMIT_CPU", RLIMIT_CPU},         {"RLIMIT_DATA", RLIMIT_DATA},
      {"RLIMIT_FSIZE", RLIMIT_FSIZE},     {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
      {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
      {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},
      {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
      {"RLIMIT_STACK", RLIMIT_STACK},
  };
  Object limits;
  for (const Row &row : rows) {
    rlimit limit{};
    getrlimit(row.resource, &limit);
    Object pair;
    pair.string("soft", std::to_string(limit.rlim_cur));
    pair.string("hard", std::to_string(limit.rlim_max));
    limits.raw(row.name, pair.json());
  }
  return limits.json();
}

std::string descriptorsJson() {
  Object fds;
  DIR *dir = opendir("/proc/self/fd");
  if (dir == nullptr) return fds.json();
  while (const dirent *entry = readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    if (std::atoi(entry->d_name) == dirfd(dir)) continue;
    fds.string(entry->d_name, linkOf(std::string("/proc/self/fd/") + entry->d_name));
  }
  closedir(dir);
  return fds.json();
}

std::string mountsJson() {
  std::vector<std::string> out;
  for (const std::string &line : lines(slurp("/proc/self/mountinfo"))) out.push_back(quote(line));
  return array(out);
}

const char *kindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    case S_IFCHR: return "char";
    case S_IFBLK: return "block";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    default: return "unknown";
  }
}

/** 0 when it opens; the device behind is not read or written. */
int openErrno(const char *path, int flags) {
  const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

std::string pathJson(const char *path) {
  Object out;
  struct stat info {};
  if (lstat(path, &info) != 0) {
    out.number("errno", errno);
    return out.json();
  }
  out.number("errno", 0);
  out.string("type", kindOf(info.st_mode));
  out.number("mode", info.st_mode & 07777);
  out.number("uid", info.st_uid);
  out.number("gid", info.st_gid);
  out.number("size", info.st_size);
  out.number("major", major(info.st_rdev));
  out.number("minor", minor(info.st_rdev));
  out.string("link", linkOf(path));
  out.number("readErrno", openErrno(path, O_RDONLY));
  if (S_ISDIR(info.st_mode)) {
    const std::string child = std::string(path) + "/.write-probe";
    const int fd = open(child.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    out.number("writeErrno", fd < 0 ? errno : 0);
    if (fd >= 0) {
      close(fd);
      unlink(child.c_str());
    }
    std::vector<std::string> names;
    if (DIR *dir = opendir(path)) {
      while (const dirent *entry = readdir(dir))
        if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
          names.push_back(quote(entry->d_name));
      closedir(dir);
    }
    out.raw("entries", array(names));
  } else {
    out.number("writeErrno", openErrno(path, O_WRONLY));
    if (S_ISREG(info.st_mode)) {
      char first = 0;
      const int fd = open(path, O_RDONLY | O_CLOEXEC);
      out.number("bytes", fd < 0 ? -1 : read(fd, &first, 1));
      if (fd >= 0) close(fd);
    }
  }
  return out.json();
}

std::string keyringJson() {
  char text[256] = {};
  const long serial = syscall(SYS_keyctl, 0 /* get id */, -3 /* session */, 0, 0, 0);
  const long got = syscall(SYS_keyctl, 6 /* describe */, -3, text, sizeof text - 1, 0);
  Object out;
  out.number("serial", serial);
  out.string("description", got < 0 ? "" : text);
  return out.json();
}

void facts(int count, char **paths) {
  Object out;
  out.number("pid", getpid());
  out.number("ppid", getppid());
  out.number("pgid", getpgid(0));
  out.number("sid", getsid(0));
  uid_t real = 0, effective = 0, saved = 0;
  getresuid(&real, &effective, &saved);
  out.raw("uids", array({std::to_string(real), std::to_string(effective), std::to_string(saved)}));
  gid_t realGid = 0, effectiveGid = 0, savedGid = 0;
  getresgid(&realGid, &effectiveGid, &savedGid);
  out.raw("gids", array({std::to_string(realGid), std::to_string(effectiveGid), std::to_string(savedGid)}));
  gid_t groups[64];
  const int groupCount = getgroups(64, groups);
  std::vector<std::string> groupItems;
  for (int i = 0; i < groupCount; ++i) groupItems.push_back(std::to_string(groups[i]));
  out.raw("groups", array(groupItems));
  const mode_t mask = umask(0);
  umask(mask);
  out.number("umask", mask);
  char cwd[4096];
  out.string("cwd", getcwd(cwd, sizeof cwd) == nullptr ? std::string("errno ") + std::to_string(errno) : cwd);
  utsname names{};
  uname(&names);
  out.string("hostname", names.nodename);
  out.string("domainname", names.domainname);
  out.number("noNewPrivs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  out.number("seccomp", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
  out.number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
  out.number("pdeathsig", [] {
    int signal = 0;
    prctl(PR_GET_PDEATHSIG, &signal);
    return signal;
  }());
  out.string("oomScoreAdj", slurp("/proc/self/oom_score_adj"));
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  std::vector<std::string> blockedItems;
  for (int n = 1; n < 65; ++n)
    if (sigismember(&blocked, n) == 1) blockedItems.push_back(std::to_string(n));
  out.raw("blockedSignals", array(blockedItems));
  out.raw("status", statusJson());
  out.raw("namespaces", namespacesJson());
  out.raw("rlimits", limitsJson());
  out.raw("fds", descriptorsJson());
  out.raw("mountinfo", mountsJson());
  std::vector<std::string> cgroups;
  for (const std::string &line : lines(slurp("/proc/self/cgroup"))) cgroups.push_back(quote(line));
  out.raw("cgroup", array(cgroups));
  std::vector<std::string> env;
  for (char **entry = environ; *entry != nullptr; ++entry) env.push_back(quote(*entry));
  out.raw("env", array(env));
  Object tty;
  for (int fd = 0; fd < 3; ++fd) tty.boolean(std::to_string(fd), isatty(fd) == 1);
  const char *name = isatty(0) == 1 ? ttyname(0) : nullptr;
  tty.string("name", name == nullptr ? "" : name);
  winsize window{};
  ioctl(0, TIOCGWINSZ, &window);
  tty.number("rows", window.ws_row);
  tty.number("cols", window.ws_col);
  const int controlling = open("/dev/tty", O_RDWR | O_CLOEXEC);
  tty.boolean("controlling", controlling >= 0);
  if (controlling >= 0) close(controlling);
  out.raw("tty", tty.json());
  out.raw("keyring", keyringJson());
  out.string("uidMap", slurp("/proc/self/uid_map"));
  out.string("gidMap", slurp("/proc/self/gid_map"));
  out.string("exe", linkOf("/proc/self/exe"));
  Object pathFacts;
  for (int i = 0; i < count; ++i) pathFacts.raw(paths[i], pathJson(paths[i]));
  out.raw("paths", pathFacts.json());
  std::printf("%s\n", out.json().c_str());
}

int hold(const char *file) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  if (file == nullptr) {
    std::printf("ready\n");
    std::fflush(stdout);
  } else {
    const int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, "ready\n", 6) != 6) return 125;
    close(fd);
  }
  for (;;) {
    int signal = 0;
    sigwait(&all, &signal);
    if (signal == SIGCHLD || signal == SIGWINCH || signal == SIGCONT) continue;
    std::printf("signal %d\n", signal);
    return signal;
  }
}

}  // namespace

int main(int argc, char **argv) {
  const std::string mode = argc < 2 ? "facts" : argv[1];
  if (mode == "facts") {
    facts(argc < 2 ? 0 : argc - 2, argv + 2);
    return 0;
  }
  if (mode == "hold") return hold(argc > 2 ? argv[2] : nullptr);
  if (mode == "errno" && argc == 3) {
    errno = 0;
    const long result = syscall(std::atol(argv[2]), 0, 0, 0, 0, 0, 0);
    std::printf("%d\n", result < 0 ? errno : 0);
    return 0;
  }
  std::fprintf(stderr, "report: found %s, want facts, hold or errno\n", mode.c_str());
  return 2;
}
