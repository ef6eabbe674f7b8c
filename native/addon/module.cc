// The addon's entry: native/binding.ts says what each function does.
#include "module.h"

namespace {

Napi::Object initialize(Napi::Env, Napi::Object exports) {
  berth::export_spawn(exports);
  berth::export_processes(exports);
  berth::export_exits(exports);
  berth::export_readiness(exports);
  berth::export_descriptors(exports);
  berth::export_fifos(exports);
  berth::export_memfds(exports);
  berth::export_sockets(exports);
  berth::export_mounts(exports);
  berth::export_pumps(exports);
  berth::export_terminals(exports);
  berth::export_seccomp(exports);
  berth::export_bpf(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(berth, initialize)
