#include "node/files/copies.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/worker_pool.h"
#include "node/files/helper.h"

namespace orchion::node::files {

namespace {

constexpr auto kAwait = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::size_t kPieceBytes = 64u << 10;

base::Co<std::unique_ptr<Helper>> start(base::WorkerPool* workers, Direction direction, Process process,
                                        std::string path, bool follow_link) {
  const auto executor = co_await base::this_executor();
  auto shared = std::make_shared<const Process>(std::move(process));
  auto job = [direction, shared, path = std::move(path), follow_link] {
    return start_helper(direction, *shared, path, follow_link);
  };
  if (workers == nullptr) {
    CO_ASSIGN_OR_RETURN(auto started, job());
    co_return std::make_unique<Helper>(executor, std::move(started));
  }
  CO_ASSIGN_OR_RETURN(auto started, co_await workers->run(std::move(job)));
  co_return std::make_unique<Helper>(executor, std::move(started));
}

}  // namespace

CopyOut::CopyOut(std::unique_ptr<Helper> helper) : helper_(std::move(helper)) {}
CopyOut::~CopyOut() = default;

base::Co<std::unique_ptr<CopyOut>> CopyOut::start(base::WorkerPool* workers, Process process, std::string path,
                                                  bool follow_link) {
  CO_ASSIGN_OR_RETURN(
      auto helper, co_await files::start(workers, Direction::kFrom, std::move(process), std::move(path), follow_link));
  co_return std::make_unique<CopyOut>(std::move(helper));
}

base::Co<std::optional<std::string>> CopyOut::read() {
  std::string piece(kPieceBytes, '\0');
  const auto [error, n] = co_await helper_->data().async_read_some(boost::asio::buffer(piece), kAwait);
  if (n == 0) {
    CO_RETURN_IF_ERROR(co_await helper_->ended());
    co_return std::optional<std::string>();
  }
  piece.resize(n);
  co_return std::optional<std::string>(std::move(piece));
}

CopyIn::CopyIn(std::unique_ptr<Helper> helper) : helper_(std::move(helper)) {}
CopyIn::~CopyIn() = default;

base::Co<std::unique_ptr<CopyIn>> CopyIn::start(base::WorkerPool* workers, Process process, std::string path) {
  CO_ASSIGN_OR_RETURN(auto helper,
                      co_await files::start(workers, Direction::kInto, std::move(process), std::move(path), false));
  co_return std::make_unique<CopyIn>(std::move(helper));
}

base::Co<> CopyIn::write(std::string bytes) {
  const auto [error, n] = co_await boost::asio::async_write(helper_->data(), boost::asio::buffer(bytes), kAwait);
  if (!error) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await helper_->ended());
  co_return base::fail(base::Code::kInvalidArgument, "the archive goes on after its end: send one alone");
}

base::Co<> CopyIn::finish() {
  boost::system::error_code ignored;
  helper_->data().close(ignored);
  co_return co_await helper_->ended();
}

}  // namespace orchion::node::files
