#pragma once

// The whole state as a file, out of a store and into one, while no server runs.

#include <filesystem>
#include <string>

#include "base/error.h"
#include "daemon/store_options.h"

namespace orchion::daemon {

struct StateFile {
  std::filesystem::path file;
  std::filesystem::path data;  // the data folder: of the cluster's keys, and of the state where `store` names no other
  StoreOptions store;
};

enum class Tokens {
  kKept,
  kVoid,  // some may have been revoked since
};

// Into an empty store, and the cluster's keys into the data folder. Blocks. What to tell the user. kFailedPrecondition:
// a server runs on the data folder, the store isn't empty, or the folder is another cluster's.
base::Result<std::string> restore_state(const StateFile& from, Tokens tokens);

// Likewise; the file is whole or not there.
base::Result<std::string> export_state(const StateFile& to);

}  // namespace orchion::daemon
