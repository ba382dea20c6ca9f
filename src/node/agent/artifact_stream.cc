// What an ended task of a job left, for those who ask.

#include <array>
#include <cerrno>

#include <unistd.h>

#include "node/agent/blocking.h"
#include "node/agent/output_folder.h"
#include "node/agent/streams.h"

namespace orchion::node::agent {

namespace {

constexpr std::size_t kPieceBytes = 256u << 10;

base::Result<std::string> read_piece(int file) {
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const auto n = ::read(file, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, "cannot read an output");
    piece.resize(static_cast<std::size_t>(n));
    return piece;
  }
}

}  // namespace

base::Co<> StreamServer::artifact(v1::NodeArtifact want, std::shared_ptr<DataStream> stream) {
  // Both become parts of a path.
  if (parts_.tasks.find(want.task_uid()) == nullptr || want.name().find('/') != std::string::npos)
    co_return base::fail(base::Code::kNotFound, "this node has no such task, or no longer");
  CO_ASSIGN_OR_RETURN(auto opened, parts_.outputs.open(want.task_uid(), want.name()));
  const auto file = std::make_shared<const base::UniqueFd>(std::move(opened));
  while (true) {
    auto read = [file] { return read_piece(file->get()); };
    CO_ASSIGN_OR_RETURN(auto piece, co_await run_blocking(parts_.workers, std::move(read)));
    const bool last = piece.empty();
    v1::StreamFromAgent message;
    message.set_data(std::move(piece));
    CO_RETURN_IF_ERROR(co_await stream->send(std::move(message)));
    if (last) co_return base::Result<>{};
  }
}

}  // namespace orchion::node::agent
