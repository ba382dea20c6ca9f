#include "control/services/channel_service.h"

#include <fmt/core.h>

#include "control/services/bind.h"
#include "control/services/paging.h"
#include "core/channels.h"
#include "core/timestamps.h"

namespace orchion::control::services {

namespace {

base::Error no_channel(const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no channel {}: see `orchion channel ls`", name), {}};
}

// Whether the channel is as the caller saw it; one that isn't there has revision 0.
base::Result<> check_match(const core::CallContext& call, const std::string& name, store::Revision revision) {
  if (!call.if_match || *call.if_match == revision) return {};
  return base::fail(base::Code::kAborted, fmt::format("channel {} was changed meanwhile: look again", name));
}

}  // namespace

base::Co<v1::ListChannelsResponse> ChannelService::list(core::CallContext, v1::ListChannelsRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListChannelsResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto all = [](const v1::Channel&) { return true; };
  for (const auto& channel :
       page_of(context_.objects.view().channels(), page, all, *response.mutable_next_page_token()))
    *response.add_channels() = *channel;
  co_return response;
}

base::Co<v1::Channel> ChannelService::get(core::CallContext, v1::GetChannelRequest request) {
  const auto channel = context_.objects.view().channels().find(request.name());
  if (!channel) co_return std::unexpected(no_channel(request.name()));
  co_return *channel;
}

base::Co<v1::Channel> ChannelService::put(core::CallContext call, v1::PutChannelRequest request) {
  const auto present = context_.objects.view().channels().find(request.name());
  CO_RETURN_IF_ERROR(check_match(call, request.name(), present ? present->meta().revision() : 0));
  v1::Channel channel = present ? *present : v1::Channel();
  auto& meta = *channel.mutable_meta();
  meta.set_name(request.name());
  if (present) core::keep_secrets(present->spec(), *request.mutable_spec());
  CO_RETURN_IF_ERROR(core::validate_channel(request.name(), request.spec()));
  *channel.mutable_spec() = std::move(*request.mutable_spec());
  channel.mutable_spec()->set_host(core::channel_host(channel.spec()));
  if (!present) {
    meta.set_uid(base::new_uid(context_.random));
    *meta.mutable_created_at() = core::to_timestamp(context_.clock.wall());
  }
  meta.set_generation(meta.generation() + 1);
  if (request.dry_run()) co_return channel;
  store::Transaction transaction;
  present ? store::put_spec(transaction, channel) : store::create(transaction, channel);
  CO_ASSIGN_OR_RETURN(const auto revision, co_await context_.objects.commit(std::move(transaction)));
  channel.mutable_meta()->set_revision(revision);
  co_return channel;
}

base::Co<google::protobuf::Empty> ChannelService::remove(core::CallContext call, v1::DeleteChannelRequest request) {
  const auto channel = context_.objects.view().channels().find(request.name());
  if (!channel) co_return std::unexpected(no_channel(request.name()));
  CO_RETURN_IF_ERROR(check_match(call, request.name(), channel->meta().revision()));
  if (request.dry_run()) co_return google::protobuf::Empty();
  store::Transaction transaction;
  store::remove(transaction, *channel);
  CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  co_return google::protobuf::Empty();
}

base::Co<v1::TestChannelResponse> ChannelService::test(core::CallContext, v1::TestChannelRequest request) {
  const auto channel = context_.objects.view().channels().find(request.name());
  if (!channel) co_return std::unexpected(no_channel(request.name()));
  const auto sent = co_await send_test_(*channel);
  if (!sent && sent.error().code == base::Code::kCancelled) co_return std::unexpected(sent.error());
  if (!sent)
    co_return base::fail(base::Code::kFailedPrecondition, fmt::format("the test message did not arrive at {}: {}",
                                                                      channel->spec().host(), sent.error().message));
  v1::TestChannelResponse response;
  response.set_message(fmt::format("{} took the test message", channel->spec().host()));
  co_return response;
}

void add_channel_service(core::MethodTable& table, std::shared_ptr<ChannelService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListChannelsRequest, v1::ListChannelsResponse>("orchion.v1.ChannelService.ListChannels",
                                                                 bind(&ChannelService::list));
  table.unary<v1::GetChannelRequest, v1::Channel>("orchion.v1.ChannelService.GetChannel", bind(&ChannelService::get));
  table.unary<v1::PutChannelRequest, v1::Channel>("orchion.v1.ChannelService.PutChannel", bind(&ChannelService::put));
  table.unary<v1::DeleteChannelRequest, google::protobuf::Empty>("orchion.v1.ChannelService.DeleteChannel",
                                                                 bind(&ChannelService::remove));
  table.unary<v1::TestChannelRequest, v1::TestChannelResponse>("orchion.v1.ChannelService.TestChannel",
                                                               bind(&ChannelService::test));
}

}  // namespace orchion::control::services
