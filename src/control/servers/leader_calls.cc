#include "control/servers/leader_calls.h"

#include <algorithm>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/timeout.h"
#include "control/serving/grpc_front.h"

namespace orchion::control::servers {

using base::Code;
using core::MessagePtr;

namespace {

// "/orchion.v1.TaskService/Exec".
std::string path_of(const google::protobuf::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

std::multimap<std::string, std::string> metadata_of(const core::CallContext& context) {
  std::multimap<std::string, std::string> metadata{{serving::kCallerMetadata, context.identity}};
  if (context.idempotency_key) metadata.emplace("idempotency-key", *context.idempotency_key);
  if (context.if_match) metadata.emplace("if-match", std::to_string(*context.if_match));
  return metadata;
}

// Until the caller has said all; then only answers come.
base::Co<> carry_requests(core::MessageStream* from, wire::grpc::ByteStream* to) {
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto message, co_await from->receive());
    if (!message) break;
    CO_RETURN_IF_ERROR(co_await to->send((*message)->SerializeAsString()));
  }
  to->finish();
  co_return co_await base::wait_for_ever();
}

// `before` ends before an answer goes on, where it is set.
base::Co<> carry_answers(wire::grpc::ByteStream* from, core::MessageStream* to, MessagePtr (*new_response)(),
                         std::function<base::Co<>()> before) {
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto bytes, co_await from->receive());
    if (!bytes) co_return base::Result<>{};
    auto message = new_response();
    if (!message->ParseFromString(*bytes))
      co_return base::fail(
          Code::kDataLoss,
          "the server that leads sent what this one doesn't understand: bring both to the same version");
    if (before) CO_RETURN_IF_ERROR(co_await before());
    CO_RETURN_IF_ERROR(co_await to->send(std::move(message)));
  }
}

}  // namespace

LeaderCalls::LeaderCalls(base::Executor executor, base::Clock& clock, LeaderCallsOptions options)
    : executor_(executor), clock_(clock), options_(std::move(options)), changed_(std::move(executor)) {}

LeaderCalls::~LeaderCalls() = default;

void LeaderCalls::lead_here() {
  change(Leader{.here = true});
}

bool LeaderCalls::lead_to(const std::string& address) {
  if (leader_ && !leader_->here && leader_->address == address) return false;
  Leader leader{.address = address};
  if (!address.empty()) leader.client = std::make_shared<wire::grpc::GrpcClient>(executor_, address, options_.tls);
  change(std::move(leader));
  return true;
}

void LeaderCalls::nobody_leads() {
  if (leader_) change(std::nullopt);
}

void LeaderCalls::change(std::optional<Leader> leader) {
  leader_ = std::move(leader);
  changed_.notify();
}

void LeaderCalls::wrap(core::MethodTable& table, std::string_view name) {
  table.wrap(name, [this](const core::Method& method, core::Handler local) -> core::Handler {
    return [this, descriptor = method.descriptor, new_response = method.new_response, local = std::move(local)](
               core::CallContext context, std::shared_ptr<core::MessageStream> stream) {
      return answer(descriptor, new_response, local, std::move(context), std::move(stream));
    };
  });
}

base::Co<> LeaderCalls::answer(const google::protobuf::MethodDescriptor* method, MessagePtr (*new_response)(),
                               core::Handler local, core::CallContext context,
                               std::shared_ptr<core::MessageStream> stream) {
  if (!leader_ && !context.led_on) {
    const auto found = co_await base::with_timeout(clock_, options_.patience, "", wait_for_leader());
    if (!found && found.error().code != Code::kDeadlineExceeded) co_return found;
  }
  if (leader_ && leader_->here) co_return co_await local(std::move(context), std::move(stream));
  if (context.led_on)
    co_return base::fail(Code::kUnavailable, "this server doesn't lead any more, or not yet: try again");
  if (!leader_)
    co_return base::fail(Code::kUnavailable, "no server leads just now, so nobody can answer this: try again soon");
  if (!leader_->client)
    co_return base::fail(Code::kUnavailable,
                         "the server that leads can't be reached from this one: start it with --advertise");
  co_return co_await lead_on(method, new_response, std::move(context), std::move(stream));
}

base::Co<> LeaderCalls::wait_for_leader() {
  while (!leader_) CO_RETURN_IF_ERROR(co_await changed_.wait());
  co_return base::Result<>{};
}

base::Co<> LeaderCalls::lead_on(const google::protobuf::MethodDescriptor* method, MessagePtr (*new_response)(),
                                core::CallContext context, std::shared_ptr<core::MessageStream> stream) {
  using boost::asio::experimental::awaitable_operators::operator||;
  const auto client = leader_->client;  // before the stream, which it outlives
  const auto leader = client->call(path_of(*method), metadata_of(context));
  const bool unary = !method->client_streaming() && !method->server_streaming();
  auto ended =
      co_await (carry_answers(leader.get(), stream.get(), new_response, unary ? options_.caught_up : nullptr) ||
                carry_requests(stream.get(), leader.get()) || watch_leader());
  co_return std::visit([](auto& result) { return std::move(result); }, ended);
}

// Where the leader stands still nobody else says that its calls are over.
base::Co<> LeaderCalls::watch_leader() {
  CO_RETURN_IF_ERROR(co_await changed_.wait());
  co_return base::fail(Code::kUnavailable, "another server leads now: connect again");
}

}  // namespace orchion::control::servers
