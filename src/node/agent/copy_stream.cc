// Files out of running containers, and into them.

#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "node/agent/running_process.h"
#include "node/agent/streams.h"
#include "node/files/copies.h"

namespace orchion::node::agent {

namespace {

base::Co<> send_piece(DataStream* stream, std::string data) {
  v1::StreamFromAgent message;
  message.set_data(std::move(data));
  co_return co_await stream->send(std::move(message));
}

base::Co<> send_archive(files::CopyOut* copy, DataStream* stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await copy->read());
    if (!piece) co_return co_await send_piece(stream, std::string());
    CO_RETURN_IF_ERROR(co_await send_piece(stream, std::move(*piece)));
  }
}

base::Co<> wait_until_gone(DataStream* stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::fail(base::Code::kCancelled, "the copy is no longer wanted");
  }
}

// Half an archive is never taken for a whole one.
base::Co<> receive_archive(DataStream* stream, files::CopyIn* copy) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await stream->receive());
    if (!message) co_return base::fail(base::Code::kUnavailable, "the archive was cut off: send it again");
    if (message->data().empty()) co_return co_await copy->finish();
    CO_RETURN_IF_ERROR(co_await copy->write(std::move(*message->mutable_data())));
  }
}

}  // namespace

base::Co<> StreamServer::copy_from(v1::NodeCopyFrom want, std::shared_ptr<DataStream> stream) {
  CO_ASSIGN_OR_RETURN(auto process, co_await find_running_process(parts_.tasks, want.task_uid()));
  CO_ASSIGN_OR_RETURN(const auto copy,
                      co_await files::CopyOut::start(parts_.workers, std::move(process), want.request().path(),
                                                     want.request().follow_link()));
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (send_archive(copy.get(), stream.get()) || wait_until_gone(stream.get()));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

base::Co<> StreamServer::copy_into(v1::NodeCopyInto want, std::shared_ptr<DataStream> stream) {
  CO_ASSIGN_OR_RETURN(auto process, co_await find_running_process(parts_.tasks, want.task_uid()));
  CO_ASSIGN_OR_RETURN(const auto copy, co_await files::CopyIn::start(parts_.workers, std::move(process), want.path()));
  CO_RETURN_IF_ERROR(co_await receive_archive(stream.get(), copy.get()));
  co_return co_await send_piece(stream.get(), std::string());
}

}  // namespace orchion::node::agent
