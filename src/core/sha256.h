#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace orchion::core {

// The SHA-256 of bytes as they come.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);

  // Once; "sha256:" and 64 lower-case hexadecimal digits.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orchion::core
