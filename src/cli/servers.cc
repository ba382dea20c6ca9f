#include "cli/commands.h"
#include "cli/output.h"
#include "v1/control.pb.h"

namespace orchion::cli {

int run_servers(Context& context) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = context.run(
      (*api)->call_json("orchion.v1.ServerService.GetServer", std::make_shared<const google::protobuf::Empty>()));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_object(context, *json);
  v1::ServerInfo info;
  if (auto parsed = client::parse_json(*json, info); !parsed) return context.fail(parsed.error());
  std::vector<Row> rows;
  for (const auto& member : info.members())
    rows.push_back({member.name(),
                    {member.name(), member.leads() ? "yes" : "-", member.address().empty() ? "-" : member.address(),
                     member.name() == info.name() ? "answers you" : "-"},
                    {}});
  print_rows(context, {"NAME", "LEADS", "ADDRESS", "NOTE"}, {}, rows);
  return kExitOk;
}

}  // namespace orchion::cli
