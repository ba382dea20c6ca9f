#include "node/agent/streams.h"

#include <utility>

#include <fmt/core.h>

#include "base/log.h"
#include "base/timeout.h"
#include "node/agent/image_reporter.h"

namespace orchion::node::agent {

namespace {

constexpr auto kDialLimit = std::chrono::seconds(10);

// After the last message the other side ends the stream: closing it first might overtake that message.
constexpr auto kEndLimit = std::chrono::seconds(10);

base::Co<> wait_for_end(std::shared_ptr<DataStream> stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::Result<>{};
  }
}

// The archive that is being uploaded. An empty piece ends it; without one it was cut off.
class Upload final : public images::ByteSource {
 public:
  explicit Upload(std::shared_ptr<DataStream> stream) : stream_(std::move(stream)) {}

  base::Co<std::optional<std::string>> read() override {
    if (ended_) co_return std::optional<std::string>();
    CO_ASSIGN_OR_RETURN(auto message, co_await stream_->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the upload was cut off: import the archive again");
    ended_ = message->data().empty();
    if (ended_) co_return std::optional<std::string>();
    co_return std::optional<std::string>(std::move(*message->mutable_data()));
  }

 private:
  std::shared_ptr<DataStream> stream_;
  bool ended_ = false;
};

}  // namespace

void StreamServer::serve(v1::StreamRequest request) {
  const std::string name = "stream " + request.id();
  parts_.group.spawn(name, run(std::move(request)));
}

base::Co<> StreamServer::run(v1::StreamRequest request) {
  CO_ASSIGN_OR_RETURN(auto dialled, co_await base::with_timeout(parts_.clock, kDialLimit, "dialling a stream",
                                                                parts_.link.open_stream()));
  std::shared_ptr<DataStream> stream = std::move(dialled);
  v1::StreamFromAgent first;
  first.set_id(request.id());
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(first)));
  auto done = co_await answer(std::move(request), stream);
  if (done) {
    stream->finish();
  } else {
    CO_RETURN_IF_ERROR(co_await parts_.link.refuse(stream, std::move(done.error())));
  }
  auto ended = co_await base::with_timeout(parts_.clock, kEndLimit, "ending a stream", wait_for_end(stream));
  if (!ended) base::log::debug("{}", ended.error().message);
  co_return base::Result<>{};
}

base::Co<> StreamServer::answer(v1::StreamRequest request, std::shared_ptr<DataStream> stream) {
  switch (request.want_case()) {
    case v1::StreamRequest::kLogs: co_return co_await logs(request.logs(), stream);
    case v1::StreamRequest::kExec: co_return co_await exec(request.exec(), stream);
    case v1::StreamRequest::kAttach: co_return co_await attach(request.attach(), stream);
    case v1::StreamRequest::kCopyFrom: co_return co_await copy_from(request.copy_from(), stream);
    case v1::StreamRequest::kCopyInto: co_return co_await copy_into(request.copy_into(), stream);
    case v1::StreamRequest::kArtifact: co_return co_await artifact(request.artifact(), stream);
    case v1::StreamRequest::kForward: co_return co_await forward(request.forward(), stream);
    case v1::StreamRequest::kUsage: co_return co_await usage(request.usage(), stream);
    case v1::StreamRequest::kImport: co_return co_await import(request.import(), stream);
    case v1::StreamRequest::kPull: {
      auto pulled = co_await parts_.images.pull(request.pull().reference());
      co_return co_await send_image(std::move(pulled), stream);
    }
    case v1::StreamRequest::kPush: co_return co_await push(request.push(), stream);
    case v1::StreamRequest::kTag: {
      auto tagged = co_await parts_.images.tag(request.tag().reference(), request.tag().name());
      co_return co_await send_image(std::move(tagged), stream);
    }
    case v1::StreamRequest::kRemoveImage: co_return co_await remove_image(request.remove_image(), stream);
    case v1::StreamRequest::kPruneImages: co_return co_await prune(stream);
    case v1::StreamRequest::kExport: co_return co_await export_image(request.export_(), stream);
    case v1::StreamRequest::kPulls: co_return co_await pulls(stream);
    case v1::StreamRequest::kContainers: co_return co_await containers(stream);
    case v1::StreamRequest::kHealth: co_return co_await health(request.health(), stream);
    case v1::StreamRequest::WANT_NOT_SET: break;
  }
  co_return base::fail(base::Code::kUnimplemented, "this node's agent doesn't know this request: update orchion on it");
}

