// `orchion image save`: images as an archive that any tool for images takes.

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/random.h"
#include "base/write_all.h"
#include "cli/archive_merge.h"
#include "cli/call_row.h"
#include "cli/commands.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Where the archive goes. A file has its name when it is whole, and not before.
class ArchiveFile {
 public:
  static base::Result<ArchiveFile> open(const std::string& file) {
    if (file == "-" && ::isatty(STDOUT_FILENO) != 0)
      return base::fail(base::Code::kInvalidArgument,
                        "an archive is nothing for a terminal: name a file with -o, or send it into a pipe");
    if (file == "-") return ArchiveFile("", "", base::UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)));
    const auto temp = fmt::format("{}.{}", file, base::Random::from_system().text(10));
    base::UniqueFd fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd) return base::fail_errno(errno, "cannot write " + file);
    return ArchiveFile(file, temp, std::move(fd));
  }
  ArchiveFile(ArchiveFile&&) = default;
  ArchiveFile& operator=(ArchiveFile&&) = delete;
  ~ArchiveFile() {
    if (fd_ && !temp_.empty()) ::unlink(temp_.c_str());
  }

  base::Result<> write(std::string_view bytes) const {
    return base::write_all(fd_.get(), bytes, "cannot write the archive");
  }
  base::Result<> finish() {
    if (!temp_.empty() && ::rename(temp_.c_str(), file_.c_str()) != 0)
      return base::fail_errno(errno, "cannot write " + file_);
    fd_.reset();
    return {};
  }

 private:
  ArchiveFile(std::string file, std::string temp, base::UniqueFd fd)
      : file_(std::move(file)), temp_(std::move(temp)), fd_(std::move(fd)) {}
  std::string file_;
  std::string temp_;
  base::UniqueFd fd_;
};

struct Saving {
  explicit Saving(ArchiveFile to) : output(std::move(to)) {}
  ArchiveFile output;
  std::optional<ArchiveMerge> merge;  // one image comes as it is to be
  std::int64_t bytes = 0;
};

base::Co<> save_one(std::shared_ptr<client::ApiClient> api, std::string name, std::shared_ptr<Saving> saving) {
  auto request = std::make_shared<v1::ExportImageRequest>();
  request->set_name(std::move(name));
  CO_ASSIGN_OR_RETURN(auto body, co_await api->download("orchion.v1.ImageService.ExportImage", std::move(request)));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body->read());
    if (!piece) break;
    saving->bytes += static_cast<std::int64_t>(piece->size());
    if (saving->merge) {
      CO_ASSIGN_OR_RETURN(*piece, saving->merge->pass(*piece));
    }
    CO_RETURN_IF_ERROR(saving->output.write(*piece));
  }
  if (saving->merge) CO_RETURN_IF_ERROR(saving->merge->end_one());
  co_return base::Result<>{};
}

base::Co<std::string> save_all(std::shared_ptr<client::ApiClient> api, std::vector<std::string> names,
                               std::shared_ptr<Saving> saving) {
  for (const auto& name : names) CO_RETURN_IF_ERROR(co_await save_one(api, name, saving));
  if (saving->merge) {
    CO_ASSIGN_OR_RETURN(const auto end, saving->merge->finish());
    CO_RETURN_IF_ERROR(saving->output.write(end));
  }
  CO_RETURN_IF_ERROR(saving->output.finish());
  co_return std::string();
}

}  // namespace

int run_image_save(Context& context, const std::vector<std::string>& names, const std::string& file) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto output = ArchiveFile::open(file);
  if (!output) return context.refuse(output.error());
  auto saving = std::make_shared<Saving>(*std::move(output));
  if (names.size() > 1) saving->merge.emplace();
  const auto saved = run_with_row(
      context, file == "-" ? names.front() : file, [saving] { return core::format_bytes(saving->bytes) + " saved"; },
      save_all(*api, names, saving));
  if (!saved) return context.fail(saved.error());
  context.tell(fmt::format("saved {} image{} ({})", names.size(), names.size() == 1 ? "" : "s",
                           core::format_bytes(saving->bytes)));
  return kExitOk;
}

}  // namespace orchion::cli
