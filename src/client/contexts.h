#pragma once

// Servers that the user gave names, in a file of theirs. Tokens are named by their files, never kept.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::client {

struct NamedServer {
  std::string name;
  std::string server;      // as --server takes it
  std::string token_file;  // absolute; empty: none is named

  bool operator==(const NamedServer&) const = default;
};

struct Contexts {
  std::vector<NamedServer> all;  // by name
  std::string current;           // empty: the server of this machine is meant

  const NamedServer* find(const std::string& name) const;

  bool operator==(const Contexts&) const = default;
};

// "orchion/contexts.json" in the XDG configuration folder.
std::filesystem::path contexts_file();

// None where there is no such file; kInvalidArgument where it isn't what write_contexts wrote.
base::Result<Contexts> read_contexts(const std::filesystem::path& file);

// Whole or not at all, 0600; missing folders are made.
base::Result<> write_contexts(const std::filesystem::path& file, const Contexts& contexts);

// The file's text.
std::string contexts_json(const Contexts& contexts);

}  // namespace orchion::client
