#include "control/inputs/input_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/core.h>
#include <unistd.h>

#include "base/write_all.h"
#include "core/sha256.h"

namespace orchion::control::inputs {

namespace fs = std::filesystem;

struct InputUpload::State {
  ~State() {
    if (!part.empty()) ::unlink(part.c_str());
  }

  fs::path folder;
  std::string part;  // empty: it has its own name already
  base::UniqueFd file;
  core::Sha256 hash;
  std::int64_t bytes = 0;
};

namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr const char* kPartSuffix = ".part";
constexpr std::size_t kPieceBytes = 256u << 10;

fs::path path_in(const fs::path& folder, const std::string& digest) {
  return folder / (digest.substr(kAlgorithm.size()) + ".tar");
}

base::Result<> append(InputUpload::State& state, const std::string& bytes) {
  state.hash.update(bytes);
  state.bytes += static_cast<std::int64_t>(bytes.size());
  return base::write_all(state.file.get(), bytes, "cannot keep an input");
}

base::Result<KeptInput> settle(InputUpload::State& state) {
  KeptInput kept{state.hash.finish(), state.bytes};
  if (::fsync(state.file.get()) != 0) return base::fail_errno(errno, "cannot keep an input");
  const auto file = path_in(state.folder, kept.digest);
  if (::rename(state.part.c_str(), file.c_str()) != 0) return base::fail_errno(errno, "cannot keep an input");
  state.part.clear();
  const base::UniqueFd folder(::open(state.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return base::fail_errno(errno, "cannot keep an input");
  return kept;
}

base::Result<std::shared_ptr<InputUpload::State>> make_part(const fs::path& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  auto state = std::make_shared<InputUpload::State>();
  state->folder = folder;
  std::string name = (folder / "XXXXXX").native() + kPartSuffix;
  state->file.reset(::mkostemps(name.data(), static_cast<int>(std::string_view(kPartSuffix).size()), O_CLOEXEC));
  if (!state->file) return base::fail_errno(errno, "cannot keep an input in " + folder.native());
  state->part = name;
  return state;
}

// A clock that went back doesn't make it older.
bool is_idle(const struct stat& info, base::WallTime now) {
  const auto since_epoch = std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
  return base::WallTime(std::chrono::duration_cast<base::WallTime::duration>(since_epoch)) + kIdleTime < now;
}

void sweep_folder(const fs::path& folder, const std::set<std::string>& used, base::WallTime now) {
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const auto& path = it->path();
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || !is_idle(info, now)) continue;
    if (path.extension() == ".tar" && used.contains(std::string(kAlgorithm) + path.stem().native())) continue;
    ::unlink(path.c_str());
  }
}

base::Result<std::string> read_piece(int file) {
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const auto n = ::read(file, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, "cannot read an input");
    piece.resize(static_cast<std::size_t>(n));
    return piece;
  }
}

}  // namespace

InputUpload::InputUpload(base::WorkerPool& workers, std::shared_ptr<State> state)
    : workers_(workers), state_(std::move(state)) {}

InputUpload::~InputUpload() = default;

base::Co<> InputUpload::write(std::string bytes) {
  auto job = [state = state_, bytes = std::move(bytes)] { return append(*state, bytes); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<KeptInput> InputUpload::finish() {
  auto job = [state = state_] { return settle(*state); };
  co_return co_await workers_.run(std::move(job));
}

InputFolder::InputFolder(fs::path folder, base::WorkerPool& workers) : folder_(std::move(folder)), workers_(workers) {}

fs::path InputFolder::file_of(const std::string& digest) const {
  return path_in(folder_, digest);
}

base::Co<std::unique_ptr<InputUpload>> InputFolder::begin() {
  auto job = [folder = folder_] { return make_part(folder); };
  CO_ASSIGN_OR_RETURN(auto state, co_await workers_.run(std::move(job)));
  co_return std::make_unique<InputUpload>(workers_, std::move(state));
}

base::Co<bool> InputFolder::touch(std::string digest) {
  auto job = [file = file_of(digest), mutex = mutex_]() -> base::Result<bool> {
    const std::lock_guard lock(*mutex);
    if (::utimensat(AT_FDCWD, file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno == ENOENT) return false;
    return base::fail_errno(errno, "cannot look at an input");
  };
  co_return co_await workers_.run(std::move(job));
}

base::Co<std::shared_ptr<const base::UniqueFd>> InputFolder::open(std::string digest) {
  using Opened = std::shared_ptr<const base::UniqueFd>;
  auto job = [file = file_of(digest), digest]() -> base::Result<Opened> {
    auto opened = std::make_shared<const base::UniqueFd>(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (*opened) return Opened(std::move(opened));
    if (errno == ENOENT)
      return base::fail(base::Code::kNotFound,
                        fmt::format("the server has no input {} any more: give it again, with a new run", digest));
    return base::fail_errno(errno, "cannot read an input");
  };
  co_return co_await workers_.run(std::move(job));
}

base::Co<std::string> InputFolder::read(std::shared_ptr<const base::UniqueFd> file) {
  auto job = [file = std::move(file)] { return read_piece(file->get()); };
  co_return co_await workers_.run(std::move(job));
}

base::Co<> InputFolder::sweep(std::set<std::string> used, base::WallTime now) {
  auto job = [folder = folder_, used = std::move(used), now, mutex = mutex_]() -> base::Result<> {
    const std::lock_guard lock(*mutex);
    sweep_folder(folder, used, now);
    return {};
  };
  co_return co_await workers_.run(std::move(job));
}

}  // namespace orchion::control::inputs
