#include "node/agent/checkpoint_folder.h"

#include <cstdint>
#include <cstring>

#include <fmt/core.h>

#include "base/file.h"
#include "node/agent/blocking.h"

namespace orchion::node::agent {

namespace {

constexpr std::string_view kMagic = "ORCHKPT1";
constexpr std::size_t kHeaderBytes = 16;  // the magic, then the checksum of what follows, little-endian
constexpr std::string_view kSuffix = ".checkpoint";

// FNV-1a: any change within one byte changes it.
// Source: http://www.isthe.com/chongo/tech/comp/fnv/
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

base::Result<> read_message(const std::filesystem::path& path, google::protobuf::MessageLite& message) {
  ASSIGN_OR_RETURN(const auto bytes, base::read_file(path));
  if (auto read = unframe(bytes, message); !read)
    return base::fail(read.error().code,
                      fmt::format("{} is damaged: nothing was touched; to go on without it run `mv {} {}.damaged` and "
                                  "start again",
                                  path.string(), path.string(), path.string()));
  return {};
}

// Missing is empty.
base::Result<> read_if_there(const std::filesystem::path& path, google::protobuf::MessageLite& message) {
  auto read = read_message(path, message);
  return !read && read.error().code == base::Code::kNotFound ? base::Result<>{} : read;
}

base::Result<std::vector<v1::TaskCheckpoint>> read_tasks(const std::filesystem::path& folder) {
  std::vector<v1::TaskCheckpoint> tasks;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) return base::fail_errno(error.value(), fmt::format("cannot list {}", folder.string()));
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : entries) {
    if (entry.path().extension() != kSuffix) {
      // "UID.checkpoint.a1B2c3": a write that a crash interrupted; the file it was to replace is whole.
      if (entry.path().stem().extension() == kSuffix) leftovers.push_back(entry.path());
      continue;
    }
    RETURN_IF_ERROR(read_message(entry.path(), tasks.emplace_back()));
  }
  for (const auto& leftover : leftovers) RETURN_IF_ERROR(base::remove_tree(leftover));
  return tasks;
}

base::Result<> write(const std::filesystem::path& path, const std::string& bytes, Durability durability) {
  return durability == Durability::kDisk ? base::write_file_durably(path, bytes) : base::write_file(path, bytes);
}

}  // namespace

std::string frame(const google::protobuf::MessageLite& message) {
  std::string bytes(kHeaderBytes, '\0');
  message.AppendToString(&bytes);
  const auto sum = checksum(std::string_view(bytes).substr(kHeaderBytes));
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> (8 * i));
  return bytes;
}

base::Result<> unframe(std::string_view bytes, google::protobuf::MessageLite& message) {
  const auto damaged = [] { return base::fail(base::Code::kDataLoss, "the checkpoint is damaged"); };
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) return damaged();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 8; ++i) sum |= std::uint64_t{static_cast<unsigned char>(bytes[8 + i])} << (8 * i);
  const auto content = bytes.substr(kHeaderBytes);
  if (checksum(content) != sum || !message.ParseFromArray(content.data(), static_cast<int>(content.size())))
    return damaged();
  return {};
}

base::Co<CheckpointFolder::Content> CheckpointFolder::load() {
  auto job = [folder = folder_]() -> base::Result<Content> {
    Content content;
    RETURN_IF_ERROR(base::make_folders(folder / "tasks"));
    RETURN_IF_ERROR(read_if_there(folder / "identity", content.identity));
    RETURN_IF_ERROR(read_if_there(folder / "networks", content.networks));
    RETURN_IF_ERROR(read_if_there(folder / "lease", content.lease));
    ASSIGN_OR_RETURN(content.tasks, read_tasks(folder / "tasks"));
    return content;
  };
  return run_blocking(workers_, std::move(job));
}

base::Co<> CheckpointFolder::save_identity(v1::AgentIdentity identity) {
  auto job = [path = folder_ / "identity", bytes = frame(identity)] { return write(path, bytes, Durability::kDisk); };
  return run_blocking(workers_, std::move(job));
}

base::Co<> CheckpointFolder::save_task(v1::TaskCheckpoint checkpoint, Durability durability) {
  auto job = [path = task_file(checkpoint.assignment().task().meta().uid()), bytes = frame(checkpoint), durability] {
    return write(path, bytes, durability);
  };
  return run_blocking(workers_, std::move(job));
}

base::Co<> CheckpointFolder::remove_task(std::string task_uid) {
  auto job = [path = task_file(task_uid)] { return base::remove_tree(path); };
  return run_blocking(workers_, std::move(job));
}

base::Co<> CheckpointFolder::save_lease(v1::LeaseCheckpoint lease) {
  auto job = [path = folder_ / "lease", bytes = frame(lease)] { return write(path, bytes, Durability::kPageCache); };
  return run_blocking(workers_, std::move(job));
}

base::Co<> CheckpointFolder::save_networks(v1::NetworkCheckpoint networks) {
  auto job = [path = folder_ / "networks", bytes = frame(networks)] {
    return write(path, bytes, Durability::kPageCache);
  };
  return run_blocking(workers_, std::move(job));
}

std::filesystem::path CheckpointFolder::task_file(const std::string& task_uid) const {
  return folder_ / "tasks" / (task_uid + std::string(kSuffix));
}

}  // namespace orchion::node::agent
