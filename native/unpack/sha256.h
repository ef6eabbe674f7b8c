// SHA-256 over a stream. libcrypto's block function, because it is the fastest there is without SHA instructions.
#pragma once

// The low-level calls are marked deprecated in favour of providers, which a static program cannot load.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <string>

namespace berth::unpack {

class Sha256 {
 public:
  Sha256() { SHA256_Init(&state_); }

  void Update(const void* data, std::size_t size) { SHA256_Update(&state_, data, size); }

  // `sha256:<hex>`; the object is used up.
  std::string Finish() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
    SHA256_Final(sum.data(), &state_);
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text = "sha256:";
    for (const unsigned char byte : sum) {
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
    return text;
  }

 private:
  SHA256_CTX state_{};
};

}  // namespace berth::unpack
