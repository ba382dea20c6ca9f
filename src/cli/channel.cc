#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "core/channels.h"

namespace orchion::cli {

namespace {

Row channel_row(const v1::Channel& channel, base::WallTime now) {
  const auto& status = channel.status();
  return {channel.meta().name(),
          {channel.meta().name(), core::channel_kind(channel.spec()), channel.spec().host(),
           std::to_string(status.pending()), std::to_string(status.delivered()), std::to_string(status.failed()),
           status.has_last_at() ? age_of(status.last_at(), now) : "", status.last_result()},
          {channel.meta().uid()}};
}

}  // namespace

int run_channel_ls(Context& context) {
  return list_command<v1::ListChannelsResponse>(
      context, "orchion.v1.ChannelService.ListChannels", v1::ListChannelsRequest(),
      {"CHANNEL", "KIND", "HOST", "PENDING", "DELIVERED", "FAILED", "LAST", "RESULT"}, {"UID"},
      [&](const v1::ListChannelsResponse& response) {
        std::vector<Row> rows;
        for (const auto& channel : response.channels()) rows.push_back(channel_row(channel, context.clock().wall()));
        return rows;
      });
}

int run_channel_inspect(Context& context, const std::string& name) {
  v1::GetChannelRequest request;
  request.set_name(name);
  return object_command(context, "orchion.v1.ChannelService.GetChannel", request);
}

int run_channel_rm(Context& context, const std::string& name) {
  v1::DeleteChannelRequest request;
  request.set_name(name);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto removed = context.run((*api)->call<google::protobuf::Empty>("orchion.v1.ChannelService.DeleteChannel", request));
  if (!removed) return context.fail(removed.error());
  context.tell(fmt::format("channel {} was removed", name));
  return kExitOk;
}

int run_channel_test(Context& context, const std::string& name) {
  constexpr const char* kMethod = "orchion.v1.ChannelService.TestChannel";
  v1::TestChannelRequest request;
  request.set_name(name);
  if (wants_object(context)) return object_command(context, kMethod, request);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto sent = context.run((*api)->call<v1::TestChannelResponse>(kMethod, request));
  if (!sent) return context.fail(sent.error());
  context.tell(sent->message());
  return kExitOk;
}

}  // namespace orchion::cli
