#include "control/serving/serving_fixture.h"

#include "core/shared_message.h"

namespace orchion::control::serving {

namespace {

struct OnExit {
  std::promise<void>& promise;
  ~OnExit() { promise.set_value(); }
};

template <class Response>
base::Co<Response> say_unimplemented() {
  co_return base::fail(Code::kUnimplemented, "canned");
}

base::Co<> say_unimplemented_stream() {
  co_return base::fail(Code::kUnimplemented, "canned");
}

}  // namespace

template <class Request, class Response>
void CannedHandlers::unimplemented(core::MethodTable& table, std::string_view name) {
  table.unary<Request, Response>("orchion.v1." + std::string(name),
                                 [](core::CallContext, Request) { return say_unimplemented<Response>(); });
}

template <class Request, class Response>
void CannedHandlers::unimplemented_stream(core::MethodTable& table, std::string_view name) {
  table.stream<Request, Response>("orchion.v1." + std::string(name),
                                  [](core::CallContext, auto) { return say_unimplemented_stream(); });
}

void CannedHandlers::add_unimplemented(core::MethodTable& table) {
  using google::protobuf::Empty;
  unimplemented<v1::ListStacksRequest, v1::ListStacksResponse>(table, "StackService.ListStacks");
  unimplemented<v1::DeleteStackRequest, v1::Stack>(table, "StackService.DeleteStack");
  unimplemented<v1::ListJobsRequest, v1::ListJobsResponse>(table, "JobService.ListJobs");
  unimplemented<v1::GetJobRequest, v1::Job>(table, "JobService.GetJob");
  unimplemented<v1::CreateJobRequest, v1::Job>(table, "JobService.CreateJob");
  unimplemented<v1::DeleteJobRequest, v1::Job>(table, "JobService.DeleteJob");
  unimplemented<v1::RunJobRequest, v1::Run>(table, "JobService.RunJob");
  unimplemented<v1::ListRunsRequest, v1::ListRunsResponse>(table, "JobService.ListRuns");
  unimplemented<v1::GetRunRequest, v1::Run>(table, "JobService.GetRun");
  unimplemented<v1::CancelRunRequest, v1::Run>(table, "JobService.CancelRun");
  unimplemented<v1::RetryRunRequest, v1::Run>(table, "JobService.RetryRun");
  unimplemented<v1::ListQueuesRequest, v1::ListQueuesResponse>(table, "JobService.ListQueues");
  unimplemented_stream<v1::UploadInputRequest, v1::UploadInputResponse>(table, "JobService.UploadInput");
  unimplemented<v1::ListServicesRequest, v1::ListServicesResponse>(table, "ServiceService.ListServices");
  unimplemented<v1::GetServiceRequest, v1::Service>(table, "ServiceService.GetService");
  unimplemented<v1::CreateServiceRequest, v1::Service>(table, "ServiceService.CreateService");
  unimplemented<v1::ScaleServiceRequest, v1::Service>(table, "ServiceService.ScaleService");
  unimplemented<v1::DeleteServiceRequest, v1::Service>(table, "ServiceService.DeleteService");
  unimplemented<v1::RestartServiceRequest, v1::Service>(table, "ServiceService.RestartService");
  unimplemented<v1::StopServiceRequest, v1::Service>(table, "ServiceService.StopService");
  unimplemented<v1::StartServiceRequest, v1::Service>(table, "ServiceService.StartService");
  unimplemented<v1::GetTaskRequest, v1::Task>(table, "TaskService.GetTask");
  unimplemented<v1::GetTaskHealthRequest, v1::TaskHealth>(table, "TaskService.GetTaskHealth");
  unimplemented<v1::GetTaskTimelineRequest, v1::TaskTimeline>(table, "TaskService.GetTaskTimeline");
  unimplemented<v1::ListUsageRequest, v1::TaskUsages>(table, "TaskService.ListUsage");
  unimplemented_stream<v1::WatchUsageRequest, v1::TaskUsages>(table, "TaskService.WatchUsage");
  unimplemented_stream<v1::AttachInput, v1::ExecOutput>(table, "TaskService.Attach");
  unimplemented_stream<v1::LogsRequest, v1::FilePiece>(table, "TaskService.LogText");
  unimplemented_stream<v1::CopyFromRequest, v1::FilePiece>(table, "TaskService.CopyFrom");
  unimplemented_stream<v1::GetArtifactRequest, v1::FilePiece>(table, "JobService.GetArtifact");
  unimplemented_stream<v1::CopyIntoRequest, Empty>(table, "TaskService.CopyInto");
  unimplemented<v1::GetNetworkRequest, v1::Network>(table, "ResourceService.GetNetwork");
  unimplemented<v1::ListNetworksRequest, v1::ListNetworksResponse>(table, "ResourceService.ListNetworks");
  unimplemented<v1::CreateNetworkRequest, v1::Network>(table, "NetworkService.CreateNetwork");
  unimplemented<v1::DeleteNetworkRequest, v1::Network>(table, "NetworkService.DeleteNetwork");
  unimplemented<v1::ConnectNetworkRequest, v1::Service>(table, "NetworkService.ConnectNetwork");
  unimplemented<v1::DisconnectNetworkRequest, v1::Service>(table, "NetworkService.DisconnectNetwork");
  unimplemented<v1::GetVolumeRequest, v1::Volume>(table, "ResourceService.GetVolume");
  unimplemented<v1::ListVolumesRequest, v1::ListVolumesResponse>(table, "ResourceService.ListVolumes");
  unimplemented<v1::GetRevisionRequest, v1::Revision>(table, "ResourceService.GetRevision");
  unimplemented<v1::ListRevisionsRequest, v1::ListRevisionsResponse>(table, "ResourceService.ListRevisions");
  unimplemented<v1::ListNodesRequest, v1::ListNodesResponse>(table, "NodeService.ListNodes");
  unimplemented<v1::GetNodeRequest, v1::Node>(table, "NodeService.GetNode");
  unimplemented<v1::SetNodeAvailabilityRequest, v1::Node>(table, "NodeService.SetNodeAvailability");
  unimplemented<v1::SetNodePlacementRequest, v1::Node>(table, "NodeService.SetNodePlacement");
  unimplemented<v1::ListContainersRequest, v1::ListContainersResponse>(table, "NodeService.ListContainers");
  unimplemented<v1::RemoveNodeRequest, Empty>(table, "NodeService.RemoveNode");
  unimplemented<v1::RebalanceRequest, v1::RebalanceResponse>(table, "NodeService.Rebalance");
  unimplemented<v1::InviteNodeRequest, v1::InviteNodeResponse>(table, "NodeService.InviteNode");
  unimplemented<v1::ListImagesRequest, v1::ListImagesResponse>(table, "ImageService.ListImages");
  unimplemented<v1::PullImageRequest, v1::Image>(table, "ImageService.PullImage");
  unimplemented<v1::PushImageRequest, v1::Image>(table, "ImageService.PushImage");
  unimplemented<v1::TagImageRequest, v1::Image>(table, "ImageService.TagImage");
  unimplemented_stream<v1::WatchPullsRequest, v1::PullProgress>(table, "ImageService.WatchPulls");
  unimplemented<v1::RemoveImageRequest, Empty>(table, "ImageService.RemoveImage");
  unimplemented<v1::PruneImagesRequest, v1::PruneImagesResponse>(table, "ImageService.PruneImages");
  unimplemented<v1::ListChannelsRequest, v1::ListChannelsResponse>(table, "ChannelService.ListChannels");
  unimplemented<v1::GetChannelRequest, v1::Channel>(table, "ChannelService.GetChannel");
  unimplemented<v1::PutChannelRequest, v1::Channel>(table, "ChannelService.PutChannel");
  unimplemented<v1::DeleteChannelRequest, Empty>(table, "ChannelService.DeleteChannel");
  unimplemented<v1::TestChannelRequest, v1::TestChannelResponse>(table, "ChannelService.TestChannel");
  unimplemented<v1::GetNetworkPolicyRequest, v1::NetworkPolicy>(table, "NetworkPolicyService.GetNetworkPolicy");
  unimplemented<v1::ListNetworkPoliciesRequest, v1::ListNetworkPoliciesResponse>(
      table, "NetworkPolicyService.ListNetworkPolicies");
  unimplemented<v1::TestNetworkPoliciesRequest, v1::TestNetworkPoliciesResponse>(
      table, "NetworkPolicyService.TestNetworkPolicies");
  unimplemented<v1::ListRoutesRequest, v1::ListRoutesResponse>(table, "RouteService.ListRoutes");
  unimplemented<v1::GetRouteAuthorityRequest, v1::RouteAuthority>(table, "RouteService.GetRouteAuthority");
  unimplemented<v1::GetEventRequest, v1::Event>(table, "EventService.GetEvent");
  unimplemented<v1::ListEventsRequest, v1::ListEventsResponse>(table, "EventService.ListEvents");
  unimplemented<Empty, v1::ServerInfo>(table, "ServerService.GetServer");
  unimplemented_stream<v1::BackUpRequest, v1::FilePiece>(table, "ServerService.BackUp");
  unimplemented_stream<v1::FromAgent, v1::ToAgent>(table, "DispatcherService.Session");
  unimplemented_stream<v1::StreamFromAgent, v1::StreamToAgent>(table, "DispatcherService.OpenStream");
}

void CannedHandlers::add_to(core::MethodTable& table) {
  add_unimplemented(table);
  table.unary<v1::GetStackRequest, v1::Stack>(
      "orchion.v1.StackService.GetStack",
      [this](core::CallContext context, v1::GetStackRequest request) { return get_stack(context, request); });
  table.unary<v1::ApplyStackRequest, v1::ApplyStackResponse>(
      "orchion.v1.StackService.ApplyStack",
      [this](core::CallContext context, v1::ApplyStackRequest request) { return apply(context, request); });
  table.unary<v1::ListTasksRequest, v1::ListTasksResponse>(
      "orchion.v1.TaskService.ListTasks",
      [this](core::CallContext context, v1::ListTasksRequest request) { return list_tasks(context, request); });
  table.unary<v1::GetImageRequest, v1::Image>(
      "orchion.v1.ImageService.GetImage",
      [this](core::CallContext, v1::GetImageRequest request) { return get_image(request); });
  table.stream<v1::LogsRequest, v1::LogLine>(
      "orchion.v1.TaskService.Logs", [this](core::CallContext context, auto stream) { return logs(context, stream); });
  table.stream<v1::WatchRequest, v1::WatchEvent>(
      "orchion.v1.WatchService.Watch", [](core::CallContext, auto) -> base::Co<> { co_return base::Result<>{}; });
  table.wrap("orchion.v1.WatchService.Watch", [this](const core::Method&, core::Handler) -> core::Handler {
    return [this](core::CallContext, std::shared_ptr<core::MessageStream> stream) { return watch(std::move(stream)); };
  });
  table.stream<v1::ForwardInput, v1::ForwardOutput>("orchion.v1.TaskService.Forward",
                                                    [this](core::CallContext, auto stream) { return forward(stream); });
  table.stream<v1::ExecInput, v1::ExecOutput>(
      "orchion.v1.TaskService.Exec", [this](core::CallContext context, auto stream) { return exec(context, stream); });
  table.stream<v1::ImportImageRequest, v1::Image>(
      "orchion.v1.ImageService.ImportImage",
      [this](core::CallContext context, auto stream) { return import(context, stream); });
  table.stream<v1::ExportImageRequest, v1::ImagePiece>(
      "orchion.v1.ImageService.ExportImage",
      [this](core::CallContext context, auto stream) { return export_image(context, stream); });
}

base::Co<v1::Stack> CannedHandlers::get_stack(core::CallContext context, v1::GetStackRequest request) {
  last_context = std::move(context);
  if (request.name() == "none") co_return base::fail(Code::kNotFound, "there is no stack none: see `orchion ps`");
  if (request.name() == "throw") throw std::runtime_error("oops");
  if (request.name() == "hang") {
    const OnExit exit{hang_ended};
    hang_begun.set_value();
    CO_RETURN_IF_ERROR(co_await never.wait());
  }
  v1::Stack stack;
  stack.mutable_meta()->set_name(request.name());
  stack.mutable_meta()->set_revision(42);
  auto* variable = stack.mutable_spec()->add_services()->mutable_spec()->mutable_container()->add_environment();
  variable->set_name("PASSWORD");
  variable->set_value("hunter2");
  co_return stack;
}

base::Co<v1::ApplyStackResponse> CannedHandlers::apply(core::CallContext context, v1::ApplyStackRequest request) {
  last_context = std::move(context);
  last_apply = std::move(request);
  if (last_context.if_match && *last_context.if_match != 42) {
    co_return base::fail(Code::kAborted, "the stack has changed meanwhile: look at it again");
  }
  if (last_apply.base_revision() == 7) co_return base::fail(Code::kAborted, "the base has moved: plan again");
  if (last_apply.name() == "bad") {
    co_return std::unexpected(
        base::Error{Code::kInvalidArgument, "two fields are wrong", {{"/spec/services/0", "has no image"}}});
  }
  co_return v1::ApplyStackResponse();
}

base::Co<v1::Image> CannedHandlers::get_image(v1::GetImageRequest request) {
  v1::Image image;
  image.mutable_meta()->set_name(request.name());
  co_return image;
}

base::Co<v1::ListTasksResponse> CannedHandlers::list_tasks(core::CallContext, v1::ListTasksRequest request) {
  ++lists;
  auto response = tasks;
  response.set_next_page_token(request.ShortDebugString());
  co_return response;
}

base::Co<> CannedHandlers::logs(core::CallContext, core::TypedStream<v1::LogsRequest, v1::LogLine> stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  last_logs = *request;
  if (request->stack() == "none") co_return base::fail(Code::kNotFound, "there is no stack none");
  for (int i = 0; i < 200; ++i) {
    v1::LogLine line;
    line.set_line("line " + std::to_string(i));
    line.mutable_time()->set_seconds(1'700'000'000 + i);
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(line)));
  }
  if (request->stack() == "breaks") co_return base::fail(Code::kUnavailable, "the node nas does not answer");
  co_return base::Result<>{};
}

