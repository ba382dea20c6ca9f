#pragma once

// For this room's tests: archives made on the spot, a temporary folder, coroutines run to their end.

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "base/file.h"
#include "base/random.h"
#include "node/images/images.h"
#include "node/images/tar_reader.h"

namespace orchion::node::images {

class TestFolder {
 public:
  TestFolder()
      : path_(std::filesystem::temp_directory_path() / ("orchion-images-" + base::Random::from_system().text(10))) {
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { (void)base::remove_tree(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

template <class T>
base::Result<T> run(boost::asio::io_context& io, base::Co<T> coroutine) {
  auto future = boost::asio::co_spawn(io, std::move(coroutine), boost::asio::use_future);
  io.restart();
  const auto guard = boost::asio::make_work_guard(io);
  while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io.run_one();
  return future.get();
}

struct TestAttributes {
  unsigned mode = 0644;
  int uid = 0;
  int gid = 0;
  long mtime_s = 1'700'000'000;
  long mtime_ns = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// A tar in memory; each call adds an entry exactly as told, honest or not.
class TarMaker {
 public:
  explicit TarMaker(Compression compression = Compression::kNone) : archive_(archive_write_new()) {
    archive_write_set_format_pax(archive_);
    if (compression == Compression::kGzip) archive_write_add_filter_gzip(archive_);
    if (compression == Compression::kZstd) archive_write_add_filter_zstd(archive_);
    archive_write_set_bytes_in_last_block(archive_, 1);
    archive_write_open(archive_, this, nullptr, &TarMaker::on_write, nullptr);
  }
  ~TarMaker() {
    if (archive_ != nullptr) archive_write_free(archive_);
  }
  TarMaker(const TarMaker&) = delete;
  TarMaker& operator=(const TarMaker&) = delete;

  TarMaker& file(const std::string& path, const std::string& content, const TestAttributes& attributes = {}) {
    return add(
        path, AE_IFREG, attributes,
        [&](archive_entry* entry) { archive_entry_set_size(entry, static_cast<la_int64_t>(content.size())); }, content);
  }
  TarMaker& folder(const std::string& path, const TestAttributes& attributes = {.mode = 0755}) {
    return add(path, AE_IFDIR, attributes, [](archive_entry*) {});
  }
  TarMaker& symlink(const std::string& path, const std::string& target, const TestAttributes& attributes = {}) {
    return add(path, AE_IFLNK, attributes,
               [&](archive_entry* entry) { archive_entry_set_symlink(entry, target.c_str()); });
  }
  TarMaker& hardlink(const std::string& path, const std::string& target) {
    return add(path, AE_IFREG, {}, [&](archive_entry* entry) { archive_entry_set_hardlink(entry, target.c_str()); });
  }
  TarMaker& device(const std::string& path, unsigned type, unsigned major, unsigned minor) {
    return add(path, type, {}, [&](archive_entry* entry) {
      archive_entry_set_rdevmajor(entry, major);
      archive_entry_set_rdevminor(entry, minor);
    });
  }
  // A hole, and one block of data at its end.
  TarMaker& hole(const std::string& path, la_int64_t size) {
    return add(
        path, AE_IFREG, {},
        [&](archive_entry* entry) {
          archive_entry_set_size(entry, size);
          archive_entry_sparse_add_entry(entry, size - 512, 512);
        },
        std::string(static_cast<std::size_t>(size), '\0'));
  }

  std::string finish() {
    archive_write_close(archive_);
    archive_write_free(std::exchange(archive_, nullptr));
    return std::move(bytes_);
  }

 private:
  template <class Fill>
  TarMaker& add(const std::string& path, unsigned type, const TestAttributes& attributes, Fill fill,
                const std::string& content = "") {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, attributes.mode);
    archive_entry_set_uid(entry, attributes.uid);
    archive_entry_set_gid(entry, attributes.gid);
    archive_entry_set_mtime(entry, attributes.mtime_s, attributes.mtime_ns);
    for (const auto& [name, value] : attributes.xattrs)
      archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
    fill(entry);
    if (archive_write_header(archive_, entry) < ARCHIVE_WARN) throw std::runtime_error(archive_error_string(archive_));
    if (!content.empty()) archive_write_data(archive_, content.data(), content.size());
    archive_entry_free(entry);
    return *this;
  }

  static la_ssize_t on_write(archive*, void* self, const void* data, std::size_t size) {
    static_cast<TarMaker*>(self)->bytes_.append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }

  archive* archive_;
  std::string bytes_;
};

// Gives a string in pieces; `fail_after` pieces it breaks off with an error.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string bytes, std::size_t piece = 100'000, int fail_after = -1)
      : bytes_(std::move(bytes)), piece_(piece), fail_after_(fail_after) {}

  base::Co<std::optional<std::string>> read() override {
    if (fail_after_-- == 0) co_return base::fail(base::Code::kUnavailable, "the sender is gone");
    if (at_ >= bytes_.size()) co_return std::nullopt;
    auto piece = bytes_.substr(at_, piece_);
    at_ += piece.size();
    co_return piece;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t piece_;
  int fail_after_;
};

inline struct stat stat_of(const std::filesystem::path& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) throw std::runtime_error("no " + path.string());
  return info;
}

}  // namespace orchion::node::images
