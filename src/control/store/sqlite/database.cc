#include "control/store/sqlite/database.h"

#include <cassert>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::control::store {
namespace {

using base::Code;
using base::fail;

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM: return Code::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kFailedPrecondition;
    default: return Code::kUnavailable;
  }
}

std::unexpected<base::Error> fail_sqlite(sqlite3* database) {
  return fail(code_of(sqlite3_extended_errcode(database)), sqlite3_errmsg(database));
}

// SQLite would make it by the umask, and doesn't sync the folder for it.
base::Result<> create_file(const std::filesystem::path& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    if (errno != EEXIST) return base::fail_errno(errno, "creating " + path.string());
    if (::chmod(path.c_str(), 0600) != 0) return base::fail_errno(errno, "securing " + path.string());
    return {};
  }
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  const base::UniqueFd parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0) return base::fail_errno(errno, "syncing " + folder);
  return {};
}

int note_log_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value) {
  [[maybe_unused]] const int bound = sqlite3_bind_int64(statement_.get(), index, value);
  assert(bound == SQLITE_OK);
  return *this;
}

// A null pointer would bind NULL instead of the empty value.
Statement& Statement::bind_text(int index, std::string_view value) {
  [[maybe_unused]] const int bound = sqlite3_bind_text64(statement_.get(), index, value.empty() ? "" : value.data(),
                                                         value.size(), SQLITE_STATIC, SQLITE_UTF8);
  assert(bound == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  [[maybe_unused]] const int bound =
      sqlite3_bind_blob64(statement_.get(), index, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
  assert(bound == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(statement_.get(), index);
  return *this;
}

base::Result<bool> Statement::step() {
  const int stepped = sqlite3_step(statement_.get());
  if (stepped == SQLITE_ROW) return true;
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  base::Result<bool> result = false;
  if (stepped != SQLITE_DONE) result = fail_sqlite(database);
  reset();
  return result;
}

base::Result<> Statement::run() {
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, step());
    if (!row) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)) : std::string();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

base::Result<Database> Database::open(const std::filesystem::path& path, const std::string& vfs) {
  RETURN_IF_ERROR(create_file(path));
  Database result;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                                   vfs.empty() ? nullptr : vfs.c_str());
  result.database_.reset(opened);
  if (opened == nullptr) return fail(Code::kResourceExhausted, "no memory is left to open " + path.string());
  if (code != SQLITE_OK) return fail_sqlite(opened);
  sqlite3_extended_result_codes(opened, 1);
  RETURN_IF_ERROR(result.configure());
  return result;
}

base::Result<> Database::configure() {
  // Exclusive: two servers on one folder would each believe in its own view. It also spares the shared memory file.
  RETURN_IF_ERROR(run("PRAGMA locking_mode = EXCLUSIVE"));
  RETURN_IF_ERROR(run("PRAGMA journal_mode = WAL"));
  RETURN_IF_ERROR(run("PRAGMA synchronous = FULL"));
  // The control plane reads from its view: the cache serves lookups by key only.
  RETURN_IF_ERROR(run("PRAGMA cache_size = -1024"));
  // Replaces SQLite's own checkpoints, which would hide their errors.
  sqlite3_wal_hook(database_.get(), note_log_pages, log_pages_.get());
  return {};
}

base::Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  statement.statement_.reset(prepared);
  if (code != SQLITE_OK) return fail_sqlite(database_.get());
  return statement;
}

base::Result<> Database::run(std::string_view sql) {
  ASSIGN_OR_RETURN(auto statement, prepare(sql));
  return statement.run();
}

base::Result<std::int64_t> Database::integer(std::string_view sql) {
  ASSIGN_OR_RETURN(auto statement, prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.step());
  if (!row) return fail(Code::kDataLoss, "a row is missing");
  return statement.integer(0);
}

int Database::changes() const {
  return sqlite3_changes(database_.get());
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(database_.get()) == 0;
}

base::Result<> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(database_.get());
  *log_pages_ = 0;
  return {};
}

void Database::leave_log_alone() {
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace orchion::control::store
