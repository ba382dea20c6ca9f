#include "cli/starters.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "spec/yaml_reader.h"

namespace orchion::cli {

namespace {

namespace fs = std::filesystem;
using base::Result;

constexpr std::string_view kCompose = "compose.yaml";
constexpr std::size_t kSecretLength = 32;  // of 5 bits each

struct NewFile {
  std::string path;
  std::string text;
  bool secret = false;
};

std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  return std::string(text.substr(text.find_first_not_of("# ")));
}

std::vector<std::string> secret_files(std::string_view compose) {
  std::vector<std::string> out;
  const auto tree = spec::read_yaml(compose, std::string(kCompose));
  const auto* secrets = tree ? tree->find("secrets") : nullptr;
  if (!secrets) return out;
  for (const auto& secret : secrets->entries)
    if (const auto* file = secret.value.find("file")) out.push_back(fs::path(file->text).lexically_normal().string());
  return out;
}

Result<std::string> random_text() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char bytes[kSecretLength];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return base::fail_errno(errno, "cannot make a secret");
  std::string text;
  for (const auto byte : bytes) text += kLetters[byte % kLetters.size()];
  return text;
}

Result<std::vector<NewFile>> files_to_write(const Starter& starter) {
  std::vector<NewFile> files;
  for (const auto& file : starter.files) files.push_back({std::string(file.path), std::string(file.text)});
  for (const auto& path : starter.secrets) {
    ASSIGN_OR_RETURN(auto text, random_text());
    files.push_back({path, std::move(text), true});
  }
  return files;
}

// Only where nothing is, not even a link that leads nowhere.
Result<> create_file(const fs::path& path, const NewFile& file) {
  const mode_t mode = file.secret ? 0600 : 0644;
  base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return base::fail_errno(errno, fmt::format("cannot create {}", path.string()));
  for (std::string_view rest = file.text; !rest.empty();) {
    const auto n = ::write(fd.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::unlink(path.c_str());
      return base::fail_errno(error, fmt::format("cannot write {}", path.string()));
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> create_all(const fs::path& folder, const std::vector<NewFile>& files, std::vector<std::string>& written) {
  constexpr int kFolderMode = 0755, kSecretFolderMode = 0700;
  RETURN_IF_ERROR(base::make_folders(folder, kFolderMode));
  for (const auto& file : files) {
    const auto path = folder / file.path;
    if (fs::path(file.path).has_parent_path()) {
      const bool holds_secrets = fs::path(file.path).begin()->string() == "secrets";
      RETURN_IF_ERROR(base::make_folders(path.parent_path(), holds_secrets ? kSecretFolderMode : kFolderMode));
    }
    RETURN_IF_ERROR(create_file(path, file));
    written.push_back(file.path);
  }
  return {};
}

}  // namespace

std::vector<Starter> starters(std::span<const StarterFile> files) {
  std::vector<Starter> out;
  for (const auto& file : files) {
    const auto slash = file.path.find('/');
    const auto name = file.path.substr(0, slash);
    auto it = std::ranges::find(out, name, &Starter::name);
    if (it == out.end()) it = out.insert(out.end(), Starter{std::string(name), "", {}, {}});
    it->files.push_back({file.path.substr(slash + 1), file.text});
    if (it->files.back().path != kCompose) continue;
    it->summary = first_line(file.text);
    it->secrets = secret_files(file.text);
  }
  std::ranges::sort(out, {}, &Starter::name);
  return out;
}

Result<std::vector<std::string>> write_starter(const Starter& starter, const std::string& folder) {
  ASSIGN_OR_RETURN(const auto files, files_to_write(starter));
  std::vector<std::string> taken;
  for (const auto& file : files) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(fs::path(folder) / file.path, error))) taken.push_back(file.path);
  }
  if (!taken.empty())
    return base::fail(base::Code::kAlreadyExists,
                      fmt::format("{} {} there already, and nothing is written over: name another folder with --dir",
                                  fmt::join(taken, ", "), taken.size() == 1 ? "is" : "are"));
  std::vector<std::string> written;
  if (auto done = create_all(folder, files, written); !done) {
    std::error_code error;
    for (const auto& path : written) fs::remove(fs::path(folder) / path, error);
    return std::unexpected(done.error());
  }
  return written;
}

}  // namespace orchion::cli
