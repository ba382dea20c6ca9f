// Files of running tasks, carried between a caller and the node they are on.

#include "control/services/task_service.h"

namespace orchion::control::services {

namespace {

base::Result<> check_path(const std::string& path) {
  if (!path.empty()) return {};
  const std::string why = "there is no path: say which file or folder of the container";
  return std::unexpected(base::Error{base::Code::kInvalidArgument, why, {{"/path", why}}});
}

base::Co<> send_piece(NodeStream* node, std::string data) {
  v1::StreamToAgent message;
  message.set_data(std::move(data));
  co_return co_await node->send(std::move(message));
}

base::Co<std::string> next_piece(NodeStream* node) {
  CO_ASSIGN_OR_RETURN(auto message, co_await node->receive());
  if (!message || !message->has_data())
    co_return base::fail(base::Code::kUnavailable, "the node stopped in the middle of the copy: try again");
  co_return std::move(*message->mutable_data());
}

}  // namespace

base::Co<> TaskService::copy_from(core::CallContext, core::TypedStream<v1::CopyFromRequest, v1::FilePiece> stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  CO_RETURN_IF_ERROR(check_path(request->path()));
  CO_ASSIGN_OR_RETURN(const auto task, find_running(request->stack(), request->task()));
  v1::StreamRequest want;
  want.mutable_copy_from()->set_task_uid(task->meta().uid());
  *want.mutable_copy_from()->mutable_request() = std::move(*request);
  CO_ASSIGN_OR_RETURN(const auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(want)));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto data, co_await next_piece(node.get()));
    if (data.empty()) co_return base::Result<>{};
    v1::FilePiece piece;
    piece.set_data(std::move(data));
    CO_RETURN_IF_ERROR(co_await stream.send(std::move(piece)));
  }
}

base::Co<> TaskService::copy_into(core::CallContext,
                                  core::TypedStream<v1::CopyIntoRequest, google::protobuf::Empty> stream) {
  CO_ASSIGN_OR_RETURN(auto piece, co_await stream.receive());
  if (!piece) co_return base::fail(base::Code::kInvalidArgument, "the upload carried nothing");
  CO_RETURN_IF_ERROR(check_path(piece->path()));
  CO_ASSIGN_OR_RETURN(const auto task, find_running(piece->stack(), piece->task()));
  v1::StreamRequest want;
  want.mutable_copy_into()->set_task_uid(task->meta().uid());
  want.mutable_copy_into()->set_path(piece->path());
  CO_ASSIGN_OR_RETURN(const auto node, co_await streams_.open(task->spec().assignment().node_uid(), std::move(want)));
  base::Result<> taken;
  while (taken && piece) {
    if (!piece->data().empty()) taken = co_await send_piece(node.get(), std::move(*piece->mutable_data()));
    if (!taken) break;
    CO_ASSIGN_OR_RETURN(piece, co_await stream.receive());
  }
  if (taken) taken = co_await send_piece(node.get(), std::string());
  // A node that takes no more says why.
  auto answer = co_await next_piece(node.get());
  if (!answer) co_return std::unexpected(answer.error());
  if (!taken) co_return taken;
  co_return co_await stream.send(google::protobuf::Empty());
}

}  // namespace orchion::control::services
