#pragma once

// SQLite's C interface as values that clean up after themselves. Blocks; one thread at a time.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace orchion::control::store {

// One prepared statement. What is bound must live until the next reset(). Must not outlive its database.
class Statement {
 public:
  Statement() = default;

  Statement& bind(int index, std::int64_t value);
  Statement& bind_text(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);
  Statement& bind_null(int index);

  // True: there is a row. After false or an error the statement is reset.
  base::Result<bool> step();

  // Steps to the end. The bindings stay.
  base::Result<> run();
  void reset();

  std::int64_t integer(int column) const;
  std::string bytes(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// A database in WAL mode that nobody else can open at the same time. Every commit is fsynced.
//
// Errors: kResourceExhausted: no space or memory, nothing was done. kDataLoss: the file is damaged or no database.
// kFailedPrecondition: another process has it open. kUnavailable: all else, an I/O error mostly.
class Database {
 public:
  // Creates the file, for its owner only, where there is none. `vfs` names one of SQLite's file layers; empty: the
  // default.
  static base::Result<Database> open(const std::filesystem::path& path, const std::string& vfs);

  base::Result<Statement> prepare(std::string_view sql);

  // For statements that run once.
  base::Result<> run(std::string_view sql);
  base::Result<std::int64_t> integer(std::string_view sql);

  // Rows that the last statement changed.
  int changes() const;
  bool in_transaction() const;

  // Pages in the write-ahead log, as of the last commit.
  int log_pages() const { return *log_pages_; }

  // Copies the write-ahead log into the database and syncs it; the log is then written from its start again.
  base::Result<> checkpoint();

  // Closing copies the log into the database; after a failed sync that must not happen.
  void leave_log_alone();

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };

  base::Result<> configure();

  std::unique_ptr<sqlite3, Close> database_;
  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
};

}  // namespace orchion::control::store
