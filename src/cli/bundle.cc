#include "cli/bundle.h"

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/file.h"

namespace orchion::cli {

namespace {

constexpr const char* kRedacted = "<redacted>";

bool is_secret(std::string_view key) {
  static const std::set<std::string_view> all = {"token", "password",  "key",  "privateKey",
                                                 "data",  "joinToken", "hash", "secret"};
  return all.contains(key);
}

void redact(boost::json::value& value, bool in_environment) {
  if (auto* list = value.if_array()) {
    for (auto& element : *list) redact(element, in_environment);
    return;
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  for (auto& [key, member] : *object) {
    const bool hidden = is_secret(key) || (in_environment && key != "name");
    if (hidden && member.is_string()) {
      member = kRedacted;
    } else {
      redact(member, in_environment || key == "environment");
    }
  }
}

struct FreeArchive {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

bool add_file(archive* writer, const std::string& name, const std::string& text) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), ("orchion-bundle/" + name).c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0600);
  return archive_write_header(writer, entry.get()) == ARCHIVE_OK &&
         archive_write_data(writer, text.data(), text.size()) == static_cast<la_ssize_t>(text.size());
}

}  // namespace

std::string redacted(const std::string& json) {
  boost::system::error_code error;
  auto value = boost::json::parse(json, error);
  if (error) return "";
  redact(value, false);
  return boost::json::serialize(value);
}

base::Result<> write_bundle(const std::string& file, const std::map<std::string, std::string>& files) {
  const base::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno(errno, "cannot write " + file);
  const std::unique_ptr<archive, FreeArchive> writer(archive_write_new());
  archive_write_add_filter_gzip(writer.get());
  archive_write_set_format_ustar(writer.get());
  bool written = archive_write_open_fd(writer.get(), fd.get()) == ARCHIVE_OK;
  for (const auto& [name, text] : files) written = written && add_file(writer.get(), name, text);
  written = archive_write_close(writer.get()) == ARCHIVE_OK && written;
  if (!written) return base::fail(base::Code::kResourceExhausted, "cannot write " + file + ": is the disk full?");
  return {};
}

}  // namespace orchion::cli
