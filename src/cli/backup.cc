// `orchion backup`: the whole state of the cluster, as the server has it.

#include <fmt/core.h>

#include "cli/call_row.h"
#include "cli/commands.h"
#include "cli/whole_file.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

struct Saving {
  explicit Saving(WholeFile to) : output(std::move(to)) {}
  WholeFile output;
  std::int64_t bytes = 0;
};

base::Co<std::string> save(std::shared_ptr<client::ApiClient> api, std::shared_ptr<Saving> saving) {
  CO_ASSIGN_OR_RETURN(auto body,
                      co_await api->download("orchion.v1.ServerService.BackUp", std::make_shared<v1::BackUpRequest>()));
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await body->read());
    if (!piece) break;
    saving->bytes += static_cast<std::int64_t>(piece->size());
    CO_RETURN_IF_ERROR(saving->output.write(*piece));
  }
  CO_RETURN_IF_ERROR(saving->output.finish());
  co_return std::string();
}

}  // namespace

int run_backup(Context& context, const std::string& file) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto output = WholeFile::open(file, "a backup", 0600);
  if (!output) return context.refuse(output.error());
  auto saving = std::make_shared<Saving>(*std::move(output));
  const auto saved = run_with_row(
      context, file, [saving] { return core::format_bytes(saving->bytes) + " saved"; }, save(*api, saving));
  if (!saved) return context.fail(saved.error());
  context.tell(fmt::format("saved {}; whoever has it can act as this cluster's server: keep it as a secret",
                           core::format_bytes(saving->bytes)));
  return kExitOk;
}

}  // namespace orchion::cli
