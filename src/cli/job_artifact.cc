#include <fmt/core.h>
#include <unistd.h>

#include "cli/archive_body.h"
#include "cli/commands.h"
#include "cli/job_run_end.h"
#include "cli/local_files.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using Api = std::shared_ptr<client::ApiClient>;
using Request = std::shared_ptr<const v1::GetArtifactRequest>;

constexpr const char* kGetArtifact = "orchion.v1.JobService.GetArtifact";

base::Co<> print_archive(Api api, Request request) {
  CO_ASSIGN_OR_RETURN(auto body, co_await api->download(kGetArtifact, request));
  co_return co_await print_body(std::move(body));
}

base::Co<tar::Unpacked> unpack(Api api, Request request, std::string file) {
  CO_ASSIGN_OR_RETURN(const auto target, LocalTarget::find(file));
  CO_ASSIGN_OR_RETURN(auto body, co_await api->download(kGetArtifact, request));
  co_return co_await unpack_files(std::move(body), target, {.as_archived = false});
}

}  // namespace

int run_job_artifact(Context& context, const JobArtifactOptions& options) {
  const auto address = find_run(context, options.run);
  if (!address) return context.refuse(address.error());
  auto request = std::make_shared<v1::GetArtifactRequest>();
  request->set_stack(address->stack);
  request->set_run(address->run);
  request->set_artifact(options.name);
  request->set_index(options.index);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  if (options.file == "-") {
    if (::isatty(STDOUT_FILENO) != 0)
      return context.refuse({base::Code::kInvalidArgument,
                             "an archive is nothing for a terminal: send it on, as in `orchion job artifact … -o - | "
                             "tar x`",
                             {}});
    const auto printed = context.run(print_archive(*api, request));
    return printed ? int{kExitOk} : context.fail(printed.error());
  }
  const auto file = options.file.empty() ? std::string(".") : options.file;
  const auto unpacked = context.run(unpack(*api, request, file));
  if (!unpacked) return context.fail(unpacked.error());
  context.tell(
      fmt::format("{} of {} is in {}, {}", options.name, address->text(), file, core::format_bytes(unpacked->bytes)));
  return kExitOk;
}

}  // namespace orchion::cli
