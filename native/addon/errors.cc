#include "errors.h"

#include <cerrno>
#include <cstring>

namespace berth {
namespace {

const char* known_errno_name(int error) {
#define NAME(name) \
  case name:       \
    return #name;
  switch (error) {
    NAME(EPERM)
    NAME(ENOENT)
    NAME(ESRCH)
    NAME(EINTR)
    NAME(EIO)
    NAME(ENXIO)
    NAME(E2BIG)
    NAME(ENOEXEC)
    NAME(EBADF)
    NAME(ECHILD)
    NAME(EAGAIN)
    NAME(ENOMEM)
    NAME(EACCES)
    NAME(EFAULT)
    NAME(ENOTBLK)
    NAME(EBUSY)
    NAME(EEXIST)
    NAME(EXDEV)
    NAME(ENODEV)
    NAME(ENOTDIR)
    NAME(EISDIR)
    NAME(EINVAL)
    NAME(ENFILE)
    NAME(EMFILE)
    NAME(ENOTTY)
    NAME(ETXTBSY)
    NAME(EFBIG)
    NAME(ENOSPC)
    NAME(ESPIPE)
    NAME(EROFS)
    NAME(EMLINK)
    NAME(EPIPE)
    NAME(EDOM)
    NAME(ERANGE)
    NAME(EDEADLK)
    NAME(ENAMETOOLONG)
    NAME(ENOLCK)
    NAME(ENOSYS)
    NAME(ENOTEMPTY)
    NAME(ELOOP)
    NAME(ENOMSG)
    NAME(EIDRM)
    NAME(ECHRNG)
    NAME(EL2NSYNC)
    NAME(EL3HLT)
    NAME(EL3RST)
    NAME(ELNRNG)
    NAME(EUNATCH)
    NAME(ENOCSI)
    NAME(EL2HLT)
    NAME(EBADE)
    NAME(EBADR)
    NAME(EXFULL)
    NAME(ENOANO)
    NAME(EBADRQC)
    NAME(EBADSLT)
    NAME(EBFONT)
    NAME(ENOSTR)
    NAME(ENODATA)
    NAME(ETIME)
    NAME(ENOSR)
    NAME(ENONET)
    NAME(ENOPKG)
    NAME(EREMOTE)
    NAME(ENOLINK)
    NAME(EADV)
    NAME(ESRMNT)
    NAME(ECOMM)
    NAME(EPROTO)
    NAME(EMULTIHOP)
    NAME(EDOTDOT)
    NAME(EBADMSG)
    NAME(EOVERFLOW)
    NAME(ENOTUNIQ)
    NAME(EBADFD)
    NAME(EREMCHG)
    NAME(ELIBACC)
    NAME(ELIBBAD)
    NAME(ELIBSCN)
    NAME(ELIBMAX)
    NAME(ELIBEXEC)
    NAME(EILSEQ)
    NAME(ERESTART)
    NAME(ESTRPIPE)
    NAME(EUSERS)
    NAME(ENOTSOCK)
    NAME(EDESTADDRREQ)
    NAME(EMSGSIZE)
    NAME(EPROTOTYPE)
    NAME(ENOPROTOOPT)
    NAME(EPROTONOSUPPORT)
    NAME(ESOCKTNOSUPPORT)
    NAME(EOPNOTSUPP)
    NAME(EPFNOSUPPORT)
    NAME(EAFNOSUPPORT)
    NAME(EADDRINUSE)
    NAME(EADDRNOTAVAIL)
    NAME(ENETDOWN)
    NAME(ENETUNREACH)
    NAME(ENETRESET)
    NAME(ECONNABORTED)
    NAME(ECONNRESET)
    NAME(ENOBUFS)
    NAME(EISCONN)
    NAME(ENOTCONN)
    NAME(ESHUTDOWN)
    NAME(ETOOMANYREFS)
    NAME(ETIMEDOUT)
    NAME(ECONNREFUSED)
    NAME(EHOSTDOWN)
    NAME(EHOSTUNREACH)
    NAME(EALREADY)
    NAME(EINPROGRESS)
    NAME(ESTALE)
    NAME(EUCLEAN)
    NAME(ENOTNAM)
    NAME(ENAVAIL)
    NAME(EISNAM)
    NAME(EREMOTEIO)
    NAME(EDQUOT)
    NAME(ENOMEDIUM)
    NAME(EMEDIUMTYPE)
    NAME(ECANCELED)
    NAME(ENOKEY)
    NAME(EKEYEXPIRED)
    NAME(EKEYREVOKED)
    NAME(EKEYREJECTED)
    NAME(EOWNERDEAD)
    NAME(ENOTRECOVERABLE)
    NAME(ERFKILL)
    NAME(EHWPOISON)
    // Kernel-internal (include/linux/errno.h), but some drivers and file systems let it out.
    case 524:
      return "ENOTSUPP";
    default:
      return nullptr;
  }
#undef NAME
}

}  // namespace

std::string errno_name(int error) {
  const char* name = known_errno_name(error);
  return name != nullptr ? std::string(name) : "E" + std::to_string(error);
}

Napi::Error make_errno_error(Napi::Env env, int error, std::string_view syscall,
                             std::string_view path, std::string_view detail) {
  char buffer[128];
  std::string message(syscall);
  if (!path.empty()) message.append(" ").append(path);
  message.append(": ").append(strerror_r(error, buffer, sizeof buffer));
  if (!detail.empty()) message.append(": ").append(detail);
  Napi::Error thrown = Napi::Error::New(env, message);
  thrown.Set("code", Napi::String::New(env, errno_name(error)));
  thrown.Set("errno", Napi::Number::New(env, error));
  thrown.Set("syscall", Napi::String::New(env, std::string(syscall)));
  return thrown;
}

Napi::Value throw_errno(Napi::Env env, int error, std::string_view syscall, std::string_view path,
                        std::string_view detail) {
  make_errno_error(env, error, syscall, path, detail).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace berth
