#include "cli/context.h"

#include <cstdio>
#include <exception>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>
#include <unistd.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/system/system_error.hpp>

#include "v1/control.pb.h"

namespace orchion::cli {

int exit_code_of(const base::Error& error) {
  switch (error.code) {
    case base::Code::kOk: return kExitOk;
    case base::Code::kCancelled: return kExitInterrupted;
    case base::Code::kNotFound: return kExitNotFound;
    case base::Code::kPermissionDenied:
    case base::Code::kUnauthenticated: return kExitNotAllowed;
    case base::Code::kAborted:
    case base::Code::kAlreadyExists: return kExitConflict;
    case base::Code::kUnavailable: return kExitUnreachable;
    case base::Code::kDeadlineExceeded: return kExitTimedOut;
    default: return kExitFailed;
  }
}

Context::Context(GlobalOptions options, ServerStarter starter)
    : options_(std::move(options)), starter_(std::move(starter)), io_(std::make_unique<boost::asio::io_context>(1)) {}

Context::~Context() {
  // The client's connections belong to the loop.
  api_.reset();
}

base::Result<std::shared_ptr<client::ApiClient>> Context::api() {
  if (!api_) {
    ASSIGN_OR_RETURN(auto connection, client::find_connection(options_.connection));
    api_ = std::make_shared<client::ApiClient>(io_->get_executor(), std::move(connection));
  }
  return api_;
}

base::Result<std::shared_ptr<client::ApiClient>> Context::api_or_start() {
  ASSIGN_OR_RETURN(auto first, api());
  auto info = run(first->call<v1::ServerInfo>("orchion.v1.ServerService.GetServer", google::protobuf::Empty()));
  if (info) return first;
  if (info.error().code != base::Code::kUnavailable || first->connection().named || !starter_)
    return std::unexpected(info.error());
  say("no server yet: starting one on this machine");
  RETURN_IF_ERROR(starter_(options_.connection));
  api_.reset();
  return api();
}

bool Context::run_until_done(base::Co<> coroutine) {
  bool interrupted = false;
  boost::asio::cancellation_signal cancel;
  boost::asio::signal_set signals(*io_, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    interrupted = true;
    cancel.emit(boost::asio::cancellation_type::all);
  });
  std::exception_ptr thrown;
  boost::asio::co_spawn(*io_, std::move(coroutine),
                        boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr e, base::Result<>) {
                          thrown = e;
                          signals.cancel();
                        }));
  io_->restart();
  io_->run();
  if (!thrown) return interrupted;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& e) {
    if (e.code() != boost::asio::error::operation_aborted) throw;
  }
  return interrupted;
}

int Context::fail(const base::Error& error) const {
  if (error.code == base::Code::kCancelled) return kExitInterrupted;
  std::cerr << "orchion: " << error.message << "\n";
  for (const auto& field : error.fields) {
    if (field.detail != error.message) std::cerr << "  " << field.pointer << ": " << field.detail << "\n";
  }
  return exit_code_of(error);
}

int Context::refuse(const base::Error& error) const {
  const int code = fail(error);
  return error.code == base::Code::kInvalidArgument ? int{kExitUsage} : code;
}

void Context::say(const std::string& line) const {
  std::cerr << line << "\n";
}

void Context::tell(const std::string& line) const {
  if (options_.progress != ProgressMode::kQuiet) say(line);
}

bool Context::confirm(const std::string& question) const {
  if (options_.yes || ::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return true;
  std::cerr << question << " [Y/n] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace orchion::cli
