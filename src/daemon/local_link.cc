#include "daemon/local_link.h"

namespace orchion::daemon {

namespace {

constexpr std::size_t kMessagesInFlight = 256;

// A typed end of a pipe as handlers see it.
template <class In, class Out>
class ErasedStream final : public core::MessageStream {
 public:
  explicit ErasedStream(std::unique_ptr<base::Stream<In, Out>> stream) : stream_(std::move(stream)) {}

  base::Co<std::optional<core::MessagePtr>> receive() override {
    auto received = co_await stream_->receive();
    if (!received) co_return std::unexpected(received.error());
    if (!*received) co_return std::optional<core::MessagePtr>();
    co_return std::optional<core::MessagePtr>(std::make_unique<In>(std::move(**received)));
  }
  base::Co<> send(core::MessagePtr message) override { return stream_->send(std::move(static_cast<Out&>(*message))); }
  void finish() override { stream_->finish(); }
  void finish(base::Error error) override { stream_->finish(std::move(error)); }

 private:
  std::unique_ptr<base::Stream<In, Out>> stream_;
};

base::Co<> serve(const core::Method* method, std::shared_ptr<core::MessageStream> stream) {
  core::CallContext context;
  context.identity = "this machine's agent";
  auto served = co_await method->call(std::move(context), stream);
  if (served) {
    stream->finish();
  } else {
    stream->finish(served.error());
  }
  co_return base::Result<>{};
}

template <class In, class Out>
std::unique_ptr<base::Stream<Out, In>> open(const core::MethodTable& methods, base::TaskGroup& calls,
                                            const std::string& name) {
  auto [server, agent] = base::make_pipe<In, Out>(calls.executor(), kMessagesInFlight);
  calls.spawn(name, serve(methods.find(name), std::make_shared<ErasedStream<In, Out>>(std::move(server))));
  return std::move(agent);
}

}  // namespace

base::Co<std::unique_ptr<node::agent::SessionStream>> LocalLink::open_session() {
  co_return open<v1::FromAgent, v1::ToAgent>(methods_, calls_, "orchion.v1.DispatcherService.Session");
}

base::Co<std::unique_ptr<node::agent::DataStream>> LocalLink::open_stream() {
  co_return open<v1::StreamFromAgent, v1::StreamToAgent>(methods_, calls_, "orchion.v1.DispatcherService.OpenStream");
}

}  // namespace orchion::daemon
