#pragma once

// The state of a cluster as bytes; v1/backup.proto says how.

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "core/sha256.h"
#include "v1/backup.pb.h"

namespace orchion::control::backup {

// A value; whoever has it takes what it has written so far, whenever that suits.
class BackupWriter {
 public:
  explicit BackupWriter(const v1::BackupHeader& header);
  void add(std::string key, std::string value);
  // Afterwards nothing is added.
  void end();

  std::size_t size() const { return written_.size(); }
  std::string take();

 private:
  void write(const v1::BackupPart& part);

  std::string written_;
  std::uint64_t entries_ = 0;
  core::Sha256 digest_;
};

// Reads a file from its beginning to its end. Blocks.
class BackupReader {
 public:
  // kInvalidArgument: it is no backup, or one of a newer form.
  static base::Result<BackupReader> open(const std::filesystem::path& file);

  const v1::BackupHeader& header() const { return header_; }

  // nullopt: that was all, and the file is whole. kDataLoss: it was cut off or changed.
  base::Result<std::optional<v1::BackupEntry>> next();

 private:
  explicit BackupReader(std::ifstream file) : file_(std::move(file)) {}
  base::Result<v1::BackupPart> read();

  std::ifstream file_;
  v1::BackupHeader header_;
  std::uint64_t entries_ = 0;
  core::Sha256 digest_;
};

}  // namespace orchion::control::backup
