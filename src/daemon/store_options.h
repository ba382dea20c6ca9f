#pragma once

#include <filesystem>
#include <string>

namespace orchion::daemon {

// Where a server keeps the state.
struct StoreOptions {
  std::string address;  // "etcd://HOST:PORT,HOST:PORT/PREFIX"; empty: SQLite in the data folder
  // Of etcd. Without an authority it is spoken to in the clear, which is for loopback alone.
  std::filesystem::path authority;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::string user;
  std::filesystem::path password_file;

  bool is_shared() const { return !address.empty(); }
};

}  // namespace orchion::daemon
