#include "node/engine/saved_files.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/file.h"
#include "base/write_all.h"

namespace orchion::node::engine {

using namespace std::chrono_literals;

namespace {

constexpr int kTries = 12;

// Two blocks of zeros: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kTarEnd = 2 * kTarBlock;

base::Co<> write_body(wire::BodyReader* body, std::int64_t bytes_max, int out) {
  std::int64_t written = 0;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await body->read());
    if (!piece) co_return base::Result<>{};
    written += std::ssize(*piece);
    if (bytes_max > 0 && written > bytes_max)
      co_return base::fail(base::Code::kResourceExhausted, fmt::format("it is more than {} MiB", bytes_max >> 20));
    CO_RETURN_IF_ERROR(base::write_all(out, *piece, "cannot write what a container left"));
  }
}

bool is_whole_tar(int file) {
  struct stat info{};
  if (::fstat(file, &info) != 0 || info.st_size < static_cast<off_t>(kTarEnd) || info.st_size % kTarBlock != 0)
    return false;
  std::array<char, kTarEnd> end{};
  return ::pread(file, end.data(), end.size(), info.st_size - static_cast<off_t>(kTarEnd)) == std::ssize(end) &&
         std::ranges::all_of(end, [](char c) { return c == '\0'; });
}

// Whether all of it came.
base::Co<bool> try_to_save(EngineClient& client, std::string container, std::string path, std::int64_t bytes_max,
                           std::filesystem::path file) {
  CO_ASSIGN_OR_RETURN(const auto body, co_await client.read_files(std::move(container), std::move(path)));
  const base::UniqueFd out(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) co_return base::fail_errno(errno, "cannot write " + file.native());
  CO_RETURN_IF_ERROR(co_await write_body(body.get(), bytes_max, out.get()));
  co_return is_whole_tar(out.get());
}

}  // namespace

// Podman answers 200 before it looks, and where it puts an ended container away meanwhile, nothing follows.
base::Co<> save_files(EngineClient& client, base::Clock& clock, std::string container, std::string path,
                      std::int64_t bytes_max, std::filesystem::path file) {
  auto random = base::Random::from_system();
  base::Backoff pauses({.first = 20ms, .longest = 1s});
  for (int i = 1;; ++i) {
    const auto saved = co_await try_to_save(client, container, path, bytes_max, file);
    if (saved && *saved) co_return base::Result<>{};
    ::unlink(file.c_str());
    if (!saved) co_return std::unexpected(saved.error());
    if (i == kTries)
      co_return base::fail(base::Code::kUnavailable,
                           fmt::format("{} gave out only a part of {}: see the engine's own log", client.name(), path));
    CO_RETURN_IF_ERROR(co_await clock.sleep(pauses.next(random)));
  }
}

}  // namespace orchion::node::engine