base::Co<> StreamServer::health(v1::NodeHealth want, std::shared_ptr<DataStream> stream) {
  const auto* runner = parts_.tasks.find(want.task_uid());
  if (runner == nullptr || runner->status().state() != v1::RUNNING)
    co_return base::fail(base::Code::kFailedPrecondition,
                         "the task isn't running on its node: see `orchion ps`, and try one that is");
  v1::StreamFromAgent message;
  *message.mutable_health() = runner->health();
  co_return co_await stream->send(std::move(message));
}

base::Co<> StreamServer::send_image(base::Result<images::ImageRecord> record, std::shared_ptr<DataStream> stream) {
  if (!record) co_return std::unexpected(record.error());
  parts_.images_changed();
  v1::StreamFromAgent message;
  *message.mutable_image() = to_message(*record);
  co_return co_await stream->send(std::move(message));
}

base::Co<> StreamServer::import(v1::NodeImport want, std::shared_ptr<DataStream> stream) {
  auto imported = co_await parts_.images.import(want.name(), std::make_shared<Upload>(stream));
  co_return co_await send_image(std::move(imported), stream);
}

base::Co<> StreamServer::push(v1::NodePush want, std::shared_ptr<DataStream> stream) {
  CO_RETURN_IF_ERROR(co_await parts_.images.push(want.reference(), want.destination(), want.plain_http()));
  CO_ASSIGN_OR_RETURN(auto record, co_await parts_.images.find(want.reference()));
  if (!record)
    co_return base::fail(base::Code::kNotFound, fmt::format("the image {} was removed meanwhile", want.reference()));
  co_return co_await send_image(std::move(*record), stream);
}

base::Co<> StreamServer::remove_image(v1::NodeRemoveImage want, std::shared_ptr<DataStream> stream) {
  CO_RETURN_IF_ERROR(co_await parts_.images.remove(want.reference()));
  parts_.images_changed();
  v1::StreamFromAgent message;
  message.mutable_image()->mutable_meta()->set_name(want.reference());
  co_return co_await stream->send(std::move(message));
}

// From this machine's store, else from an engine that has it.
base::Co<std::shared_ptr<images::ByteSource>> StreamServer::save_image(std::string reference) {
  auto saved = co_await parts_.images.save(reference);
  if (saved || saved.error().code != base::Code::kNotFound) co_return saved;
  for (const auto& executor : parts_.executors.all()) {
    if (executor.images == nullptr || executor.images == &parts_.images) continue;
    auto of_engine = co_await executor.images->save(reference);
    if (of_engine) co_return of_engine;
    base::log::debug("{}: {}", executor.name, of_engine.error().message);
  }
  co_return saved;
}

base::Co<> StreamServer::export_image(v1::NodeExport want, std::shared_ptr<DataStream> stream) {
  CO_ASSIGN_OR_RETURN(const auto archive, co_await save_image(want.reference()));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await archive->read());
    v1::StreamFromAgent message;
    message.set_data(piece ? std::move(*piece) : "");
    CO_RETURN_IF_ERROR(co_await stream->send(std::move(message)));
    if (!piece) co_return base::Result<>{};
  }
}

base::Co<> StreamServer::prune(std::shared_ptr<DataStream> stream) {
  CO_ASSIGN_OR_RETURN(const auto pruned, co_await parts_.images.prune());
  parts_.images_changed();
  v1::StreamFromAgent message;
  for (const auto& reference : pruned.references) message.mutable_pruned()->add_removed(reference);
  message.mutable_pruned()->set_freed_bytes(pruned.freed_bytes);
  co_return co_await stream->send(std::move(message));
}

}  // namespace orchion::node::agent
