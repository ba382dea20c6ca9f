#pragma once

// The tables, and whether a file holds them.

#include <filesystem>
#include <string>

#include "control/store/sqlite/database.h"
#include "control/store/store.h"

namespace orchion::control::store {

// What the file says of itself.
struct StoredState {
  std::string epoch;
  Revision revision = 0;
  Revision compacted = 0;  // history begins after this revision
};

// In `history` a change's id is its commit's revision times this, plus its place in the commit.
constexpr std::int64_t kHistoryStride = 128;
static_assert(kHistoryStride >= static_cast<std::int64_t>(kOperationsMax));

// Opens the database at `path`, makes the tables of a new one with a new random epoch, and refuses with one sentence
// what is damaged, of a newer version, or not ours.
base::Result<Database> open_database(const std::filesystem::path& path, const std::string& vfs);

base::Result<StoredState> read_state(Database& database);

}  // namespace orchion::control::store
