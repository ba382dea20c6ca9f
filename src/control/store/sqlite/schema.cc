#include "control/store/sqlite/schema.h"

#include <fmt/format.h>

#include "base/random.h"

namespace orchion::control::store {
namespace {

using base::Code;
using base::fail;

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::int64_t kApplicationId = 0x6f726368;  // "orch"

// Rowid tables: measured two to three times faster here than WITHOUT ROWID.
constexpr const char* kTables[] = {
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, revision INTEGER NOT NULL,"
    " compacted INTEGER NOT NULL)",
    "CREATE TABLE entries (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, created INTEGER NOT NULL,"
    " revision INTEGER NOT NULL)",
    "CREATE TABLE history (id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB)",
};

base::Result<> create_tables(Database& database) {
  RETURN_IF_ERROR(database.run("BEGIN IMMEDIATE"));
  for (const char* sql : kTables) RETURN_IF_ERROR(database.run(sql));
  ASSIGN_OR_RETURN(auto insert, database.prepare("INSERT INTO state (id, epoch, revision, compacted)"
                                                 " VALUES (1, ?1, 0, 0)"));
  auto random = base::Random::from_system();
  const std::string epoch = random.text(16);
  RETURN_IF_ERROR(insert.bind_text(1, epoch).run());
  RETURN_IF_ERROR(database.run(fmt::format("PRAGMA application_id = {}", kApplicationId)));
  RETURN_IF_ERROR(database.run(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
  return database.run("COMMIT");
}

base::Result<> check_whole(Database& database) {
  ASSIGN_OR_RETURN(auto check, database.prepare("PRAGMA quick_check(1)"));
  ASSIGN_OR_RETURN(const bool row, check.step());
  if (row && check.bytes(0) == "ok") return {};
  return fail(Code::kDataLoss, row ? check.bytes(0) : "it can't be checked");
}

base::Result<> check_version(Database& database) {
  ASSIGN_OR_RETURN(const auto version, database.integer("PRAGMA user_version"));
  ASSIGN_OR_RETURN(const auto application, database.integer("PRAGMA application_id"));
  ASSIGN_OR_RETURN(const auto tables, database.integer("SELECT count(*) FROM sqlite_schema"));
  if (version == 0 && application == 0 && tables == 0) return create_tables(database);
  if (application != kApplicationId) return fail(Code::kDataLoss, "it is another program's database");
  if (version > kSchemaVersion) {
    return fail(Code::kFailedPrecondition,
                fmt::format("it was written by a newer version of orchion (format {}, this one knows {}); run that "
                            "version or a newer one",
                            version, kSchemaVersion));
  }
  return check_whole(database);
}

base::Result<Database> open_checked(const std::filesystem::path& path, const std::string& vfs) {
  ASSIGN_OR_RETURN(auto database, Database::open(path, vfs));
  // What a crash left in the log is written to the database and synced before anything is built on it: after a failed
  // sync the log may be readable from memory without being on the disk.
  RETURN_IF_ERROR(database.checkpoint());
  RETURN_IF_ERROR(check_version(database));
  return database;
}

}  // namespace

base::Result<Database> open_database(const std::filesystem::path& path, const std::string& vfs) {
  auto database = open_checked(path, vfs);
  if (database) return database;
  const auto& error = database.error();
  if (error.code == Code::kDataLoss) {
    return fail(error.code, fmt::format("{} is damaged or not a store of orchion ({}); restore it from a backup, or "
                                        "move it away to begin with an empty cluster",
                                        path.string(), error.message));
  }
  if (error.code == Code::kFailedPrecondition && error.message.find("locked") != std::string::npos) {
    return fail(error.code, fmt::format("{} is in use by another server; stop that one, or choose another folder with "
                                        "--data",
                                        path.string()));
  }
  return fail(error.code, fmt::format("can't open the store {}: {}", path.string(), error.message));
}

base::Result<StoredState> read_state(Database& database) {
  ASSIGN_OR_RETURN(auto select, database.prepare("SELECT epoch, revision, compacted FROM state WHERE id = 1"));
  ASSIGN_OR_RETURN(const bool row, select.step());
  if (!row) return fail(Code::kDataLoss, "the store has lost its epoch; restore it from a backup");
  return StoredState{select.bytes(0), static_cast<Revision>(select.integer(1)),
                     static_cast<Revision>(select.integer(2))};
}

}  // namespace orchion::control::store