base::Co<> CannedHandlers::watch(std::shared_ptr<core::MessageStream> stream) {
  const OnExit exit{hang_ended};
  core::TypedStream<v1::WatchRequest, v1::WatchEvent> alone(stream);
  CO_ASSIGN_OR_RETURN(auto request, co_await alone.receive());
  last_watch = *request;
  auto put = std::make_unique<v1::WatchEvent>();
  put->set_id("e.1");
  put->set_kind("Service");
  auto* variable = put->mutable_service()->mutable_spec()->mutable_container()->add_environment();
  variable->set_name("PASSWORD");
  variable->set_value("hunter2");
  const std::vector<core::SharedMessagePtr> twice(2, std::make_shared<const core::SharedMessage>(std::move(put)));
  CO_RETURN_IF_ERROR(co_await core::send_shared(stream, twice));
  v1::WatchEvent synced;
  synced.set_id("e.2");
  synced.set_type(v1::WatchEvent::SYNCED);
  CO_RETURN_IF_ERROR(co_await alone.send(std::move(synced)));
  if (request->since() == "last") co_return base::Result<>{};
  co_return co_await never.wait();
}

base::Co<> CannedHandlers::forward(core::TypedStream<v1::ForwardInput, v1::ForwardOutput> stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await stream.receive());
    if (!input) co_return base::Result<>{};
    v1::ForwardOutput output;
    output.set_data(input->data());
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(output)));
  }
}

