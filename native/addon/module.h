// Each file adds the functions of its concern to the addon's exports.
#pragma once
#include <napi.h>

namespace berth {

void export_spawn(Napi::Object exports);
void export_processes(Napi::Object exports);
void export_exits(Napi::Object exports);
void export_readiness(Napi::Object exports);
void export_descriptors(Napi::Object exports);
void export_fifos(Napi::Object exports);
void export_memfds(Napi::Object exports);
void export_sockets(Napi::Object exports);
void export_mounts(Napi::Object exports);
void export_pumps(Napi::Object exports);
void export_terminals(Napi::Object exports);
void export_seccomp(Napi::Object exports);
void export_bpf(Napi::Object exports);

using Implementation = Napi::Value (*)(const Napi::CallbackInfo&);

inline void export_function(Napi::Object exports, const char* name, Implementation implementation) {
  exports.Set(name, Napi::Function::New(exports.Env(), implementation, name));
}

}  // namespace berth
