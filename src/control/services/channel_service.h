#pragma once

#include <functional>
#include <memory>

#include "control/services/context.h"
#include "core/methods.h"
#include "v1/channels.pb.h"

namespace orchion::control::services {

// Channels on which people are told what happens. Both writes heed If-Match; with dry_run they check and answer, and
// change nothing.
class ChannelService {
 public:
  // Sends a test message to a channel and returns when the receiver took it.
  using SendTest = std::function<base::Co<>(v1::Channel)>;

  ChannelService(ServiceContext context, SendTest send_test) : context_(context), send_test_(std::move(send_test)) {}

  base::Co<v1::ListChannelsResponse> list(core::CallContext call, v1::ListChannelsRequest request);
  base::Co<v1::Channel> get(core::CallContext call, v1::GetChannelRequest request);
  base::Co<v1::Channel> put(core::CallContext call, v1::PutChannelRequest request);
  base::Co<google::protobuf::Empty> remove(core::CallContext call, v1::DeleteChannelRequest request);
  base::Co<v1::TestChannelResponse> test(core::CallContext call, v1::TestChannelRequest request);

 private:
  ServiceContext context_;
  SendTest send_test_;
};

void add_channel_service(core::MethodTable& table, std::shared_ptr<ChannelService> service);

}  // namespace orchion::control::services