base::Co<> CannedHandlers::exec(core::CallContext, core::TypedStream<v1::ExecInput, v1::ExecOutput> stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto input, co_await stream.receive());
    if (!input) co_return base::Result<>{};
    if (input->data() == "fail") co_return base::fail(Code::kNotFound, "there is no task t");
    v1::ExecOutput output;
    if (input->end()) {
      output.set_exit_code(3);
    } else {
      output.set_stdout(input->data());
    }
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(output)));
    if (input->end()) co_return base::Result<>{};
  }
}

base::Co<> CannedHandlers::import(core::CallContext, core::TypedStream<v1::ImportImageRequest, v1::Image> stream) {
  v1::Image image;
  std::int64_t bytes = 0;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
    if (!request) break;
    if (!request->name().empty()) image.mutable_meta()->set_name(request->name());
    if (image.meta().name() == "refused") co_return base::fail(Code::kInvalidArgument, "that is no archive");
    bytes += static_cast<std::int64_t>(request->data().size());
  }
  image.mutable_status()->set_size_bytes(bytes);
  co_return co_await stream.send(std::move(image));
}

base::Co<> CannedHandlers::export_image(core::CallContext,
                                        core::TypedStream<v1::ExportImageRequest, v1::ImagePiece> stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  if (request->name() == "none") co_return base::fail(Code::kNotFound, "no node holds none");
  for (int i = 0; i < 20; ++i) {
    v1::ImagePiece piece;
    piece.set_data(std::string(100'000, static_cast<char>('a' + i)));
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(piece)));
  }
  if (request->name() == "breaks") co_return base::fail(Code::kUnavailable, "the node nas does not answer");
  co_return base::Result<>{};
}

