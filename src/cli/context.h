#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/output_format.h"
#include "client/api_client.h"

namespace boost::asio {
class io_context;
}

namespace orchion::cli {

// How it is shown that something goes on: drawn in place on a terminal, line by line elsewhere, or not at all.
enum class ProgressMode { kAuto, kTty, kPlain, kQuiet };

struct GlobalOptions {
  client::ConnectionSettings connection;
  std::string stack;  // --stack; empty: not said
  Output output;
  ProgressMode progress = ProgressMode::kAuto;
  bool yes = false;
};

// Exit codes, as documented in docs/reference/exit-codes.md.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitNotAllowed = 4,
  kExitConflict = 5,
  kExitUnreachable = 6,
  kExitTimedOut = 7,
  kExitChanges = 10,
  kExitInterrupted = 130,
};

int exit_code_of(const base::Error& error);

// Starts a server on this machine in the background and returns when it answers.
using ServerStarter = std::function<base::Result<>(const client::ConnectionSettings&)>;

// What a command works with. One thread.
class Context {
 public:
  Context(GlobalOptions options, ServerStarter starter);
  ~Context();

  const GlobalOptions& options() const { return options_; }
  base::Clock& clock() { return clock_; }

  // The server's client, made at the first call.
  base::Result<std::shared_ptr<client::ApiClient>> api();

  // As api(), after starting a server where none answers and the user named none.
  base::Result<std::shared_ptr<client::ApiClient>> api_or_start();

  // Runs `coroutine` to its end; on Ctrl-C it is cancelled and the result is kCancelled.
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    const bool interrupted = run_until_done(store_result<T>(std::move(coroutine), &result));
    // What broke off by that says what it likes.
    if (!result || (interrupted && !*result)) return base::fail(base::Code::kCancelled, "interrupted");
    return std::move(*result);
  }

  boost::asio::io_context& io() { return *io_; }

  // Prints "orchion: message" (and each field) to standard error; returns the exit code.
  int fail(const base::Error& error) const;

  // The same about what was typed: kInvalidArgument is wrong use.
  int refuse(const base::Error& error) const;

  // One line to standard error, for people.
  void say(const std::string& line) const;

  // The same about what went as it should; not with --progress quiet.
  void tell(const std::string& line) const;

  // Asks on the terminal; true without asking where --yes was given or nobody could answer.
  bool confirm(const std::string& question) const;

 private:
  template <class T>
  static base::Co<> store_result(base::Co<T> coroutine, std::optional<base::Result<T>>* out) {
    out->emplace(co_await std::move(coroutine));
    co_return base::Result<>{};
  }
  bool run_until_done(base::Co<> coroutine);  // whether a signal interrupted it

  GlobalOptions options_;
  ServerStarter starter_;
  std::unique_ptr<boost::asio::io_context> io_;
  base::SystemClock clock_;
  std::shared_ptr<client::ApiClient> api_;
};

}  // namespace orchion::cli
