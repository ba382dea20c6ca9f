#include "control/services/handlers.h"

#include "control/services/image_carrier.h"
#include "control/services/image_service.h"
#include "control/services/job_service.h"
#include "control/services/network_policy_service.h"
#include "control/services/network_service.h"
#include "control/services/node_service.h"
#include "control/services/read_service.h"
#include "control/services/run_inputs.h"
#include "control/services/run_service.h"
#include "control/services/service_service.h"
#include "control/services/stack_service.h"
#include "control/services/task_service.h"
#include "control/services/usage_service.h"
#include "control/services/watch_service.h"

namespace orchion::control::services {

namespace {

base::Co<v1::ServerInfo> server_info(std::function<v1::ServerInfo()> info) {
  co_return info();
}

constexpr char kWatch[] = "orchion.v1.WatchService.Watch";

using WatchStream = core::TypedStream<v1::WatchRequest, v1::WatchEvent>;

base::Co<> serve_watch(ServiceContext context, std::shared_ptr<WatchFeed> feed,
                       std::shared_ptr<core::MessageStream> stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await WatchStream(stream).receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  co_return co_await watch(context, std::move(feed), std::move(*request), std::move(stream));
}

base::Co<> refuse_watch(core::CallContext, WatchStream) {
  co_return base::fail(base::Code::kUnimplemented, "nobody serves watches");
}

// What the control plane asked for, or what the agent itself wants.
base::Co<> serve_agent_stream(ServiceContext context, NodeStreams* streams, std::shared_ptr<inputs::InputFolder> inputs,
                              core::CallContext call, AgentStream stream) {
  CO_ASSIGN_OR_RETURN(auto first, co_await stream.receive());
  if (first && first->has_id()) co_return co_await streams->serve(std::move(call), first->id(), stream);
  if (first && first->has_fetch()) co_return co_await carry_image(context, *streams, first->fetch(), stream);
  if (first && first->has_input_fetch())
    co_return co_await send_input(context, std::move(inputs), std::move(call), first->input_fetch(), stream);
  co_return base::fail(base::Code::kInvalidArgument, "the first message of a stream must say what it is for");
}

}  // namespace

void add_handlers(core::MethodTable& table, ServiceContext context, Dispatcher& dispatcher, NodeStreams& streams,
                  std::shared_ptr<inputs::InputFolder> inputs, std::function<v1::ServerInfo()> info) {
  auto manifests = std::make_shared<StackManifests>(context);
  add_stack_service(table, std::make_shared<StackService>(context, manifests));
  add_service_service(table, std::make_shared<ServiceService>(context, manifests));
  add_job_service(table, std::make_shared<JobService>(context, manifests));
  add_network_service(table, std::make_shared<NetworkService>(context, manifests));
  add_run_service(table, std::make_shared<RunService>(context, manifests, streams, inputs));
  add_task_service(table, std::make_shared<TaskService>(context, streams));
  add_usage_service(table, std::make_shared<UsageService>(context, streams));
  add_image_service(table, std::make_shared<ImageService>(context, streams));
  add_node_service(
      table, std::make_shared<NodeService>(context, streams, [&dispatcher](const std::string& uid, base::Error error) {
        dispatcher.disconnect(uid, std::move(error));
      }));
  add_read_services(table, context);
  add_network_policy_service(table, context);
  table.unary<google::protobuf::Empty, v1::ServerInfo>(
      "orchion.v1.ServerService.GetServer",
      [info](core::CallContext, google::protobuf::Empty) { return server_info(info); });
  // Of its messages most go to all who watch: it takes the stream as it is, which can share them.
  table.stream<v1::WatchRequest, v1::WatchEvent>(kWatch, refuse_watch);
  table.wrap(kWatch, [context, feed = std::make_shared<WatchFeed>(context)](const auto&, auto) -> core::Handler {
    return [context, feed](core::CallContext, auto stream) { return serve_watch(context, feed, std::move(stream)); };
  });
  add_agent_handlers(table, context, dispatcher, streams, std::move(inputs));
}

void add_agent_handlers(core::MethodTable& table, ServiceContext context, Dispatcher& dispatcher, NodeStreams& streams,
                        std::shared_ptr<inputs::InputFolder> inputs) {
  table.stream<v1::FromAgent, v1::ToAgent>(
      "orchion.v1.DispatcherService.Session",
      [&dispatcher](core::CallContext call, auto stream) { return dispatcher.serve(std::move(call), stream); });
  table.stream<v1::StreamFromAgent, v1::StreamToAgent>(
      "orchion.v1.DispatcherService.OpenStream", [context, &streams, inputs](core::CallContext call, auto stream) {
        return serve_agent_stream(context, &streams, inputs, std::move(call), stream);
      });
}

}  // namespace orchion::control::services
