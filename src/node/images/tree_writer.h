#pragma once

// A layer's files, written so that nothing lands outside its folder, whatever the archive claims.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "node/images/tar_reader.h"

namespace orchion::node::images {

// Writes entries below one folder, in the form overlayfs expects of a lower layer: OCI whiteouts become character
// devices 0/0 and the opaque mark. Owners, modes, times, extended attributes, hard links and devices are kept.
//
// How it stays inside: names with ".." are refused; every parent is opened by the kernel as if the folder were the
// root (openat2, RESOLVE_IN_ROOT), so that links on the way, absolute or not, lead nowhere else; the last component
// is only ever created anew and never followed; marks of overlayfs's own are dropped from extended attributes.
// One thread; needs root's rights for owners and devices. After an error the folder is to be thrown away.
class TreeWriter {
 public:
  // `folder` exists and is empty.
  static base::Result<TreeWriter> open(const std::filesystem::path& folder);

  using ReadBlock = std::function<base::Result<std::optional<TarReader::Block>>()>;

  // `read` gives the data of a file and is called for nothing else.
  base::Result<> add(const ArchiveEntry& entry, const ReadBlock& read);

  // Sets the times of folders, which writing into them had changed.
  base::Result<> finish();

 private:
  enum class Cleared { kNothing, kFolderKept, kWhiteout };
  struct FolderTime {
    std::string path;
    std::int64_t s;
    std::int64_t ns;
  };

  explicit TreeWriter(base::UniqueFd root) : root_(std::move(root)) {}

  base::Result<int> open_parent(const std::string& parent);
  base::Result<base::UniqueFd> open_or_make(const std::string& parent);
  base::Result<> check_depth(int fd, const std::string& path);
  base::Result<Cleared> clear(int parent, const std::string& name, bool for_folder);

  base::Result<> add_root(const ArchiveEntry& entry);
  base::Result<> add_whiteout(int parent, std::string_view name);
  base::Result<> add_file(int parent, const std::string& name, const ArchiveEntry& entry, const ReadBlock& read);
  base::Result<> add_folder(int parent, const std::string& name, const std::string& path, const ArchiveEntry& entry);
  base::Result<> add_hardlink(int parent, const std::string& name, const ArchiveEntry& entry);
  base::Result<> add_node(int parent, const std::string& name, const ArchiveEntry& entry);

  base::UniqueFd root_;
  base::UniqueFd parent_;  // of the newest entry: archives list a folder's files together
  std::string parent_path_;
  bool has_symlinks_ = false;
  std::vector<FolderTime> folder_times_;
};

}  // namespace orchion::node::images