namespace {

base::Co<Answer> fetch(wire::HttpClient* client, wire::ClientRequest request) {
  CO_ASSIGN_OR_RETURN(auto response, co_await client->send(std::move(request), 10s));
  CO_ASSIGN_OR_RETURN(auto body, co_await wire::read_whole(*response.body, 64u << 20));
  Answer answer;
  answer.status = response.status;
  answer.body = std::move(body);
  answer.headers = std::move(response.headers);
  co_return answer;
}

base::Co<std::vector<std::string>> talk(wire::grpc::GrpcClient* client, std::string method,
                                        std::vector<std::string> requests, std::string token,
                                        std::multimap<std::string, std::string> metadata) {
  if (!token.empty()) metadata.emplace("authorization", "Bearer " + token);
  const auto stream = client->call(method, std::move(metadata), 10s);
  for (auto& request : requests) {
    if (!co_await stream->send(std::move(request))) break;
  }
  stream->finish();
  std::vector<std::string> responses;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto response, co_await stream->receive());
    if (!response) co_return responses;
    responses.push_back(std::move(*response));
  }
}

}  // namespace

ServingTest::ServingTest() {
  handlers_.add_to(table_);
  add_reflection(table_);
  health_.add_to(table_);
  ServingOptions options;
  options.rest.body_bytes_max = 100'000;
  options.rest.keep_alive = 20ms;
  options.rest.version = "1.2.3";
  options.bookmark = [this] { return handlers_.bookmark; };
  serving_ = std::make_unique<Serving>(control_.executor(), http_.executor(), table_, authenticator_, options);
  const auto listen = [](Serving* serving, std::string path) -> boost::asio::awaitable<std::uint16_t> {
    const auto unix_socket = serving->listen_unix(path);
    EXPECT_TRUE(unix_socket);
    co_return serving->listen_http("127.0.0.1:0").value();
  };
  http_port_ = http_.run(listen(serving_.get(), folder_ / "s.sock"));
  grpc_port_ = serving_->listen_grpc("127.0.0.1:0").value();
  client_ = std::make_unique<wire::HttpClient>(client_loop_.executor(),
                                               wire::Endpoint{wire::Transport::kTcp, "127.0.0.1", http_port_});
  grpc_client_ =
      std::make_unique<wire::grpc::GrpcClient>(client_loop_.executor(), "127.0.0.1:" + std::to_string(grpc_port_));
}

ServingTest::~ServingTest() {
  grpc_client_.reset();
  serving_->shutdown(0ms);
}

Answer ServingTest::send(std::string method, std::string target, std::string body, std::string token,
                         std::vector<std::pair<std::string, std::string>> headers) {
  wire::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
  for (auto& [name, value] : headers) request.headers.add(name, value);
  auto answer = client_loop_.run(fetch(client_.get(), std::move(request)));
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
  return answer.value_or(Answer());
}

base::Result<std::vector<std::string>> ServingTest::call(std::string method, std::vector<std::string> requests,
                                                         std::string token,
                                                         std::multimap<std::string, std::string> metadata) {
  return client_loop_.run(
      talk(grpc_client_.get(), std::move(method), std::move(requests), std::move(token), std::move(metadata)));
}

}  // namespace orchion::control::serving
