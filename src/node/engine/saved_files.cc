// Files of containers that ended, which the engine hands out itself.

#include <fcntl.h>

#include <cerrno>
#include <string_view>

#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "node/runtimes/engine/engine_runtime.h"

namespace orchion::node::runtimes::engine {

namespace {

base::Result<> write_all(int out, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(out, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, "cannot write what a container left");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

base::Co<> write_body(wire::BodyReader* body, std::int64_t bytes_max, int out) {
  std::int64_t written = 0;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await body->read());
    if (!piece) co_return base::Result<>{};
    written += std::ssize(*piece);
    if (bytes_max > 0 && written > bytes_max)
      co_return base::fail(base::Code::kResourceExhausted, fmt::format("it is more than {} MiB", bytes_max >> 20));
    CO_RETURN_IF_ERROR(write_all(out, *piece));
  }
}

}  // namespace

base::Co<> EngineRuntime::save_files(std::string id, std::string path, std::int64_t bytes_max,
                                     std::filesystem::path file) {
  CO_ASSIGN_OR_RETURN(const auto* record, find_record(id));
  CO_ASSIGN_OR_RETURN(const auto body, co_await client_->read_files(record->engine_id, path));
  const base::UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) co_return base::fail_errno(errno, "cannot write " + file.native());
  auto written = co_await write_body(body.get(), bytes_max, out.get());
  if (!written) ::unlink(file.c_str());
  co_return written;
}

}  // namespace orchion::node::runtimes::engine
